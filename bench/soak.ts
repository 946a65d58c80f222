// The HTTP server at twice its capacity, for minutes: npm run bench:soak -- BUNDLE [--minutes N] [--load N] [--data FILE] [--json FILE]
// Single events, binary batches of 256, JSON and bad requests arrive at a fixed rate, whatever becomes of those before
// them. Every answer is checked: scores against those computed up front, refusals for their Retry-After.
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/addon.js';
import { openBundle } from '../src/bundle/open.js';
import { padEvents, type PaddedEvents } from '../src/bundle/pad.js';
import { AnomalyClrError } from '../src/errors.js';
import { writeAtomically } from '../src/files.js';
import { readAll } from '../src/read/index.js';
import {
  type Answer,
  binaryRequest,
  Client,
  jsonRequest,
  type Request,
  scoresOf,
  startServer,
} from './serve-client.js';

const batch = 256;
/** Of a score, relative: batches of another size round otherwise. */
const tolerance = 1e-4;
/** Requests under way at most: more would measure the client's memory. Those beyond are not sent, and counted. */
const mostUnderWay = 384;
const outputs = ['score', 'in_domain'];
/** Seconds between two looks at the server's memory. */
const sampleSeconds = 2;
const mostGrowth = 0.2;

interface Kind {
  readonly name: string;
  /** Of 100 requests. */
  readonly share: number;
  readonly events: number;
  readonly make: (objects: Float32Array, slots: number) => Request;
  readonly bad?: true;
}

const kinds: readonly Kind[] = [
  { name: 'one event', share: 40, events: 1, make: (objects, slots) => binaryRequest(objects, slots, outputs) },
  { name: 'batch', share: 40, events: batch, make: (objects, slots) => binaryRequest(objects, slots, outputs) },
  { name: 'JSON', share: 10, events: 8, make: (objects, slots) => jsonRequest(objects, slots, outputs) },
  { name: 'NaN', share: 4, events: 8, make: withNaN, bad: true },
  { name: 'cut short', share: 3, events: 8, make: cutShort, bad: true },
  { name: 'no JSON', share: 3, events: 0, make: () => requestOf(Buffer.from('{"inputs": [')), bad: true },
];

function withNaN(objects: Float32Array, slots: number): Request {
  const changed = objects.slice();
  changed[changed.length >> 1] = NaN;
  return binaryRequest(changed, slots, outputs);
}

function cutShort(objects: Float32Array, slots: number): Request {
  const { headers, body } = binaryRequest(objects, slots, outputs);
  return { headers: { ...headers, 'content-length': body.length - 5 }, body: body.subarray(0, body.length - 5) };
}

const requestOf = (body: Buffer): Request => ({ headers: { 'content-length': body.length }, body });

/** A request ready to be sent, and what its answer must be. */
interface Prepared {
  readonly kind: Kind;
  readonly request: Request;
  readonly scores: Float32Array;
}

interface Tally {
  sent: number;
  answered: number;
  refused: number;
  told: number;
  notSent: number;
  events: number;
  /** What should never be, and an example of each. */
  readonly faults: Map<string, { count: number; example: string }>;
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { minutes: text, load: text, data: text, json: text },
  });
  const [file] = positionals;
  if (file === undefined) throw new AnomalyClrError('name the bundle: npm run bench:soak -- BUNDLE');
  const seconds = 60 * Number(values.minutes ?? 10);
  const data = values.data ?? path.join(packageRoot(), 'sample', 'background_test.h5');
  const { batch: events } = await readAll([data], { onBadEvent: 'fail', maxEvents: 16 * batch });
  const prepared = await prepare(file, padEvents(events));

  const server = await startServer(file);
  const client = new Client(server.url, mostUnderWay);
  let crashed = false;
  server.child.once('exit', () => (crashed = true));
  try {
    const capacity = await capacityOf(client, prepared);
    const load = Number(values.load ?? 2) * capacity;
    say(`capacity ${Math.round(capacity)} events/s; ${Math.round(load)} events/s are sent for ${seconds} s`);
    const tally: Tally = { sent: 0, answered: 0, refused: 0, told: 0, notSent: 0, events: 0, faults: new Map() };
    const memory = await drive(client, prepared, load, seconds, tally, () => crashed);
    const alive = !crashed;
    const code = await server.stop();
    const faults = Array.from(tally.faults, ([what, seen]) => ({ what, ...seen }));
    const result = { minutes: seconds / 60, capacity, load, ...tally, faults, ...memory, alive, code };
    if (values.json !== undefined) await writeAtomically(values.json, `${JSON.stringify(result, null, 2)}\n`);
    tell(result);
    const passed = alive && code === 0 && tally.faults.size === 0 && memory.growth <= mostGrowth && tally.refused > 0;
    process.exitCode = passed ? 0 : 1;
  } finally {
    client.close();
    if (!crashed) await server.stop();
  }
}

