import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AnomalyClrError } from '../../src/errors.js';
import { countEvents, readAll } from '../../src/read/index.js';
import { type Raw, collect, paddedEvents, particles, temporaryFolder, writeRaw } from './craft.js';

const at = temporaryFolder();
const bad = 5;

/** Six events of which event 5 has `values` put at `slot`. */
async function withSlot(slot: number, values: number[], type: 'f32' | 'f64' = 'f64'): Promise<string> {
  const all = paddedEvents(bad + 2);
  all.set(values, bad * 76 + slot * 4);
  const file = at('bad.h5');
  await writeRaw(file, { Particles: particles(type === 'f64' ? all : Float32Array.from(all)) });
  return file;
}

describe('a bad event is named', () => {
  test.each<[string, number, number[], RegExp]>([
    ['NaN pT', 0, [NaN, 0, 0, 1], /slot 0 \(met\): pT is NaN/],
    ['NaN eta', 9, [120, NaN, 0, 4], /slot 9 \(jet\): eta is NaN/],
    ['infinite phi', 1, [25, 0, -Infinity, 2], /slot 1 \(electron\): phi is -Infinity/],
    ['NaN class', 5, [25, 0, 0, NaN], /slot 5 \(muon\): class is NaN, expected 3 or 0/],
    ['class of another slot', 9, [120, 0, 0, 2], /slot 9 \(jet\): class is 2, expected 4 or 0/],
    ['fractional class', 9, [120, 0, 0, 3.999], /class is 3\.99/],
    ['class 0 with pT', 12, [12, 0, 0, 0], /slot 12 \(jet\): class is 0 \(empty\), but pT, eta, phi are 12, 0, 0/],
    ['class 0 with phi', 12, [0, 0, 1, 0], /class is 0 \(empty\)/],
    ['an object without pT', 5, [0, 0, 1, 3], /slot 5 \(muon\): pT is 0 GeV, expected above 0/],
    ['negative pT', 1, [-3, 0, 0, 2], /pT is -3 GeV/],
    ['negative MET', 0, [-1, 0, 0, 1], /slot 0 \(met\): pT is -1 GeV, expected 0 or more/],
    ['pT of 14 TeV', 9, [14000, 0, 0, 4], /pT is 14000 GeV, expected below 14000/],
    ['eta of MET', 0, [30, 0.5, 0, 1], /slot 0 \(met\): eta is 0.5, expected 0/],
    ['large eta', 9, [120, -10.5, 0, 4], /eta is -10.5, expected within ±10/],
    ['large phi', 9, [120, 0, 3.5, 4], /phi is 3.5, expected within ±pi/],
    ['rising pT', 11, [60, 0, 0, 4], /slot 11 \(jet\): pT is 60 GeV, above the 50 GeV before it/],
  ])('%s', async (_, slot, values, message) => {
    for (const type of ['f32', 'f64'] as const) {
      const file = await withSlot(slot, values, type);
      const error = await failure(collect(file));
      expect(error.message).toMatch(message);
      expect(error.message.startsWith(`${file}: event ${bad}, slot ${slot} `)).toBe(true);
      expect(error.message).toMatch(/; fix the file or use --on-bad-event skip$/);
      const { all, skipped } = await collect(file, { onBadEvent: 'skip' });
      expect(Array.from(all.rows)).toEqual([0, 1, 2, 3, 4, 6]);
      expect(Array.from(all.offsets)).toEqual([0, 4, 8, 12, 16, 20, 24]);
      expect(skipped).toEqual([error.message.replace('; fix the file or use --on-bad-event skip', '')]);
    }
  });

  test.each([
    ['pT too large for float32', 9, [1e300, 0, 0, 4], /pT is 1e\+300 GeV/],
    ['pT too small for float32', 1, [1e-60, 0, 0, 2], /pT is 1e-60 GeV, expected above 0/],
    ['eta too large for float32', 9, [120, 1e39, 0, 4], /eta is 1e\+39/],
  ])('%s', async (_, slot, values, message) => {
    await expect(collect(await withSlot(slot, values))).rejects.toThrow(message);
  });
});

describe('these are no errors', () => {
  test('a hole among the jets, an event without objects, MET of 0, equal pT', async () => {
    const values = paddedEvents(3);
    values.fill(0, 9 * 4, 10 * 4); // event 0: slot 9 empty, slot 10 a jet
    values.fill(0, 76, 2 * 76); // event 1: nothing
    values.set([0, 0, 0, 1], 2 * 76);
    values.set([50, 0, 0, 4], 2 * 76 + 11 * 4); // as slot 10
    const file = at('odd.h5');
    await writeRaw(file, { Particles: particles(values) });
    const { all } = await collect(file);
    expect(Array.from(all.offsets)).toEqual([0, 3, 3, 8]);
    expect(Array.from(all.pt)).toEqual([20, 30, 50, 0, 30.125, values[2 * 76 + 36], 50, 50].map(Math.fround));
  });

  test('phi a little beyond pi, which is clipped', async () => {
    const { all } = await collect(await withSlot(9, [120, 0, Math.PI + 9e-5, 4]));
    expect(Math.max(...all.phi)).toBe(Math.fround(Math.PI));
    await expect(collect(await withSlot(9, [120, 0, -Math.PI - 2e-4, 4]))).rejects.toThrow(/phi is -3.1417/);
  });
});

