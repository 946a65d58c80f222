import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openEvents } from '../../../src/read/index.js';
import { python } from '../../support/python.js';
import { expectSame, paddedEvents, particles, temporaryFolder, writeRaw } from '../craft.js';
import { cacheIn, onlyCopy, packFile, readThrough } from './support.js';

const at = temporaryFolder();
const file = at('events.h5');
const events = 20_000;

beforeAll(async () => {
  const values = paddedEvents(events);
  for (const e of [3, 10_000, 19_999]) values[e * 76] = NaN;
  const data = BigInt64Array.from({ length: events }, (_, e) => BigInt(e) ** 3n);
  await writeRaw(file, { Particles: { ...particles(values), gzip: 1, chunks: [4096, 19, 4] }, EvtId: { data } });
});

const script = fileURLToPath(new URL('make-copy.ts', import.meta.url));

/** Another process that makes a copy. */
function make(folder: string): { child: ChildProcess; said: () => string; end: Promise<unknown> } {
  const args = ['--import', 'tsx', script, file, folder];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout?.on('data', (text: Buffer) => (said += text.toString()));
  return { child, said: () => said, end: new Promise(resolve => child.on('close', resolve)) };
}

const suffixes = (folder: string) =>
  readdirSync(folder)
    .map(name => path.extname(name))
    .toSorted();

async function expectGood(folder: string): Promise<void> {
  const use = cacheIn(folder, { write: false });
  const copy = await openEvents(file, { cache: use });
  expect(copy.constructor.name).toBe('CachedEvents');
  const [got, expected] = [await readThrough(copy, 8192), await readThrough(await openEvents(file), 8192)];
  expectSame(got.batch, expected.batch);
  expect(got.problems).toEqual(expected.problems);
  expect(use.warnings).toEqual([]);
}

test('two processes that make the same copy at once', async () => {
  const folder = at('two');
  const both = [make(folder), make(folder)];
  await Promise.all(both.map(({ end }) => end));
  expect(both.map(({ said }) => said())).toEqual(['done\n', 'done\n']);
  onlyCopy(folder);
  await expectGood(folder);
});

test('a copy that another process is making is left to it', async () => {
  const folder = at('busy');
  const use = cacheIn(folder);
  const name = path.basename(await packFile(file, at('name')));
  mkdirSync(folder);
  const other = path.join(folder, `${name}.${process.ppid}-0123abcd.tmp`);
  writeFileSync(other, 'half');
  await readThrough(await openEvents(file, { cache: use }), 8192);
  expect(suffixes(folder)).toEqual(['.tmp']);
  utimesSync(other, 1e9, Date.now() / 1000 - 600);
  await readThrough(await openEvents(file, { cache: use }), 8192);
  expect(suffixes(folder)).toEqual(['.arrow', '.tmp']);
  expect(use.warnings).toEqual([]);
});

test('where nothing can be written, one line says so and all is read', async () => {
  writeFileSync(at('a-file'), '');
  const use = cacheIn(path.join(at('a-file'), 'cache'));
  for (let round = 0; round < 2; round++)
    expect((await readThrough(await openEvents(file, { cache: use }), 8192)).batch.count).toBe(events - 3);
  expect(use.warnings).toEqual([
    `${use.folder}: no packed copy of events.h5 is kept there (a part of this path is not a folder)`,
  ]);
});

const reader = `
import json, sys
import awkward as ak, numpy as np, pyarrow as pa
table = pa.ipc.open_file(pa.memory_map(sys.argv[1])).read_all()
table.validate(full=True)
events = ak.from_arrow(table)
objects = events.objects
print(json.dumps({
    "type": str(table.schema.field("objects").type),
    "rows": len(events), "objects": int(ak.sum(ak.num(objects))),
    "pt": float(np.sum(ak.to_numpy(ak.flatten(objects.pt)).astype(np.float64))),
    "eta": float(np.sum(ak.to_numpy(ak.flatten(objects.eta)).astype(np.float64))),
    "phi": float(np.sum(ak.to_numpy(ak.flatten(objects.phi)).astype(np.float64))),
    "kinds": np.bincount(ak.to_numpy(ak.flatten(objects.kind)), minlength=6).tolist(),
    "ids": [str(i) for i in events.EvtId[[0, 1, 15000]].to_list()],
    "last": objects.pt[-2].to_list(),
    "status": np.bincount(ak.to_numpy(events.status)).tolist(),
    "problems": [p for p in events.problem.to_list() if p is not None],
}))
`;

const hasPython = python(['-c', 'import awkward, pyarrow']) !== undefined;
(hasPython ? test : test.skip)(
  'pyarrow and awkward open a copy and see the same (needs them in ANOMALYCLR_PYTHON)',
  async () => {
    const copy = await packFile(file, at('python'));
    const { batch, problems } = await readThrough(await openEvents(file), 8192);
    const sum = (column: Float32Array) => column.reduce((total, value) => total + value, 0);
    const kinds = [0, 0, 0, 0, 0, 0];
    for (const kind of batch.kind) kinds[kind]++;
    const close = (value: number): unknown => expect.closeTo(value, 3);
    expect(JSON.parse(python(['-c', reader, copy]) ?? '{}')).toEqual({
      type: 'list<item: struct<pt: float not null, eta: float not null, phi: float not null, kind: uint8 not null> not null>',
      rows: events,
      objects: batch.pt.length,
      pt: close(sum(batch.pt)),
      eta: close(sum(batch.eta)),
      phi: close(sum(batch.phi)),
      kinds,
      ids: ['0', '1', '3375000000000'],
      last: Array.from(batch.pt.slice(-4)),
      status: [events - 3, 3],
      problems: problems.map(({ message }) => message),
    });
  },
);
