import { constants, existsSync } from 'node:fs';
import { access, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type * as z from 'zod';
import { AnomalyClrError, printable } from './errors.js';
import { isOfAnotherMachine, releaseTemporary, removeLeft, temporariesIn, temporaryFor } from './temporaries.js';

/** Larger than any JSON or YAML file of ours: a guard against reading an event file as configuration. */
const maxTextBytes = 64 * 2 ** 20;

/**
 * Writes a whole file or nothing: under a temporary name in the same folder, flushed to disk, then renamed. A reader, a
 * crash or a full disk never meets half a file. A symbolic link is kept and its target replaced. What killed writers of
 * the same file left goes first.
 *
 * @param data the contents, or a function that writes them to the path it is given
 * @throws AnomalyClrError naming the file: missing folder, no permission, disk full, not a regular file
 * @example
 * await writeAtomically('runs/a/config.json', JSON.stringify(options, null, 2));
 */
export async function writeAtomically(
  path: string,
  data: string | Uint8Array | ((temporaryPath: string) => Promise<void>),
): Promise<void> {
  const target = await writableTarget(path);
  await removeTemporariesOf(target);
  const temp = temporaryFor(target);
  try {
    if (typeof data === 'function') await data(temp);
    const file = await open(temp, typeof data === 'function' ? 'r+' : 'wx');
    try {
      if (typeof data !== 'function') await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(temp, { force: true });
    throw fileError(path, error, 'write');
  } finally {
    releaseTemporary(temp);
  }
}

/**
 * Removes what killed writers of files left in folder `dir`; temporaries of running processes stay.
 *
 * @param alone - of which files this process is known to be the only writer, on whatever machine the last one was
 */
export async function removeStaleTemporaries(
  dir: string,
  alone: (name: string) => boolean = () => false,
): Promise<void> {
  for (const temporary of await temporariesIn(dir))
    if (temporary.isFolder)
      continue; // folders are looked after by who fills them
    else if (alone(temporary.name) && isOfAnotherMachine(temporary)) await rm(temporary.path).catch(() => undefined);
    else await removeLeft(temporary);
}

async function removeTemporariesOf(file: string): Promise<void> {
  for (const temporary of await temporariesIn(dirname(file)))
    if (temporary.name === basename(file) && !temporary.isFolder) await removeLeft(temporary);
}

/**
 * Makes a folder, with those that it is in, so that it survives a power cut.
 * @throws AnomalyClrError naming it
 */
export async function makeFolder(dir: string): Promise<void> {
  try {
    const first = await mkdir(dir, { recursive: true });
    if (first === undefined) return;
    const top = dirname(resolve(first));
    for (let at = dirname(resolve(dir)); at.length >= top.length; at = dirname(at)) {
      await syncFolder(at);
      if (at === top) break;
    }
  } catch (error) {
    // on a file system that is read-only it says ENOENT
    let above = resolve(dir);
    while (!existsSync(above)) above = dirname(above);
    await access(above, constants.W_OK).catch((reason: unknown) => Promise.reject(fileError(dir, reason, 'write')));
    throw fileError(dir, error, 'write');
  }
}

/**
 * Reads a text file of at most 64 MiB.
 * @throws AnomalyClrError naming the file
 */
export async function readText(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > maxTextBytes)
      throw new AnomalyClrError(`${path}: ${size} bytes are too many for a text file; is it the right file?`);
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path));
  } catch (error) {
    if (error instanceof TypeError) throw new AnomalyClrError(`${path}: not a text file (invalid UTF-8)`);
    throw fileError(path, error, 'read');
  }
}

/** Beyond any file of ours. What walks a value calls itself at each level, and 10,000 levels end the stack. */
const maxDepth = 200;

/** @throws Error where a value from a file has lists and mappings within each other over 200 deep */
export function mustBeShallow(value: unknown): void {
  const left: [value: unknown, depth: number][] = [[value, 0]];
  for (let one = left.pop(); one; one = left.pop()) {
    const [within, depth] = one;
    if (typeof within !== 'object' || within === null) continue;
    if (depth === maxDepth) throw new Error(`it is nested over ${maxDepth} deep`);
    for (const inner of Object.values(within)) if (typeof inner === 'object') left.push([inner, depth + 1]);
  }
}

