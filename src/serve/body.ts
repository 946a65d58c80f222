import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { deflate, gunzip, gzip, inflate } from 'node:zlib';
import { badRequest, Refusal } from './refusal.js';

const unpackers = { gzip: promisify(gunzip), deflate: promisify(inflate) };
const packers = { gzip: promisify(gzip), deflate: promisify(deflate) };
type Encoding = keyof typeof packers;

/** Answers below this many bytes are not worth packing. */
const leastPacked = 1024;

/** Memory that requests hold together, from their first byte to the last byte of their answers. */
export class Budget {
  private held = 0;

  /** @param limit - bytes */
  constructor(private readonly limit: number) {}

  /** @throws Refusal (503) where it is used up */
  take(bytes: number): void {
    if (this.held + bytes > this.limit)
      throw new Refusal(503, 'memory', `${this.held} bytes of requests and answers are held; try again`, 1);
    this.held += bytes;
  }

  /** Takes memory that is in use already; what comes after has to wait for it. */
  force(bytes: number): void {
    this.held += bytes;
  }

  give(bytes: number): void {
    this.held -= bytes;
  }
}

/** A request's share of the budget. */
export class Share {
  private bytes = 0;

  constructor(private readonly budget: Budget) {}

  take(bytes: number): void {
    this.budget.take(bytes);
    this.bytes += bytes;
  }

  force(bytes: number): void {
    this.budget.force(bytes);
    this.bytes += bytes;
  }

  release(): void {
    this.budget.give(this.bytes);
    this.bytes = 0;
  }
}

export interface BodyLimits {
  /** Bytes, packed or not. */
  readonly maxBytes: number;
  /** ms until the last byte. */
  readonly timeout: number;
}

/**
 * Reads the body of a request, and unpacks it.
 *
 * @param aligned - the byte of the body that is to lie at a multiple of 4 in memory, where it is not packed
 * @throws Refusal: 413 above the limit, 408 where it does not arrive in time, 503 where memory is used up, 415 or 400
 * where it can't be unpacked
 */
export async function readBody(
  request: IncomingMessage,
  share: Share,
  limits: BodyLimits,
  aligned = 0,
): Promise<Buffer> {
  const encoding = encodingOf(request);
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limits.maxBytes) throw tooLarge(limits.maxBytes);
  share.take(declared);
  if (declared > 0) {
    const shift = (4 - (aligned % 4)) % 4;
    // memory of its own and not of a pool, whose start lies anywhere; nothing of it is used before bytes arrive
    const body = Buffer.allocUnsafeSlow(declared + shift).subarray(shift);
    let bytes = 0;
    await receive(request, limits.timeout, part => void (bytes += part.copy(body, bytes)));
    return encoding ? unpack(body, encoding, share, limits.maxBytes) : body;
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  await receive(request, limits.timeout, part => {
    bytes += part.length;
    if (bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
    share.take(part.length);
    parts.push(part);
  });
  const body = Buffer.concat(parts, bytes);
  return encoding ? unpack(body, encoding, share, limits.maxBytes) : body;
}

function encodingOf(request: IncomingMessage): Encoding | undefined {
  const name = request.headers['content-encoding']?.toLowerCase().trim() ?? 'identity';
  if (name === 'identity' || name === '') return undefined;
  if (name !== 'gzip' && name !== 'deflate')
    throw new Refusal(415, 'bad-request', `Content-Encoding is ${name.slice(0, 40)}, expected gzip, deflate or none`);
  return name;
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, 'too-large', `the body is larger than the ${maxBytes / 1e6} MB that are taken`);
}

/** Hands over what arrives, to the end; what `take` throws ends it. */
function receive(request: IncomingMessage, timeout: number, take: (part: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (error?: Error): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      if (!error) return resolve();
      request.resume(); // what still comes is dropped, or its sender could not read the answer
      reject(error);
    };
    const onData = (part: Buffer): void => {
      try {
        take(part);
      } catch (error) {
        end(error as Error);
      }
    };
    const onEnd = (): void => end();
    const onClose = (): void => end(badRequest('the request broke off before its end'));
    const late = `the request did not arrive within ${timeout / 1000} s`;
    const timer = setTimeout(() => end(new Refusal(408, 'timeout', late)), timeout);
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

async function unpack(body: Buffer, encoding: Encoding, share: Share, maxBytes: number): Promise<Buffer> {
  try {
    const unpacked = await unpackers[encoding](body, { maxOutputLength: maxBytes });
    share.take(unpacked.length);
    return unpacked;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw badRequest(`the body is not valid ${encoding}: ${(error as Error).message}`);
  }
}

/** Packs an answer where its client asks for it; the second is its Content-Encoding. */
export async function pack(body: Buffer, accepted: string | undefined): Promise<[Buffer, Encoding | undefined]> {
  if (accepted === undefined || body.length < leastPacked) return [body, undefined];
  const wanted = accepted
    .toLowerCase()
    .split(',')
    .map(part => part.trim().split(/\s*;\s*q=/))
    .filter(([, weight]) => weight === undefined || Number(weight) > 0)
    .map(([name]) => name);
  const encoding = (['gzip', 'deflate'] as const).find(name => wanted.includes(name));
  return encoding ? [await packers[encoding](body, { level: 1 }), encoding] : [body, undefined];
}