const say = (line: string): boolean => process.stderr.write(`soak: ${line}\n`);

/** Requests of every kind at several places of the events, with the scores of the bundle run alone. */
async function prepare(file: string, { objects, events, slots }: PaddedEvents): Promise<Map<Kind, Prepared[]>> {
  const bundle = await openBundle(file, { sessions: 1 });
  const { score } = await bundle.run(objects, events, slots);
  await bundle.dispose();
  if (!score) throw new AnomalyClrError(`${file}: a bundle of the encoder alone has no scores to compare`);
  const width = slots * 4;
  return new Map(
    kinds.map(kind => [
      kind,
      Array.from({ length: 16 }, (_, i) => {
        const [from, to] = [i * batch, i * batch + kind.events];
        const request = kind.make(objects.subarray(from * width, to * width), slots);
        return { kind, request, scores: score.subarray(from, to) };
      }),
    ]),
  );
}

/** Events per second of batches alone, as many at a time as keep the server busy. */
async function capacityOf(client: Client, prepared: Map<Kind, Prepared[]>, seconds = 5): Promise<number> {
  const batches = prepared.get(kinds[1])!;
  const start = performance.now();
  let sent = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1000) {
      const { status } = await client.send(batches[sent++ % batches.length].request);
      if (status !== 200) throw new AnomalyClrError(`the server answered ${status} before it was loaded`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  return (sent * batch * 1000) / (performance.now() - start);
}

/** Sends at the given rate of events, and looks at the server's memory meanwhile. */
async function drive(
  client: Client,
  prepared: Map<Kind, Prepared[]>,
  load: number,
  seconds: number,
  tally: Tally,
  crashed: () => boolean,
): Promise<{ rssMb: readonly number[]; growth: number }> {
  const order = sequence(prepared);
  const meanEvents = kinds.reduce((sum, { share, events }) => sum + (share * events) / 100, 0);
  const perSecond = load / meanEvents;
  const start = performance.now();
  const rss: number[] = [];
  const sampler = setInterval(
    () =>
      void memoryOf(client).then(
        mb => rss.push(mb),
        () => undefined,
      ),
    sampleSeconds * 1000,
  );
  const teller = setInterval(
    () => say(`${tally.answered} answered, ${tally.refused} refused, ${rss.at(-1)} MB`),
    30_000,
  );
  const underWay = new Set<Promise<void>>();
  let due = 0;
  while (performance.now() - start < seconds * 1000 && !crashed()) {
    for (const now = ((performance.now() - start) / 1000) * perSecond; due < now; due++) {
      const one = order[due % order.length];
      if (underWay.size >= mostUnderWay) {
        tally.notSent += 1;
        continue;
      }
      const done: Promise<void> = send(client, one, tally).finally(() => underWay.delete(done));
      underWay.add(done);
    }
    await new Promise(resolve => setTimeout(resolve, 1));
  }
  clearInterval(sampler);
  clearInterval(teller);
  await Promise.all(underWay);
  return { rssMb: rss, growth: growthOf(rss, seconds) };
}

/** A long round of prepared requests with the shares of their kinds, mixed evenly. */
function sequence(prepared: Map<Kind, Prepared[]>): Prepared[] {
  const places = kinds.flatMap(kind =>
    Array.from({ length: kind.share * 16 }, (_, i) => ({
      at: (i + 0.5) / kind.share,
      one: prepared.get(kind)![i % 16],
    })),
  );
  return places.toSorted((a, b) => a.at - b.at).map(({ one }) => one);
}

async function send(client: Client, one: Prepared, tally: Tally): Promise<void> {
  tally.sent += 1;
  try {
    judge(one, await client.send(one.request), tally);
  } catch (error) {
    fault(tally, 'no answer', String(error));
  }
}

function judge({ kind, scores }: Prepared, answer: Answer, tally: Tally): void {
  const { status, headers, body } = answer;
  const said = `${kind.name}: ${status} ${body.toString('utf8', 0, 200)}`;
  if (status === 503 || status === 429) {
    tally.refused += 1;
    if (!/^[1-9]\d*$/.test(headers['retry-after'] ?? '')) fault(tally, 'a refusal without Retry-After', said);
  } else if (kind.bad) {
    tally.told += 1;
    if (status !== 400) fault(tally, 'a bad request that was not told so', said);
  } else if (status !== 200) fault(tally, 'a good request that was not scored', said);
  else {
    tally.answered += 1;
    tally.events += kind.events;
    const got = scoresOf(answer);
    const wrong = scores.findIndex((score, e) => !(Math.abs(Number(got[e]) - score) <= tolerance * Math.abs(score)));
    if (wrong >= 0 || got.length !== scores.length)
      fault(tally, 'a wrong score', `${kind.name}: event ${wrong}: ${got[wrong]}, expected ${scores[wrong]}`);
  }
}

function fault(tally: Tally, what: string, example: string): void {
  const known = tally.faults.get(what) ?? { count: 0, example };
  known.count += 1;
  tally.faults.set(what, known);
}

/** Resident memory of the server, MB. */
async function memoryOf(client: Client): Promise<number> {
  const { body } = await client.send({ headers: {}, body: Buffer.alloc(0) }, '/metrics', 'GET');
  return Math.round(Number(/^process_resident_memory_bytes (\S+)/m.exec(body.toString())?.[1]) / 1e5) / 10;
}

/** Of the most memory after the first minute (or half, of a shorter run) over the most within it. */
function growthOf(rss: readonly number[], seconds: number): number {
  const first = Math.max(1, Math.floor(Math.min(60, seconds / 2) / sampleSeconds));
  return Math.max(...rss.slice(first)) / Math.max(...rss.slice(0, first)) - 1;
}

interface Result extends Omit<Tally, 'faults'> {
  readonly minutes: number;
  readonly rssMb: readonly number[];
  readonly growth: number;
  readonly alive: boolean;
  readonly code: number | null;
  readonly faults: readonly { what: string; count: number; example: string }[];
}

function tell(result: Result): void {
  const { minutes, sent, answered, events, refused, told, notSent, growth, rssMb, alive, code } = result;
  const lines = [
    `${minutes} minutes: ${sent} requests sent (${notSent} held back), ${answered} scored (${events} events), ${refused} refused, ${told} told that they are wrong`,
    `memory: ${Math.max(...rssMb)} MB at most, growth past the first minute ${(100 * growth).toFixed(1)} % (bar ${100 * mostGrowth} %)`,
    `server ${alive ? 'alive' : 'CRASHED'}, exit code ${code} after SIGTERM`,
    ...result.faults.map(({ what, count, example }) => `FAULT: ${what}: ${count} times, for instance ${example}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch((error: unknown) => {
    process.stderr.write(`soak: ${error instanceof AnomalyClrError ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
