import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bundle, BundleOutputs } from '../../src/bundle/bundle.js';
import { type Card, crossedSizeOf } from '../../src/bundle/card.js';
import { parseOptions } from '../../src/config/parse.js';
import { type Domain, DomainBuilder } from '../../src/events/domain.js';
import { Kind } from '../../src/events/objects.js';
import { readAll } from '../../src/read/index.js';
import { openLog } from '../../src/serve/log.js';
import { openServer, type RunningServer } from '../../src/serve/server.js';
import { bareCard } from '../support/card.js';
import { sample } from '../support/cli.js';

export { sleep };

const crossedSize = crossedSizeOf({});
let domain: Promise<Domain> | undefined;

/** A valid card, with the domain of 1,000 sample events. */
export async function testCard(part: Card['part'] = 'scorer'): Promise<Card> {
  domain ??= readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 1000 }).then(({ batch }) => {
    const builder = new DomainBuilder();
    builder.add(batch);
    return builder.build();
  });
  return bareCard(await domain, { part });
}

/** A bundle whose runs wait for the test where it asks for that. */
export class FakeBundle implements Bundle {
  readonly file = 'fake.onnx';
  readonly provider = 'cpu';
  /** Events and slots of each run so far. */
  readonly runs: { events: number; slots: number }[] = [];
  disposed = false;
  running = 0;
  private open: (() => void)[] | undefined;

  /** @param offset - added to every score, to tell bundles apart */
  constructor(
    readonly card: Card,
    readonly sessions = 1,
    readonly offset = 0,
  ) {}

  /** Runs wait until {@link release}. */
  hold(): void {
    this.open ??= [];
  }

  release(): void {
    const waiting = this.open ?? [];
    this.open = undefined;
    for (const go of waiting) go();
  }

  async run(objects: Float32Array, events: number, slots: number): Promise<BundleOutputs> {
    if (this.disposed) throw new Error('was closed');
    this.runs.push({ events, slots });
    this.running += 1;
    const outputs = fakeOutputs(objects, events, slots, this.offset, this.card.part === 'scorer');
    const { open } = this;
    await (open ? new Promise<void>(resolve => open.push(resolve)) : sleep(0));
    this.running -= 1;
    if (this.disposed) throw new Error('was closed during a run');
    return outputs;
  }

  dispose(): Promise<void> {
    this.disposed = true;
    return Promise.resolve();
  }
}

/** Score: offset + sum of pt + phi of its objects; the domain ends at pt 500 GeV. */
export function fakeOutputs(
  objects: Float32Array,
  events: number,
  slots: number,
  offset = 0,
  scored = true,
): BundleOutputs {
  const score = new Float32Array(events);
  const inside = new Uint8Array(events).fill(1);
  for (let e = 0; e < events; e++) {
    let sum = offset;
    for (let i = e * slots * 4; i < (e + 1) * slots * 4; i += 4) {
      sum += objects[i] + objects[i + 2];
      if (objects[i] > 500) inside[e] = 0;
    }
    score[e] = sum;
  }
  return {
    score: scored ? score : undefined,
    representation: Float32Array.from({ length: 2 * events }, (_, i) => (i % 2 === 0 ? 1 : -1) * score[i >> 1]),
    inDomain: inside,
    distance: Float32Array.from(inside, flag => (flag === 1 ? 0 : Infinity)),
    crossed: new Int32Array(events * crossedSize).map((_, i) => 1 - inside[Math.floor(i / crossedSize)]),
  };
}

/** Events of a MET and jets that all differ, with `slots` slots, the last of them empty. [events * slots * 4] */
export function someEvents(events: number, slots = 4, from = 0): Float32Array {
  const objects = new Float32Array(events * slots * 4);
  for (let e = 0; e < events; e++)
    for (let s = 0; s < Math.max(1, slots - 1); s++)
      objects.set(
        [20 + ((e + from) % 97) + s, s === 0 ? 0 : 0.5, 1, s === 0 ? Kind.met : Kind.jet],
        (e * slots + s) * 4,
      );
  return objects;
}

export type Line = { readonly level: string; readonly msg: string } & Record<string, unknown>;

export interface TestServer extends RunningServer {
  readonly lines: Line[];
}

