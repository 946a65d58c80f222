import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UsageError } from '../errors.js';
import { clip, readText } from '../files.js';

/**
 * The files that names on a command line mean, in order: a file that is there as it is written, `@list.txt` the names in
 * that list, a glob the files that match it, sorted by their names. What is none of these stays, for its reader to refuse.
 *
 * @param what - what they are for, for messages: `--data`.
 * @param folders - whether a pattern may match folders, too.
 * @throws UsageError naming a pattern or list without files, and a file that comes twice
 * @example
 * const files = await expandFiles(['sm/*.h5', '@more.txt'], '--background');
 */
export async function expandFiles(names: readonly string[], what: string, folders = false): Promise<string[]> {
  const files: string[] = [];
  for (const name of names) {
    if (!existsSync(name) && name.startsWith('@')) files.push(...(await filesOfList(name.slice(1), what, folders)));
    else files.push(...(await matching(name, '', what, folders)));
  }
  await refuseTwins(files, what);
  return files;
}

const told = (name: string): string => clip(name, 500);

/** One name a line, relative to the list's folder; what follows # at the beginning of a line is a comment. */
async function filesOfList(list: string, what: string, folders: boolean): Promise<string[]> {
  const lines = (await readText(list)).split(/\r?\n/).map(line => line.trim());
  const names = lines.filter(line => line !== '' && !line.startsWith('#'));
  if (names.length === 0) throw new UsageError(`${what}: the list ${list} names no file`);
  const files: string[] = [];
  for (const name of names) files.push(...(await matching(name, path.dirname(list), what, folders)));
  return files;
}

async function matching(name: string, folder: string, what: string, folders: boolean): Promise<string[]> {
  const place = folder === '' || path.isAbsolute(name) ? name : path.join(folder, name);
  if (existsSync(place) || !isDynamicPattern(name)) return [place];
  if (place.includes('\0')) throw new UsageError(`${what}: no file has such a name: ${told(place)}`); // glob would say TypeError
  const absolute = path.isAbsolute(name);
  const cwd = folder === '' ? '.' : folder;
  const matches = await glob([name], { cwd, absolute, expandDirectories: false, onlyFiles: !folders });
  const found = matches.map(match => match.replace(/\/$/, '')); // that a folder ends in
  if (found.length === 0) throw new UsageError(`${what}: no file matches ${told(place)}`);
  const named = found.map(file => (folder === '' || absolute ? file : path.join(folder, file)));
  return named.toSorted((a, b) => (a < b ? -1 : 1)); // the same on every machine, whatever its language
}

/** An event that is read twice would count twice. */
async function refuseTwins(files: readonly string[], what: string): Promise<void> {
  const seen = new Map<string, string>();
  for (const file of files) {
    const real = await realpath(file).catch(() => path.resolve(file));
    const before = seen.get(real);
    if (before !== undefined)
      throw new UsageError(
        `${what}: ${told(file)} comes twice${before === file ? '' : `, first as ${told(before)}`}; name it once`,
      );
    seen.set(real, file);
  }
}
