import { openEvents } from '../../../src/read/index.js';

// Reads a file through a cache: FILE FOLDER.
const [, , file, folder] = process.argv;
const warn = (line: string): void => void process.stdout.write(`${line}\n`);
const source = await openEvents(file, { cache: { folder, write: true, least: 0, warn } });
for (let from = 0; from < source.events; from += 8192) await source.read(from, Math.min(source.events, from + 8192));
await source.close();
process.stdout.write('done\n');
