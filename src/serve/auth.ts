import { createHash, timingSafeEqual } from 'node:crypto';
import { AnomalyClrError } from '../errors.js';
import { readText } from '../files.js';

/**
 * The bearer token in a file, without the white space around it.
 * @throws AnomalyClrError where there is none, or more than one word
 */
export async function readToken(file: string): Promise<string> {
  const token = (await readText(file)).trim();
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new AnomalyClrError(`${file}: expected one token of printable ASCII without spaces`);
  return token;
}

/** Whether a request's Authorization header carries `token`, in a time that tells nothing of it. */
export function tokenCheck(token: string): (authorization: string | undefined) => boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return authorization => {
    const given = /^bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    return timingSafeEqual(digest(given ?? ''), expected) && given !== undefined;
  };
}
