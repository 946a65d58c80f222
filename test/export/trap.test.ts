import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { cardFileSchema } from '../../src/export/places.js';
import { readCard } from '../../src/bundle/read.js';
import { sha256 } from '../../src/read/index.js';
import { anomalyclr } from '../cli/in-process.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled } from '../support/bundle.js';
import { cli, smallTraining, type Finished } from '../support/cli.js';

const at = temporaryFolder();
const out = at('bundles/a.onnx');
const command = ['export', '--model', at('run'), '--out', out, '--name', 'new', '--quiet'];
let old: Buffer;

/** Loaded before the command: ends it, or fails a call, at one moment of the writing of one file. */
const trap = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { ANOMALYCLR_TRAP_AT: at, ANOMALYCLR_TRAP_FILE: target, ANOMALYCLR_TRAP_ERROR: code } = process.env;
const { open, rename } = fs.promises;
const spring = () => {
  if (code) throw Object.assign(new Error(code), { code });
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => setInterval(() => undefined, 1000)); // until the signal is there
};
fs.promises.open = async (path, flags, ...rest) => {
  const file = await open(path, flags, ...rest);
  if (at === 'half' && flags === 'wx' && String(path).includes(target + '.')) {
    const { writeFile } = file;
    file.writeFile = async data => {
      await writeFile.call(file, data.slice(0, data.length >> 1));
      await file.sync();
      await spring();
    };
  }
  return file;
};
fs.promises.rename = async (from, to) => {
  if (at === 'before' && String(to).endsWith(target)) await spring();
  await rename(from, to);
  if (at === 'after' && String(to).endsWith(target)) await spring();
};
syncBuiltinESMExports();
`;

beforeAll(async () => {
  if (!runtimeInstalled) return;
  mkdirSync(at('bundles'));
  writeFileSync(at('trap.mjs'), trap);
  await anomalyclr('train', ...smallTraining, '--no-comparators', '--out', at('run'));
  const { code, stderr } = await anomalyclr(...command.map(arg => (arg === 'new' ? 'old' : arg)));
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  old = readFileSync(out);
});

const trapped = (moment: string, file: string, error = ''): Promise<Finished> =>
  cli(command, {
    NODE_OPTIONS: `--import=${pathToFileURL(at('trap.mjs')).href}`,
    ANOMALYCLR_TRAP_AT: moment,
    ANOMALYCLR_TRAP_FILE: file,
    ANOMALYCLR_TRAP_ERROR: error,
  });

/** Whether the card beside the bundle says that it is of this bundle. */
async function cardBelongs(): Promise<boolean> {
  const beside = cardFileSchema.parse(JSON.parse(readFileSync(at('bundles/a.json'), 'utf8')));
  return beside.sha256 === (await sha256(out));
}

async function verifies(): Promise<void> {
  const { code } = await anomalyclr('verify', out, '--quiet');
  expect(code).toBe(0);
}

describe.each([
  ['half', 'a.json'],
  ['before', 'a.json'],
  ['after', 'a.json'],
  ['half', 'a.md'],
  ['before', 'a.md'],
  ['half', 'a.onnx'],
  ['before', 'a.onnx'],
])('killed %s %s', (moment, file) => {
  needsRuntime('the old bundle is whole, and a card that is not its own shows', async () => {
    const before = await cardBelongs();
    const { signal, stdout } = await trapped(moment, file);
    expect([signal, stdout]).toEqual(['SIGKILL', '']);
    expect(readFileSync(out).equals(old)).toBe(true);
    await verifies();
    expect((await readCard(out)).name).toBe('old');
    const replaced = file !== 'a.json' || moment === 'after'; // the JSON is the first to be renamed
    expect(await cardBelongs()).toBe(before && !replaced);
  });
});

needsRuntime.each([
  ['half', 'a.onnx', 'ENOSPC', /a\.onnx: no space left on the disk/],
  ['before', 'a.onnx', 'EROFS', /a\.onnx: the file system is read-only/],
  ['half', 'a.json', 'EDQUOT', /a\.json: the disk quota is used up/],
])('%s %s: %s is one line, and leaves the old bundle', async (moment, file, code, message) => {
  const names = readdirSync(at('bundles')).filter(name => !name.endsWith('.tmp'));
  const failed = await trapped(moment, file, code);
  expect([failed.code, failed.stdout]).toEqual([1, '']);
  expect(failed.stderr).toMatch(/^anomalyclr: [^\n]*\n$/);
  expect(failed.stderr).toMatch(message);
  expect(readFileSync(out).equals(old)).toBe(true);
  expect(readdirSync(at('bundles')).filter(name => !name.endsWith('.tmp'))).toEqual(names);
  await verifies();
});

needsRuntime('a later export goes to its end and clears what the killed ones left', async () => {
  await trapped('half', 'a.onnx');
  expect(readdirSync(at('bundles')).some(name => name.endsWith('.tmp'))).toBe(true);
  const { code } = await cli(command);
  expect(code).toBe(0);
  expect(readdirSync(at('bundles')).toSorted()).toEqual(['a.json', 'a.md', 'a.onnx']);
  expect(await cardBelongs()).toBe(true);
  expect((await readCard(out)).name).toBe('new');
  await verifies();
});
