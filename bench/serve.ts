// The HTTP server on loopback against its bars, its client on the same cores:
//   npm run bench:serve -- BUNDLE [--rounds N] [--seconds N] [--data FILE] [--json FILE]
// One event at a time at 200 requests/s, open loop; batches of 256 events in binary form beside the bare session, in turn.
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packageRoot } from '../src/addon.js';
import { openBundle } from '../src/bundle/open.js';
import { padEvents } from '../src/bundle/pad.js';
import type { Bundle } from '../src/bundle/bundle.js';
import { AnomalyClrError } from '../src/errors.js';
import { writeAtomically } from '../src/files.js';
import { readAll } from '../src/read/index.js';
import { binaryRequest, Client, type Request, startServer } from './serve-client.js';
import { median } from './timing.js';

const ratePerSecond = 200;
const batch = 256;
/** Requests, and runs of the bare session, that are under way at a time. */
const inFlight = 8;
/** Seconds before anything counts: until then the JavaScript of both is still being compiled. */
const warmUp = 5;
/** What a run of the bare session gives too. */
const outputs = ['score', 'in_domain', 'domain_distance', 'crossed'];
const bars = { p50: 3, p99: 10, ratio: 0.8 } as const;

interface Events {
  readonly objects: Float32Array;
  readonly slots: number;
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rounds: text, seconds: text, data: text, json: text },
  });
  const [file] = positionals;
  if (file === undefined) throw new AnomalyClrError('name the bundle: npm run bench:serve -- BUNDLE');
  const rounds = Number(values.rounds ?? 5);
  const seconds = Number(values.seconds ?? 3);
  const data = values.data ?? path.join(packageRoot(), 'sample', 'background_test.h5');
  const { batch: events } = await readAll([data], { onBadEvent: 'fail', maxEvents: 32 * batch });
  const padded = padEvents(events);

  const server = await startServer(file);
  const bundle = await openBundle(file);
  const client = new Client(server.url, 64);
  try {
    const latency = await oneEvent(client, padded, Math.max(5, seconds * rounds));
    const rates = { server: [] as number[], session: [] as number[] };
    await throughput(requestsOf(client, padded), warmUp);
    await throughput(runsOf(bundle, padded), 1);
    for (let round = 0; round < rounds; round++) {
      rates.session.push(await throughput(runsOf(bundle, padded), seconds));
      rates.server.push(await throughput(requestsOf(client, padded), seconds));
      process.stderr.write(
        `round ${round + 1}: session ${rate(rates.session)}, server ${rate(rates.server)} events/s\n`,
      );
    }
    const ratio = median(rates.server) / median(rates.session);
    const result = { latency, throughput: { batch, ...rates, ratio }, bars };
    if (values.json !== undefined) await writeAtomically(values.json, `${JSON.stringify(result, null, 2)}\n`);
    tell(latency, rates, ratio);
    const met = latency.p50 <= bars.p50 && latency.p99 <= bars.p99 && ratio >= bars.ratio;
    process.exitCode = met ? 0 : 1;
  } finally {
    client.close();
    await bundle.dispose();
    await server.stop();
  }
}

const rate = (rates: readonly number[]): number => Math.round(rates[rates.length - 1]);

/** ms from sending a request to the end of its answer, whether those before it are answered or not. */
async function oneEvent(client: Client, { objects, slots }: Events, seconds: number) {
  const width = slots * 4;
  const requests = Array.from({ length: 256 }, (_, e) =>
    binaryRequest(objects.subarray(e * width, (e + 1) * width), slots, outputs),
  );
  await timed(client, requests, warmUp);
  const times = (await timed(client, requests, seconds)).toSorted((a, b) => a - b);
  const at = (p: number): number => times[Math.min(times.length - 1, Math.floor(p * times.length))];
  return {
    requestsPerSecond: ratePerSecond,
    requests: times.length,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
  };
}

async function timed(client: Client, requests: readonly Request[], seconds: number): Promise<number[]> {
  const count = Math.round(ratePerSecond * seconds);
  const start = performance.now();
  const times: Promise<number>[] = [];
  for (let i = 0; i < count; i++) {
    const wait = start + (i * 1000) / ratePerSecond - performance.now();
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait));
    const sent = performance.now();
    times.push(
      client.send(requests[i % requests.length]).then(answer => (check(answer.status), performance.now() - sent)),
    );
  }
  return Promise.all(times);
}

function check(status: number): void {
  if (status !== 200) throw new AnomalyClrError(`the server answered ${status}`);
}

/** Events per second of a call that scores one batch, several under way at a time. */
async function throughput(score: (i: number) => Promise<unknown>, seconds: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() - start < seconds * 1000) await score(calls++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (calls * batch * 1000) / (performance.now() - start);
}

const batchesOf = ({ objects, slots }: Events): Float32Array[] => {
  const size = batch * slots * 4;
  return Array.from({ length: Math.floor(objects.length / size) }, (_, i) =>
    objects.subarray(i * size, (i + 1) * size),
  );
};

function requestsOf(client: Client, events: Events): (i: number) => Promise<void> {
  const requests = batchesOf(events).map(objects => binaryRequest(objects, events.slots, outputs));
  return async i => check((await client.send(requests[i % requests.length])).status);
}

function runsOf(bundle: Bundle, events: Events): (i: number) => Promise<unknown> {
  const batches = batchesOf(events);
  return i => bundle.run(batches[i % batches.length], batch, events.slots);
}

function tell(
  { p50, p99, requests }: { p50: number; p99: number; requests: number },
  rates: { server: readonly number[]; session: readonly number[] },
  ratio: number,
): void {
  const told = (values: readonly number[]): string =>
    `${Math.round(median(values))} events/s (${Math.round(Math.min(...values))} at least)`;
  const ms = (value: number): string => `${value.toFixed(2)} ms`;
  process.stdout.write(
    [
      `one event, ${ratePerSecond} requests/s, ${requests} requests: p50 ${ms(p50)} (bar ${bars.p50}), p99 ${ms(p99)} (bar ${bars.p99})`,
      `batches of ${batch}: server ${told(rates.server)}, session ${told(rates.session)}: ${ratio.toFixed(3)} (bar ${bars.ratio})`,
      '',
    ].join('\n'),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  main().catch((error: unknown) => {
    process.stderr.write(`serve: ${error instanceof AnomalyClrError ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
