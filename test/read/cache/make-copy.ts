import { openEvents } from '../../../src/read/index.js';

// Reads a file through a cache: FILE FOLDER [ROWS], says "reading" at the row ROWS and waits there.
const [, , file, folder, stop = 'Infinity'] = process.argv;
const warn = (line: string): void => void process.stdout.write(`${line}\n`);
const source = await openEvents(file, { cache: { folder, write: true, least: 0, warn } });
for (let from = 0; from < source.events; from += 8192) {
  await source.read(from, Math.min(source.events, from + 8192));
  if (from >= Number(stop)) {
    process.stdout.write('reading\n');
    await new Promise(() => setInterval(() => undefined, 1000));
  }
}
await source.close();
process.stdout.write('done\n');
