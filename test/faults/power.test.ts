import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime } from '../support/bundle.js';
import { cli, sample, smallTraining } from '../support/cli.js';

// A power cut takes what is not on the disk yet, in any order. None can be had in a test; but what must be on the disk
// before what can be looked at.

const at = temporaryFolder();

/** Loaded before a command: notes what it does to files, in order. */
const recorder = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const notes = [];
const { open, rename } = fs.promises;
fs.promises.open = async (path, ...rest) => {
  const file = await open(path, ...rest);
  if (rest[0] !== undefined && rest[0] !== 'r') notes.push(['write', String(path)]);
  for (const name of ['sync', 'datasync', 'write', 'writev', 'writeFile', 'appendFile']) {
    const call = file[name].bind(file);
    file[name] = async (...args) => {
      if (name.startsWith('write') || name.startsWith('append')) notes.push(['write', String(path)]);
      const result = await call(...args);
      if (name.endsWith('sync')) notes.push(['sync', String(path)]);
      return result;
    };
  }
  return file;
};
fs.promises.rename = async (from, to) => {
  await rename(from, to);
  notes.push(['rename', String(from), String(to)]);
};
syncBuiltinESMExports();
process.on('exit', () => fs.writeFileSync(process.env.ANOMALYCLR_NOTES, JSON.stringify(notes)));
`;

type Note = readonly ['write' | 'sync', string] | readonly ['rename', string, string];

/** What a power cut could have lost at some moment. */
function risks(notes: readonly Note[]): string[] {
  const found: string[] = [];
  const loose = new Set<string>(); // written, and not on the disk
  const names = new Set<string>(); // folders with names that are not
  for (const [what, file, to] of notes) {
    if (what === 'write') loose.add(file);
    else if (what === 'sync') {
      loose.delete(file);
      names.delete(file);
    } else if (what === 'rename' && to !== undefined && !to.endsWith('.old')) {
      const inside = [...loose].filter(name => name === file || name.startsWith(`${file}${path.sep}`));
      if (inside.length > 0) found.push(`${to} is in place before it is on the disk`);
      if (names.has(path.dirname(to))) found.push(`${to} comes before the name of another is on the disk`);
      const log = path.join(path.dirname(to), '..', 'metrics.jsonl');
      if (to.includes('checkpoint') && loose.has(log)) found.push(`${to} comes before its lines of ${log}`);
      names.add(path.dirname(to));
    }
  }
  return [...found, ...[...names].map(name => `${name} is never flushed`)];
}

async function notesOf(args: readonly string[]): Promise<Note[]> {
  writeFileSync(at('recorder.mjs'), recorder);
  const env = {
    NODE_OPTIONS: `--import=${pathToFileURL(at('recorder.mjs')).href}`,
    ANOMALYCLR_NOTES: at('notes.json'),
  };
  const { code, stderr } = await cli(args, env);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(readFileSync(at('notes.json'), 'utf8')) as Note[];
}

const renamed = (notes: readonly Note[]): string[] =>
  notes.flatMap(([what, , to]) => (what === 'rename' && to !== undefined ? [path.relative(at(''), to)] : []));

const events = sample('hChToTauNu');

test('a training', async () => {
  const notes = await notesOf(['train', ...smallTraining, '--out', at('run')]);
  expect(renamed(notes).filter(name => name === 'run/checkpoint/encoder.safetensors').length).toBeGreaterThan(9);
  expect(renamed(notes)).toContain('run/comparators/raw-autoencoder.safetensors');
  expect(risks(notes)).toEqual([]);
  // and the check itself sees what it is for
  const lax = (file: string) => risks(notes.filter(([what, name]) => what !== 'sync' || !name.includes(file)));
  expect(lax('metrics.jsonl')[0]).toMatch(/comes before its lines of/);
  expect(lax('autoencoder.safetensors')[0]).toMatch(/is in place before it is on the disk/);
  expect(risks(notes.filter(([what, name]) => what !== 'sync' || name !== at('run')))[0]).toMatch(
    /the name of another/,
  );
});

test('a score', async () => {
  for (const out of ['scores.csv', 'scores.parquet', 'scores.h5']) {
    const notes = await notesOf(['score', '--model', at('run'), '--data', events, '--out', at(out), '--quiet']);
    expect(renamed(notes)).toEqual([out]);
    expect(risks(notes)).toEqual([]);
  }
});

needsRuntime('an export', async () => {
  const triton = ['--triton', at('models'), '--name', 'm'];
  const notes = await notesOf(['export', '--model', at('run'), '--out', at('a.onnx'), ...triton, '--quiet']);
  expect(renamed(notes)).toEqual(expect.arrayContaining(['models/m', 'a.json', 'a.md']));
  expect(renamed(notes).at(-1)).toBe('a.onnx');
  expect(risks(notes)).toEqual([]);
});

test('a part of an evaluation', async () => {
  const data = ['--background', sample('background_test'), '--signal', `s=${events}`, '--shard', '1/4'];
  const notes = await notesOf(['evaluate', '--model', at('run'), ...data, '--out', at('part'), '--quiet']);
  expect(renamed(notes)).toContain('part');
  expect(risks(notes)).toEqual([]);
});
