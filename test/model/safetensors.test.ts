import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { AnomalyClrError } from '../../src/errors.js';
import { readSafetensors, writeSafetensors, type Tensor } from '../../src/model/safetensors.js';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const every: Record<string, Tensor> = {
  f64: { dtype: 'F64', shape: [2], data: Float64Array.of(Math.PI, -0) },
  weight: { dtype: 'F32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, Infinity) },
  half: { dtype: 'F16', shape: [3], data: Uint16Array.of(0x3c00, 0x4000, 0x7e00) },
  brain: { dtype: 'BF16', shape: [1, 1], data: Uint16Array.of(0x3f80) },
  ids: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 7n) },
  step: { dtype: 'I32', shape: [], data: Int32Array.of(-5) },
  bytes: { dtype: 'U8', shape: [5], data: Uint8Array.of(0, 1, 2, 3, 255) },
  empty: { dtype: 'F32', shape: [0, 4], data: new Float32Array(0) },
  'name "with" ünicode\n': { dtype: 'BOOL', shape: [1], data: Uint8Array.of(1) },
};

/** A file with this header, as text or value, and `data` bytes of zeros after it. */
function craft(header: unknown, data = 0, extra: { length?: bigint } = {}): string {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(extra.length ?? BigInt(json.length));
  const path = join(dir, 'crafted.safetensors');
  writeFileSync(path, Buffer.concat([length, json, Buffer.alloc(data)]));
  return path;
}

const f32 = (begin: number, end: number, shape = [(end - begin) / 4]): unknown => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});

test('every element type, shape and name comes back, with metadata', async () => {
  const path = join(dir, 'a.safetensors');
  const metadata = { epoch: '3', note: 'ü "x"' };
  await writeSafetensors(path, every, metadata);
  const back = await readSafetensors(path);
  expect(back.metadata).toEqual(metadata);
  expect(Object.fromEntries(back.tensors)).toEqual(every);
});

test('bytes depend on the contents alone, data is aligned, and a view of a larger buffer is written as itself', async () => {
  const [a, b] = [join(dir, 'a.safetensors'), join(dir, 'b.safetensors')];
  await writeSafetensors(a, every);
  await writeSafetensors(b, new Map(Object.entries(every).toReversed()));
  expect(readFileSync(b)).toEqual(readFileSync(a));
  expect(readFileSync(a).readBigUInt64LE() % 8n).toBe(0n);

  const view = Float32Array.of(9, 1, 2, 9).subarray(1, 3);
  await writeSafetensors(a, { view: { dtype: 'F32', shape: [2], data: view } });
  expect((await readSafetensors(a)).tensors.get('view')?.data).toEqual(Float32Array.of(1, 2));
});

