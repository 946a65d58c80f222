import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Made by builds and runs, or not ours. */
const outside = new Set(['node_modules', 'build', 'dist', 'runs', 'coverage', '.git']);

/** Paths of the files below `folder`, relative to the root, with `/`. */
export function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return outside.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [relative('.', path).split(sep).join('/')] : [];
  });
}

export function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}
