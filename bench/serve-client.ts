import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import process from 'node:process';
import { packageRoot } from '../src/addon.js';
import { inputName } from '../src/bundle/card.js';
import { AnomalyClrError } from '../src/errors.js';

/** A server in a process of its own. */
export interface ServerProcess {
  readonly url: URL;
  readonly child: ChildProcess;
  /** Sends SIGTERM and waits; the exit code. */
  stop(): Promise<number | null>;
}

/** Starts `anomalyclr serve` on a free port and waits until it is ready. */
export async function startServer(bundle: string, ...flags: readonly string[]): Promise<ServerProcess> {
  const command = [path.join(packageRoot(), 'bin', 'anomalyclr.mjs'), 'serve', '--model', bundle, '--port', '0'];
  const child = spawn(process.execPath, [...command, '--log-level', 'warn', ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  const line = new Promise<string>(resolve => child.stdout.once('data', (text: Buffer) => resolve(text.toString())));
  const url = await Promise.race([line, ended]);
  if (typeof url !== 'string') throw new AnomalyClrError(`the server ended with exit code ${url} before it was ready`);
  return {
    url: new URL(url.trim()),
    child,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Request {
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer;
}

const lengthHeader = 'inference-header-content-length';

/** An inference request with its events as bytes behind the JSON. `objects` is [events, slots, 4]. */
export function binaryRequest(objects: Float32Array, slots: number, outputs: readonly string[]): Request {
  const shape = [objects.length / slots / 4, slots, 4];
  const json = JSON.stringify({
    inputs: [{ name: inputName, datatype: 'FP32', shape, parameters: { binary_data_size: objects.byteLength } }],
    outputs: outputs.map(name => ({ name, parameters: { binary_data: true } })),
  });
  const bytes = Buffer.from(objects.buffer, objects.byteOffset, objects.byteLength);
  const body = Buffer.concat([Buffer.from(json), bytes]);
  return { headers: { [lengthHeader]: json.length, 'content-length': body.length }, body };
}

/** The same in JSON alone. */
export function jsonRequest(objects: Float32Array, slots: number, outputs: readonly string[]): Request {
  const shape = [objects.length / slots / 4, slots, 4];
  const inputs = [{ name: inputName, datatype: 'FP32', shape, data: Array.from(objects) }];
  const body = Buffer.from(JSON.stringify({ inputs, outputs: outputs.map(name => ({ name })) }));
  return { headers: { 'content-type': 'application/json', 'content-length': body.length }, body };
}

/** The scores in an answer, whichever way they came; null where JSON has no number. */
export function scoresOf({ headers, body }: Answer): (number | null)[] {
  const length = headers[lengthHeader];
  const json = JSON.parse(body.toString('utf8', 0, length === undefined ? undefined : Number(length))) as {
    outputs: { name: string; data?: number[]; parameters?: { binary_data_size: number } }[];
  };
  let at = Number(length);
  for (const { name, data, parameters } of json.outputs) {
    const size = parameters?.binary_data_size ?? 0;
    if (name === 'score' && data) return data;
    if (name === 'score') return Array.from({ length: size / 4 }, (_, i) => body.readFloatLE(at + 4 * i));
    at += size;
  }
  throw new AnomalyClrError('the answer has no score');
}

/** Sends requests to one server over connections that stay open. */
export class Client {
  private readonly agent: http.Agent;

  constructor(
    private readonly url: URL,
    connections: number,
  ) {
    this.agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  }

  send({ headers, body }: Request, at = '/v2/models/anomalyclr/infer', method = 'POST'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.url;
      const request = http.request({ agent: this.agent, hostname, port, path: at, method, headers });
      request.on('response', response => {
        const parts: Buffer[] = [];
        response
          .on('data', (part: Buffer) => parts.push(part))
          .on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
          )
          .on('error', reject);
      });
      request.on('error', reject).end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
