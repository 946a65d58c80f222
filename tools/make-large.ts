import { parseArgs } from 'node:util';
import { Draws } from '../src/events/philox.js';
import type { EventBatch } from '../src/events/event-batch.js';
import { readAll, writeEvents } from '../src/read/index.js';

/**
 * Makes a file of any size out of a small one, to try what the real ones of up to 13,451,915 events ask for: every copy
 * of an event is turned in phi by an angle of its own and mirrored in eta or not, which is another event as likely.
 *
 *   npx tsx tools/make-large.ts --out large.h5 [--events 13451915] [--from sample/background_train.h5] [--gzip 4]
 */
const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    events: { type: 'string', default: '13451915' },
    from: { type: 'string', default: 'sample/background_train.h5' },
    gzip: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const { out, from } = values;
const [events, gzip, seed] = [values.events, values.gzip, values.seed].map(Number);
if (out === undefined || !(Number.isSafeInteger(events) && events > 0))
  throw new Error('needs --out FILE and --events N');

const stream = 0x6c617267; // "larg"
const pi32 = Math.fround(Math.PI);

/** The events of `batch` as copy `copy` of them, numbered from `first`. */
function copyOf(batch: EventBatch, copy: number, first: number, count: number): EventBatch {
  const phi = batch.phi.slice(0, batch.offsets[count]);
  const eta = batch.eta.slice(0, batch.offsets[count]);
  for (let e = 0; e < count; e++) {
    const draws = new Draws(seed, copy, e, stream);
    const turn = 2 * Math.PI * draws.uniform();
    const mirror = draws.uniform() < 0.5 ? -1 : 1;
    for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++) {
      const turned = phi[o] + turn;
      phi[o] = Math.max(-pi32, Math.min(pi32, turned > Math.PI ? turned - 2 * Math.PI : turned));
      eta[o] = eta[o] === 0 ? 0 : mirror * eta[o];
    }
  }
  return {
    count,
    offsets: batch.offsets.subarray(0, count + 1),
    pt: batch.pt.subarray(0, batch.offsets[count]),
    kind: batch.kind.subarray(0, batch.offsets[count]),
    eta,
    phi,
    rows: Int32Array.from({ length: count }, (_, e) => first + e),
    eventIds: BigInt64Array.from({ length: count }, (_, e) => BigInt(first + e)),
  };
}

const { batch } = await readAll([from], { onBadEvent: 'fail' });
function* copies(): Generator<EventBatch> {
  for (let first = 0, copy = 0; first < events; copy++) {
    const count = Math.min(batch.count, events - first);
    yield copyOf(batch, copy, first, count);
    first += count;
    process.stderr.write(`\r${first} of ${events} events`);
  }
}
await writeEvents(out, copies(), { gzip });
process.stderr.write('\n');