test('random tensors come back bit for bit', async () => {
  const path = join(dir, 'random.safetensors');
  const tensor = fc
    .float32Array({ maxLength: 50 })
    .map((data): Tensor => ({ dtype: 'F32', shape: [data.length], data }));
  const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter(n => n !== '__metadata__');
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.tuple(name, tensor), { selector: ([n]) => n, maxLength: 6 }), async entries => {
      await writeSafetensors(path, new Map(entries));
      const { tensors } = await readSafetensors(path);
      expect(tensors.size).toBe(entries.length);
      for (const [name, one] of entries) expect(tensors.get(name)).toEqual(one);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test.each([
  ['too short', () => craft('', 0).replace('crafted', 'short'), /too few/],
  ['header past the end', () => craft('{}', 0, { length: 3n }), /a header of 3 bytes in a file of 10/],
  ['enormous header', () => craft('{}', 0, { length: 2n ** 63n }), /a header of/],
  ['not JSON', () => craft('{"a":'), /not JSON/],
  ['byte order mark', () => craft('\ufeff{}'), /not JSON/],
  ['a list', () => craft('[]'), /not an object/],
  [
    'metadata not text',
    () => craft({ __metadata__: { a: 1 } }),
    /metadata: a: expected string, received number, got 1/,
  ],
  ['unknown type', () => craft({ w: { dtype: 'F31', shape: [1], data_offsets: [0, 4] } }, 4), /"w": dtype.*got "F31"/],
  ['missing shape', () => craft({ w: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /"w": shape/],
  ['negative size', () => craft({ w: f32(0, 4, [-1]) }, 4), /"w": shape.0/],
  ['fraction', () => craft({ w: f32(0, 4, [0.5]) }, 4), /"w": shape.0/],
  ['overflowing shape', () => craft({ w: f32(0, 0, [2 ** 52, 2 ** 52, 2 ** 52]) }), /do not fit F32/],
  ['end before begin', () => craft({ w: f32(8, 4, [1]) }, 8), /-4 bytes do not fit/],
  ['wrong length', () => craft({ w: f32(0, 8, [3]) }, 8), /8 bytes do not fit F32 \[3\]/],
  ['hole', () => craft({ a: f32(0, 4), b: f32(8, 12) }, 12), /"b": data begins at byte 8, expected 4/],
  ['overlap', () => craft({ a: f32(0, 8), b: f32(4, 12) }, 12), /"b": data begins at byte 4, expected 8/],
  ['truncated data', () => craft({ w: f32(0, 8) }, 7), /truncated/],
  ['trailing bytes', () => craft({ w: f32(0, 8) }, 9), /1 bytes after the last tensor/],
  [
    'duplicate name',
    () => craft(`{"w":${JSON.stringify(f32(0, 0))}, "\\u0077":${JSON.stringify(f32(0, 0))}}`),
    /"w" twice/,
  ],
  ['extra key', () => craft({ w: { ...(f32(0, 4) as object), more: 1 } }, 4), /"w": unrecognized key/],
])('refuses a file with %s', async (_, make, message) => {
  const path = make();
  if (path.endsWith('short.safetensors')) writeFileSync(path, 'short');
  const error: unknown = await readSafetensors(path).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(AnomalyClrError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toContain(path);
  expect((error as Error).message).not.toContain('\n');
});

test('a missing file and data that does not fit are named, and nothing is left behind', async () => {
  const gone = join(dir, 'gone.safetensors');
  await expect(readSafetensors(gone)).rejects.toThrow(`${gone}: no such file`);
  const before = readdirSync(dir);
  const bad = { w: { dtype: 'F32', shape: [3], data: new Float32Array(2) } } as const;
  await expect(writeSafetensors(gone, bad)).rejects.toThrow('tensor "w" of 2 elements does not fit F32 [3]');
  const kind = { w: { dtype: 'F32', shape: [2], data: new Int32Array(2) } } as const;
  await expect(writeSafetensors(gone, kind)).rejects.toThrow('does not fit F32');
  await expect(writeSafetensors(gone, { __metadata__: every.step })).rejects.toThrow('__metadata__');
  expect(readdirSync(dir)).toEqual(before);
});

describe('whatever the bytes, the answer is tensors or an AnomalyClrError', () => {
  const tryRead = async (bytes: Uint8Array): Promise<void> => {
    const path = join(dir, 'fuzz.safetensors');
    writeFileSync(path, bytes);
    const outcome: unknown = await readSafetensors(path).catch((error: unknown) => error);
    if (outcome instanceof Error) expect(outcome).toBeInstanceOf(AnomalyClrError);
    else expect(outcome).toHaveProperty('tensors');
  };

  test('random bytes', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), tryRead), { seed: 1, numRuns: 300 });
  });

  test('random JSON under a right length', async () => {
    const key = fc.constantFrom('dtype', 'shape', 'data_offsets', '__metadata__', '__proto__', 'w');
    const leaf = fc.oneof(fc.constantFrom('F32', 'U8', 0, 4, -1, 2 ** 53, null), fc.double(), fc.string());
    const { tree } = fc.letrec(tie => ({
      tree: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('tree')), fc.dictionary(key, tie('tree'))),
    }));
    await fc.assert(
      fc.asyncProperty(tree, fc.nat({ max: 8 }), async (header, data) => tryRead(readFileSync(craft(header, data)))),
      { seed: 1, numRuns: 1000 },
    );
  });

  test('a valid file with bytes changed, cut or added', async () => {
    const path = join(dir, 'valid.safetensors');
    await writeSafetensors(path, every, { a: 'b' });
    const valid = readFileSync(path);
    const change = fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 }));
    const length = fc.oneof(fc.constant(valid.length), fc.nat({ max: valid.length + 8 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 4 }), length, async (changes, size) => {
        const bytes = Buffer.alloc(size);
        valid.copy(bytes);
        for (const [at, value] of changes) if (at < size) bytes[at] = value;
        await tryRead(bytes);
      }),
      { seed: 1, numRuns: 1500 },
    );
  });
});