/**
 * The value of JSON that comes from a file.
 *
 * @throws Error where it is none, or nested over 200 deep
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  mustBeShallow(value);
  return value;
}

/**
 * Reads a JSON file and checks it.
 * @throws AnomalyClrError in one line: the file, the key, the value got and what is wrong with it
 */
export async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  const text = await readText(path);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new AnomalyClrError(`${path}: not valid JSON: ${oneLine((error as Error).message)}`);
  }
  const result = schema.safeParse(value, { reportInput: true });
  if (!result.success) throw new AnomalyClrError(`${path}: ${explainIssue(result.error.issues[0])}`);
  return result.data;
}

/** One zod issue (of a parse with `reportInput`) in words: `anchor.0.strength: expected number, received string, got "x"`. */
export function explainIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    // The branch that got furthest into the value is the one that was meant.
    const depth = (branch: z.core.$ZodIssue[]): number => Math.max(...branch.map(i => i.path.length));
    const nested = issue.errors.toSorted((a, b) => depth(b) - depth(a))[0][0];
    if (nested.path.length > 0) return explainIssue({ ...nested, path: [...issue.path, ...nested.path] });
  }
  const message = clip(issue.message.replace(/^Invalid input: /, ''), 500); // zod names all keys that it does not know
  const where = issue.path.length > 0 ? `${issue.path.map(key => clip(String(key))).join('.')}: ` : '';
  const got = issue.input === undefined || typeof issue.input === 'object' ? '' : `, got ${show(issue.input)}`;
  return `${where}${message[0].toLowerCase()}${message.slice(1)}${got}`;
}

/** A value as it stands in a message: JSON, at most 60 characters. */
export function show(value: unknown): string {
  const text = typeof value === 'bigint' || typeof value === 'number' ? String(value) : jsonOf(value);
  return clip(text);
}

/** The beginning of a text that is longer than that. */
export function clip(text: string, most = 60): string {
  return text.length > most ? `${text.slice(0, most - 3)}...` : text;
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'nothing';
  } catch {
    return Array.isArray(value) ? 'lists within lists' : 'mappings within mappings'; // too deep for the stack
  }
}

/** Several lines as one. */
export function oneLine(text: string): string {
  return printable(text.trim());
}

/** What the system said of a file, as an error that names the file. Errors of ours pass unchanged. */
export function fileError(path: string, error: unknown, doing: 'read' | 'write'): AnomalyClrError {
  if (error instanceof AnomalyClrError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error; // a mistake in the program, not in the file
  const reasons: Record<string, string> = {
    ENOENT: doing === 'read' ? 'no such file' : 'its folder does not exist; create it first',
    ENOTDIR: 'a part of this path is not a folder',
    EISDIR: 'is a folder, not a file',
    EACCES: `no permission to ${doing} it`,
    EPERM: `no permission to ${doing} it`,
    EROFS: 'the file system is read-only; name another place',
    ENOSPC: 'no space left on the disk; make room and start again',
    EDQUOT: 'the disk quota is used up; make room and start again',
    EMFILE: 'too many open files; raise the limit (ulimit -n)',
    ENFILE: 'too many open files on this machine; close some programs',
    ERR_INVALID_ARG_VALUE: 'no file has such a name',
    ESTALE: 'its file server has replaced or removed it; start again',
  };
  return new AnomalyClrError(`${clip(path, 500)}: ${reasons[code] ?? clip(oneLine(message), 500)}`);
}

/** Where the data goes: through links, and never over a device, a pipe or a folder. */
async function writableTarget(path: string): Promise<string> {
  try {
    const target = await realpath(path);
    const info = await stat(target);
    if (info.isDirectory()) throw new AnomalyClrError(`${path}: is a folder, not a file`);
    if (!info.isFile()) throw new AnomalyClrError(`${path}: not a regular file; name a file to write`);
    return target;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw fileError(path, error, 'write');
  }
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch (error) {
    throw fileError(path, error, 'write');
  }
}

/** Makes names in a folder survive a power cut; some systems can't open folders, and lose nothing else by it. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** @throws AnomalyClrError where a file cannot be written: asked before the work rather than after it */
export async function checkWritable(file: string): Promise<void> {
  await access(dirname(await writableTarget(file)), constants.W_OK).catch((error: unknown) =>
    Promise.reject(fileError(file, error, 'write')),
  );
}
