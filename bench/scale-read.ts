// A child of scale.ts: reads a file from end to end and prints {events, seconds}.
//   node dist/bench/scale-read.js FILE [CACHE_FOLDER [write]]
import process from 'node:process';
import { readEvents } from '../src/read/index.js';

const [file, folder, write] = process.argv.slice(2);
const cache = folder === undefined ? undefined : { folder, write: write === 'write' };
const from = performance.now();
let events = 0;
for await (const batch of readEvents(file, { onBadEvent: 'fail', cache })) events += batch.count;
process.stdout.write(`${JSON.stringify({ events, seconds: (performance.now() - from) / 1000 })}\n`);
