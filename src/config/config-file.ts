import { parse } from 'yaml';
import { AnomalyClrError, UsageError } from '../errors.js';
import { mustBeShallow, oneLine, parseJson, readText } from '../files.js';

/** Whether a name given for something that may be a preset or a file means a file. */
export function looksLikeFile(name: string): boolean {
  return /[/\\]|\.(json|ya?ml)$/i.test(name);
}

/**
 * The value in a JSON or YAML file: JSON where the name ends in .json, else YAML.
 *
 * @throws UsageError naming the file, and the place of a mistake in its syntax
 */
export async function readConfigFile(path: string): Promise<unknown> {
  try {
    const text = await readText(path);
    if (/\.json$/i.test(path)) return parseJson(text);
    const value = parse(text, { logLevel: 'error' }) as unknown;
    mustBeShallow(value);
    return value;
  } catch (error) {
    if (error instanceof AnomalyClrError) throw new UsageError(error.message);
    // The yaml package draws the line at fault below its first one.
    const message = oneLine((error as Error).message.split('\n')[0]).replace(/:$/, '');
    throw new UsageError(`${path}: not valid ${/\.json$/i.test(path) ? 'JSON' : 'YAML'}: ${message}`);
  }
}
