import { once } from 'node:events';
import net from 'node:net';
import { Readable } from 'node:stream';
import type { IncomingMessage } from 'node:http';
import type { Bundle, BundleOutputs } from '../../../../src/bundle/bundle.js';
import { cardSchema, crossedSizeOf } from '../../../../src/bundle/card.js';
import { parseOptions } from '../../../../src/config/parse.js';
import { Budget, readBody, Share } from '../../../../src/serve/body.js';
import { checkEvents } from '../../../../src/serve/check-events.js';
import { openLog } from '../../../../src/serve/log.js';
import { outputTensors } from '../../../../src/serve/protocol.js';
import { parseInfer, writeInfer } from '../../../../src/serve/protocol-binary.js';
import { Refusal } from '../../../../src/serve/refusal.js';
import { openServer } from '../../../../src/serve/server.js';
import { readBase } from '../bases.js';
import { Choices } from '../choices.js';
import { demand, Finding, nothingLeft, outcomes, refused } from '../oracle.js';

const card = cardSchema.parse(JSON.parse(readBase('card.json').toString()));
const tensors = outputTensors(card);
const maxEvents = 1000;
/** Bytes that a body may have, packed or not. */
const maxBytes = 200_000;

/** Zeros for every event. */
const bundle: Bundle = {
  file: 'fake.onnx',
  card,
  provider: 'cpu',
  sessions: 1,
  run: (_objects, events) => Promise.resolve(outputsOf(events)),
  dispose: () => Promise.resolve(),
};

function outputsOf(events: number): BundleOutputs {
  return {
    score: new Float32Array(events),
    representation: new Float32Array(events * card.representation.size),
    inDomain: new Uint8Array(events).fill(1),
    distance: new Float32Array(events),
    crossed: new Int32Array(events * crossedSizeOf(card.domain)),
  };
}

const failures: string[] = [];
const options = parseOptions('serve', { model: 'fake.onnx', port: '0', grace: '1', timeout: '5' });
const log = openLog({ logLevel: 'error', quiet: true }, { write: text => void failures.push(text) });
const server = await openServer(options, { open: () => Promise.resolve(bundle), version: '0.0.0', log });
const port = Number(new URL(server.url).port);

/**
 * Requests. Byte 0: 0 JSON, 1 JSON of a length (two bytes) and bytes behind it, 2 a body with a Content-Encoding,
 * 3 bytes on a connection of the server.
 */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.below(4);
  if (kind === 0) await answer(choices.rest(), undefined);
  else if (kind === 1) {
    const length = choices.place(2 ** 24);
    const text = choices.byte() & 1 ? String(length) : String(length % (choices.left + 2));
    await answer(choices.rest(), text);
  } else if (kind === 2) await packed(choices);
  else await connection(choices.rest());
  nothingLeft();
}

/** What the route does but for the model. */
async function answer(body: Buffer, headerLength: string | undefined): Promise<void> {
  try {
    const request = parseInfer(body, headerLength, tensors, maxEvents);
    demand(request.objects.length === request.events * request.slots * 4, 'other objects');
    demand(request.events <= maxEvents, 'too many events');
    checkEvents(request.objects, request.slots, card.domain.data);
    demand(request.objects.every(Number.isFinite), 'numbers that are none');
    const { body: reply, headerLength: length } = writeInfer(request, outputsOf(request.events), {
      name: 'a',
      version: '1',
    });
    JSON.parse(reply.toString('utf8', 0, length ?? reply.length));
    outcomes.read += 1;
  } catch (error) {
    mustRefuse(error);
  }
}

function mustRefuse(error: unknown): void {
  if (error instanceof Finding) throw error;
  if (!(error instanceof Refusal)) refused(error); // is a finding, or an error of ours that should have been a refusal
  outcomes.refused += 1;
  demand(error instanceof Refusal && error.status >= 400 && error.status <= 503 && error.status !== 500, String(error));
}

async function packed(choices: Choices): Promise<void> {
  const encoding = ['gzip', 'deflate', 'identity', 'GZIP ', 'br', ''][choices.below(6)];
  const declared = choices.byte();
  const parts = 1 + choices.below(3);
  const bytes = choices.rest();
  const headers = { 'content-encoding': encoding, ...(declared & 1 ? { 'content-length': String(bytes.length) } : {}) };
  const size = Math.ceil(bytes.length / parts);
  const pieces = Array.from({ length: parts }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
  const request = Object.assign(
    Readable.from(
      pieces.filter(piece => piece.length > 0),
      { objectMode: false },
    ),
    { headers },
  );
  const budget = new Budget(1e6);
  const share = new Share(budget);
  try {
    const body = await readBody(request as unknown as IncomingMessage, share, { maxBytes, timeout: 1000 });
    demand(body.length <= Math.max(maxBytes, bytes.length), `${body.length} bytes unpacked`);
    await answer(body, undefined);
  } catch (error) {
    mustRefuse(error);
  } finally {
    share.release();
    budget.take(1e6); // all that was taken is given back
  }
}

/** Whatever comes, the answer is no failure of the server, and it goes on. */
async function connection(bytes: Buffer): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  const got: Buffer[] = [];
  socket.on('data', part => got.push(part)).on('error', () => undefined);
  socket.end(bytes);
  await once(socket, 'close');
  const text = Buffer.concat(got).toString('latin1');
  demand(!/^HTTP\/1\.1 5(?!03)/m.test(text), text.slice(0, 500));
  demand(failures.length === 0, failures.join(''));
}