/** A server in this process, on any free port; stopped by the test, or after it. */
export async function startServer(
  open: (file: string) => Promise<Bundle>,
  flags: Readonly<Record<string, string | boolean>> = {},
): Promise<TestServer> {
  const options = parseOptions('serve', { model: 'fake.onnx', port: '0', logLevel: 'debug', grace: '1', ...flags });
  const lines: Line[] = [];
  const log = openLog(options, { write: text => void lines.push(JSON.parse(text) as Line) });
  const server = await openServer(options, { open, version: '0.0.0', log });
  running.add(server);
  return {
    ...server,
    lines,
    stop: () => {
      running.delete(server);
      return server.stop();
    },
  };
}

const running = new Set<RunningServer>();
afterEach(async () => {
  const left = [...running];
  running.clear();
  await Promise.all(left.map(server => server.stop()));
});

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: Record<string, unknown>;
  readonly error: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer | string;
  readonly agent?: http.Agent;
  readonly signal?: AbortSignal;
  readonly ca?: string;
}

/** One request; a POST where it has a body. */
export function ask(server: { readonly url: string }, path: string, asked: Asked = {}): Promise<Reply> {
  const { body, method = body === undefined ? 'GET' : 'POST', headers = {}, agent, signal, ca } = asked;
  const url = new URL(server.url);
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const settings = { path, method, headers: { ...length, ...headers }, agent, signal, ca };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, settings, response => {
      const parts: Buffer[] = [];
      response
        .on('data', (part: Buffer) => parts.push(part))
        .on('error', reject)
        .on('end', () => resolve(replyOf(response, Buffer.concat(parts))));
    });
    request.on('error', reject).end(body);
  });
}

function replyOf(response: http.IncomingMessage, body: Buffer): Reply {
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    // bytes follow it, or it is a page
  }
  const { statusCode: status = 0, headers } = response;
  return { status, headers, body, json, error: String(json['error']) };
}

export const inferPath = '/v2/models/anomalyclr/infer';

/** The JSON of a request for these events. */
export function jsonBody(objects: Float32Array, slots: number, more: object = {}): string {
  const shape = [objects.length / slots / 4, slots, 4];
  return JSON.stringify({ inputs: [{ name: 'objects', datatype: 'FP32', shape, data: Array.from(objects) }], ...more });
}

/** The same with the numbers as bytes; all outputs come as bytes too unless `more` says otherwise. */
export function binaryAsk(
  objects: Float32Array,
  slots: number,
  more: object = {},
): { headers: Record<string, number>; body: Buffer } {
  const shape = [objects.length / slots / 4, slots, 4];
  const parameters = { binary_data_size: objects.byteLength };
  const json = JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: [{ name: 'objects', datatype: 'FP32', shape, parameters }],
    ...more,
  });
  const bytes = Buffer.from(objects.buffer, objects.byteOffset, objects.byteLength);
  return {
    headers: { 'inference-header-content-length': json.length },
    body: Buffer.concat([Buffer.from(json), bytes]),
  };
}

interface Output {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly parameters?: { readonly binary_data_size: number };
  readonly data?: readonly (number | boolean | null)[];
}

/** The outputs of an answer by name, and its JSON; of bytes their numbers. */
export function outputsOf({ headers, body }: Reply): {
  json: Record<string, unknown>;
  outputs: Record<string, Output>;
} {
  const length = Number(headers['inference-header-content-length'] ?? body.length);
  const json = JSON.parse(body.toString('utf8', 0, length)) as Record<string, unknown>;
  let at = length;
  const outputs = (json['outputs'] as Output[]).map(output => {
    const size = output.parameters?.binary_data_size;
    if (size === undefined) return [output.name, output] as const;
    const bytes = body.subarray(at, at + size);
    at += size;
    const read = {
      FP32: () => Array.from({ length: size / 4 }, (_, i) => bytes.readFloatLE(i * 4)),
      INT32: () => Array.from({ length: size / 4 }, (_, i) => bytes.readInt32LE(i * 4)),
      BOOL: () => Array.from(bytes, flag => flag === 1),
    }[output.datatype];
    return [output.name, { ...output, data: read!() }] as const;
  });
  if (at !== body.length) throw new Error(`the answer has ${body.length - at} bytes too many`);
  return { json, outputs: Object.fromEntries(outputs) };
}

export const scoresOf = (reply: Reply): readonly (number | boolean | null)[] => outputsOf(reply).outputs['score'].data!;