test('skipped events are counted, ids and rows of the others kept', async () => {
  const events = 20000;
  const values = paddedEvents(events);
  const broken = [0, 3, 8191, 8192, 15000, events - 1];
  for (const e of broken) values[e * 76 + 36] = NaN;
  const file = at('many.h5');
  const ids = BigInt64Array.from({ length: events }, (_, e) => BigInt(e * 3));
  await writeRaw(file, { Particles: { ...particles(values), chunks: [100, 19, 4] }, EvtId: { data: ids } });
  const messages: string[] = [];
  const { batch, skipped } = await readAll([file], {
    onBadEvent: 'skip',
    onSkip: message => void messages.push(message),
  });
  expect(skipped).toBe(broken.length);
  expect(messages.map(message => Number(/event (\d+)/.exec(message)?.[1]))).toEqual(broken);
  const kept = Array.from({ length: events }, (_, e) => e).filter(e => !broken.includes(e));
  expect(Array.from(batch.rows)).toEqual(kept);
  expect(batch.eventIds).toEqual(BigInt64Array.from(kept, e => BigInt(e * 3)));
  expect(await countEvents(file)).toBe(events);
});

test('a file without events is read as nothing', async () => {
  const file = at('empty.h5');
  await writeRaw(file, { Particles: particles(new Float32Array(0), 0) });
  expect(await countEvents(file)).toBe(0);
  expect((await collect(file)).sizes).toEqual([]);
});

describe('a file that holds no events is refused', () => {
  const ints = { data: new Int32Array(76), shape: [1, 19, 4] };
  test.each<[string, Record<string, Raw>, RegExp]>([
    ['no Particles', { Jets: ints }, /no dataset Particles \(at its top: "Jets"\)/],
    ['integers', { Particles: ints }, /Particles holds int32, expected float32 or float64/],
    [
      'strings',
      { Particles: { data: Array<string>(76).fill('1'), shape: [1, 19, 4], dtype: 'S1' } },
      /Particles holds other/,
    ],
    [
      '18 slots',
      { Particles: { data: new Float32Array(72), shape: [1, 18, 4] } },
      /shape \(1, 18, 4\), expected \(events, 19, 4\)/,
    ],
    ['two axes', { Particles: { data: new Float32Array(76), shape: [1, 76] } }, /shape \(1, 76\)/],
    ['four axes', { Particles: { data: new Float32Array(76), shape: [1, 19, 4, 1] } }, /shape \(1, 19, 4, 1\)/],
    [
      'short EvtId',
      { Particles: particles(paddedEvents(3)), EvtId: { data: BigInt64Array.of(1n) } },
      /EvtId has shape \(1\), expected \(3\)/,
    ],
    [
      'fractional EvtId',
      { Particles: particles(paddedEvents(1)), EvtId: { data: Float64Array.of(1) } },
      /EvtId holds float64, expected int64/,
    ],
  ])('%s', async (_, datasets, message) => {
    const file = at('wrong.h5');
    await writeRaw(file, datasets);
    const error = await failure(collect(file));
    expect(error.message).toMatch(message);
    expect(error.message.startsWith(file)).toBe(true);
  });

  test('missing, folder, text, unknown suffix, nothing, only a signature', async () => {
    expect((await failure(collect(at('none.h5')))).message).toBe(`${at('none.h5')}: no such file`);
    mkdirSync(at('folder.h5'));
    expect((await failure(countEvents(at('folder.h5')))).message).toMatch(/is a folder or a device/);
    writeFileSync(at('text.h5'), 'pt,eta,phi\n'.repeat(1000));
    expect((await failure(countEvents(at('text.h5')))).message).toMatch(/text\.h5: is not HDF5/);
    writeFileSync(at('text.dat'), 'text');
    expect((await failure(countEvents(at('text.dat')))).message).toMatch(
      /what can be read: HDF5 \(\.h5, \.hdf5\); ROOT/,
    );
    writeFileSync(at('text.npz'), 'text');
    expect((await failure(countEvents(at('text.npz')))).message).toMatch(/text\.npz: is not NumPy/);
    writeFileSync(at('nothing.h5'), '');
    expect((await failure(countEvents(at('nothing.h5')))).message).toMatch(/is not HDF5/);
    writeFileSync(at('signature.h5'), Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'));
    expect((await failure(countEvents(at('signature.h5')))).message).toMatch(/cannot be opened .* the file is damaged/);
  });

  test('a size that the file cannot hold', async () => {
    const file = at('huge.h5');
    await writeRaw(file, { Particles: { ...particles(paddedEvents(50)), chunks: [10, 19, 4] } });
    const bytes = readFileSync(file);
    const shape = Buffer.from(BigUint64Array.of(50n, 19n, 4n).buffer);
    expect(bytes.indexOf(shape)).toBeGreaterThan(0);
    // Version 1 headers have no checksum; newer ones do, and then the damage shows as such.
    for (let i = bytes.indexOf(shape); i >= 0; i = bytes.indexOf(shape, i + 1)) bytes.writeBigUInt64LE(2n ** 40n, i);
    writeFileSync(file, bytes);
    expect((await failure(collect(file))).message).toMatch(/the file is damaged/);
  });

  test('a file cut short, whose name and rows are told', async () => {
    const file = at('cut.h5');
    await writeRaw(file, { Particles: { ...particles(paddedEvents(20000)), chunks: [1000, 19, 4], gzip: 1 } });
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, bytes.length - 1000));
    const { message } = await failure(collect(file));
    expect(message).toContain(path.basename(file));
    expect(message).toMatch(/the file is damaged/);
  });
});

async function failure(work: Promise<unknown>): Promise<AnomalyClrError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AnomalyClrError);
  const { message } = error as AnomalyClrError;
  expect(message).not.toContain('\n');
  return error as AnomalyClrError;
}
