import { existsSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/addon.js';
import { readScores } from '../../src/score/read-scores.js';
import { paddedEvents, particles, temporaryFolder, writeRaw } from '../read/craft.js';
import { runtimeInstalled, writeBundle } from '../support/bundle.js';
import { canMount, needsMount, SmallDisk } from './disk.js';
import { scoredPart, scoredRows, scoringProgram, writeScored } from './scoring-program.js';

// What only large inputs bring about in the command line, by the library: parts of scores, packed copies, rows in a file.

const at = temporaryFolder();
const data = [at('a.h5'), at('b.h5')] as const;
const library = pathToFileURL(`${packageRoot()}/dist/src`).href;
let disk: SmallDisk;

beforeAll(async () => {
  if (!canMount) return;
  await writeScored(data);
  disk = await SmallDisk.mount('size=6m,nr_inodes=60');
});
afterEach(() => disk?.empty());
afterAll(() => disk?.unmount());

/** Runs a program of the library inside. */
async function program(file: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await disk.start([process.execPath, file, ...args]).finished;
  return stdout + stderr;
}

/** A program of this text, which writes what it throws. */
function programOf(name: string, text: string): string {
  writeFileSync(at(name), `${text.replaceAll('LIBRARY', library)}`);
  return at(name);
}

const full = /^AnomalyClrError: \S*: no space left on the disk; make room and start again\n$/;
const parts = (): number =>
  existsSync(disk.at('s.h5.partial'))
    ? disk.files('s.h5.partial').filter(name => /^part-\d+\.bin$/.test(name)).length
    : 0;

needsMount(
  'score in parts: those that are whole stay, and it goes on from them, also where names run out',
  async () => {
    const scoring = scoringProgram(at('score.mjs'), data);
    const part = 16_384; // 13 kB, in pages
    const kept: number[] = [];
    for (const [i, free] of [4096, part * 4, part * 5].entries()) {
      disk.fill(free);
      expect([i, await program(scoring, disk.inside('s.h5'))]).toEqual([i, expect.stringMatching(full)]);
      expect(disk.files().filter(name => !/^s\.h5\.partial\/(part-\d+\.bin|manifest\.json)$/.test(name))).toEqual([]);
      kept.push(parts());
    }
    expect(kept[0]).toBe(0);
    expect(kept).toEqual(kept.toSorted((a, b) => a - b));
    disk.fill(1e6);
    const names = 60 - 4 - disk.files().length; // that are left, with the root, the filler and the folder
    for (let i = 0; i < names - 3; i++) writeFileSync(disk.at(`name-${i}`), '');
    expect(await program(scoring, disk.inside('s.h5'))).toMatch(full);
    expect(parts()).toBeGreaterThan(kept[2]);
    for (let i = 0; i < names - 3; i++) disk.remove(`name-${i}`);
    disk.fill(part * (scoredRows / scoredPart - parts()) + 20_000); // room for the parts, not for the file
    expect(await program(scoring, disk.inside('s.h5'))).toMatch(full);
    expect([parts(), existsSync(disk.at('s.h5'))]).toEqual([scoredRows / scoredPart, false]);
    disk.makeRoom();
    expect(JSON.parse(await program(scoring, disk.inside('s.h5')))).toMatchObject({
      events: scoredRows,
      resumed: scoredRows,
    });
    expect(disk.files()).toEqual(['s.h5']);
    await program(scoring, disk.inside('whole.h5'));
    expect(await readScores(disk.at('s.h5'))).toEqual(await readScores(disk.at('whole.h5')));
  },
);

needsMount.each(['.h5', '.csv', '.parquet'])('a score file %s of many blocks, at any of them', async suffix => {
  const writing = programOf(
    'write.mjs',
    `
import { writeFileSync, rmSync, statfsSync } from 'node:fs';
import { openScoreWriter } from 'LIBRARY/score/write-scores.js';
const [, , out, folder] = process.argv;
const filler = folder + '/filler';
const n = 50_000;
const score = Float32Array.from({ length: n }, () => Math.random());
const ids = BigInt64Array.from({ length: n }, (_, i) => BigInt(i));
for (let block = 0; block < 6; block++) {
  const writer = await openScoreWriter(out, { hasEventIds: true });
  try {
    for (let i = 0; i < 6; i++) {
      if (i === block) {
        const { bavail, bsize } = statfsSync(folder);
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - 8192 * block)));
      }
      await writer.write(score, new Uint8Array(n), ids);
    }
    await writer.close();
    console.log('written');
  } catch (error) {
    await writer.abort();
    console.log(error.name + ': ' + error.message);
  }
  rmSync(filler);
}
`,
  );
  const said = await program(writing, disk.inside(`s${suffix}`), disk.inside());
  const lines = said.match(/[^\n]*\n/g) ?? [];
  expect(lines).toHaveLength(6);
  for (const line of lines) expect(line).toMatch(full);
  expect(disk.files()).toEqual([]);
});

needsMount('a packed copy: a warning, and all is read from the source', async () => {
  const reading = programOf(
    'read.mjs',
    `
import { writeFileSync, statfsSync } from 'node:fs';
import { openEvents } from 'LIBRARY/read/index.js';
const [, , file, folder, room] = process.argv;
const cache = { folder, write: true, least: 0, warn: line => console.log(line) };
const source = await openEvents(file, { cache });
let events = 0;
for (let from = 0; from < source.events; from += 1000) {
  const { batch } = await source.read(from, Math.min(source.events, from + 1000));
  events += batch.count;
  if (from === 1000) {
    const { bavail, bsize } = statfsSync(folder);
    writeFileSync(folder + '/filler', Buffer.alloc(bavail * bsize - room));
  }
}
await source.close();
console.log(events);
`,
  );
  await writeRaw(at('small.h5'), { Particles: particles(Float32Array.from(paddedEvents(9000))) });
  for (const room of [0, 200_000, 480_000]) {
    const said = await program(reading, at('small.h5'), disk.inside(), String(room));
    expect([room, said]).toEqual([
      room,
      `${disk.inside()}: no packed copy of small.h5 is kept there (no space left on the disk)\n9000\n`,
    ]);
    expect(disk.files()).toEqual([]);
    disk.makeRoom();
  }
});

needsMount('rows of a representation that are kept in a file', async () => {
  const keeping = programOf(
    'keep.mjs',
    `
import { keptRows } from 'LIBRARY/train/rows.js';
const first = Int32Array.from({ length: 21 }, (_, i) => i * 1000);
const store = { first, count: 20_000, read: async stretch => stretch };
const make = async () => new Float32Array(1000 * 100);
try {
  await keptRows(store, 100, make, { memoryBytes: 1e6, folder: process.argv[2] });
} catch (error) {
  console.log(error.name + ': ' + error.message);
}
`,
  );
  expect(await program(keeping, disk.inside())).toMatch(full);
  expect(disk.files()).toEqual([]);
});

(runtimeInstalled ? needsMount : needsMount.skip)(
  'the log of a server: it goes on serving, and logs again when there is room',
  async () => {
    await writeBundle(at('b.onnx'));
    disk.fill(8192);
    const command = `exec "${process.execPath}" "${packageRoot()}/bin/anomalyclr.mjs" serve --model "${at('b.onnx')}" --port 0 --log-level debug 2>> "${disk.inside('log')}"`;
    const { child, finished } = disk.start(['sh', '-c', command]);
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout?.once('data', (text: Buffer) => resolve(text.toString().trim()));
      child.once('exit', () => reject(new Error('the server ended')));
    });
    const ready = async (): Promise<number> => (await fetch(`${url}/v2/health/ready`)).status;
    for (let i = 0; i < 200; i++) expect(await ready()).toBe(200);
    expect(disk.free).toBe(0);
    disk.makeRoom();
    const before = disk.sizeOf('log');
    for (let i = 0; i < 20; i++) expect(await ready()).toBe(200);
    expect(disk.sizeOf('log')).toBeGreaterThan(before);
    child.kill('SIGTERM');
    expect(await finished).toMatchObject({ code: 0 });
  },
);
