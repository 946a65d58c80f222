import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readCard } from '../../src/bundle/read.js';
import { cardFileSchema } from '../../src/export/places.js';
import { readScores } from '../../src/score/read-scores.js';
import { type Inputs, must, tinyTraining } from './kill-data.js';
import { type Command, filesIn, isTemporary, type Kind } from './kills.js';

export const digest = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** All files below a folder, by what `of` makes of them. */
export async function contents(
  folder: string,
  of: (name: string, bytes: Buffer) => string | Promise<string> = (_, bytes) => digest(bytes),
): Promise<Record<string, string>> {
  const made: Record<string, string> = {};
  for (const name of filesIn(folder))
    made[name] = isTemporary(name) ? 'left' : await of(name, readFileSync(path.join(folder, name)));
  return made;
}

/** Scores as they read, since HDF5 notes when it was written. */
async function scoresOf(file: string): Promise<string> {
  const { score, inDomain, eventIds } = await readScores(file);
  const all = createHash('sha256').update(new Uint8Array(score.buffer)).update(inDomain);
  return all.update(eventIds ? new Uint8Array(eventIds.buffer) : '').digest('hex');
}

/** What a score of all large files keeps beside its file. */
const inPartial = ['manifest.json', 'part-000000.bin', 'part-000001.bin', 'part-000002.bin'];

/** Scores of large files in parts, or of one at once, maybe in the place of an older file. */
function scoring({ model, large, copies }: Inputs, out: string, how: { older?: boolean; small?: boolean }): Command {
  const args = ['score', '--model', model, '--data', ...(how.small ? large.slice(0, 1) : large), '--threads', '1'];
  const further = ['--on-bad-event', 'skip', '--cache-folder', copies, '--quiet'];
  let older: string | undefined;
  const olderFile = path.join(path.dirname(model), `older-${out}`);
  let want: string | undefined;
  return {
    ...(how.older ? { setUp: folder => copyFileSync(olderFile, path.join(folder, out)) } : {}),
    async starts(folder) {
      if (how.older) older ??= await scoresOf(olderFile);
      return [{ args: [...args, '--out', path.join(folder, out), ...further] }];
    },
    phase(folder) {
      const partial = path.join(folder, `${out}.partial`);
      const written = filesIn(folder).includes(out) && !how.older;
      if (!existsSync(partial)) return written ? 'done' : 'before';
      const parts = readdirSync(partial).filter(name => name.endsWith('.bin')).length;
      return written ? 'clearing' : parts < inPartial.length - 1 ? 'parts' : 'score file';
    },
    async check(folder) {
      const whole = filesIn(folder).filter(name => !isTemporary(name));
      for (const name of whole.filter(name => name.endsWith('.json')))
        JSON.parse(readFileSync(path.join(folder, name), 'utf8'));
      if (!whole.includes(out)) return whole;
      const now = await scoresOf(path.join(folder, out));
      want ??= now; // of the run that was never killed
      if (now !== want && now !== older) throw new Error(`${out} is not whole`);
      // parts may go once the file stands
      return now === older ? whole : [...whole, ...inPartial.map(name => path.join(`${out}.partial`, name))];
    },
    result: folder => contents(folder, name => scoresOf(path.join(folder, name))),
  };
}

/** A bundle and its card, where another one stands already or none. */
function exporting({ model }: Inputs, how: { older?: string; triton?: boolean }): Command {
  const names = ['a.json', 'a.md', 'a.onnx'];
  let want: Record<string, string> | undefined;
  let older: Record<string, string> | undefined;
  const same = (folder: string): Promise<Record<string, string>> =>
    contents(folder, (name, bytes) => digest(bundleAlike(name, bytes)));
  return {
    setUp(folder) {
      mkdirSync(path.join(folder, 'b'));
      if (how.older) for (const name of names) copyFileSync(path.join(how.older, name), path.join(folder, 'b', name));
    },
    async starts(folder) {
      if (how.older) older ??= await same(how.older);
      const triton = how.triton ? ['--triton', path.join(folder, 'b', 'models')] : [];
      return [
        { args: ['export', '--model', model, '--out', path.join(folder, 'b', 'a.onnx'), '--name', 'new', ...triton] },
      ];
    },
    phase(folder) {
      const found = filesIn(path.join(folder, 'b'));
      const changed = (name: string) =>
        existsSync(path.join(folder, 'b', name)) &&
        !(how.older && readFileSync(path.join(folder, 'b', name)).equals(readFileSync(path.join(how.older, name))));
      if (changed('a.onnx')) return 'done';
      return found.some(isTemporary) || changed('a.json') || found.some(name => name.startsWith('models'))
        ? 'files'
        : 'making and checking';
    },
    async check(folder) {
      const now = await same(path.join(folder, 'b'));
      want ??= now;
      const whole = Object.keys(now).filter(name => !isTemporary(name));
      for (const name of whole)
        if (now[name] !== want[name] && now[name] !== older?.[name]) throw new Error(`${name} is not whole`);
      const bundle = path.join(folder, 'b', 'a.onnx');
      // the card beside it may be of the bundle that was to come
      if (existsSync(bundle)) await readCard(bundle);
      return whole;
    },
    async result(folder) {
      await must(['verify', path.join(folder, 'b', 'a.onnx'), '--quiet']);
      await belongs(path.join(folder, 'b'));
      return same(path.join(folder, 'b'));
    },
  };
}

/** A bundle's files but for when they were made, and for the hash that follows from it. */
function bundleAlike(name: string, bytes: Buffer): Buffer {
  const text = bytes.toString('latin1').replaceAll(/\d{4}-\d\d-\d\dT[\d:.]{12}Z/g, '');
  return Buffer.from(name.endsWith('.onnx') ? text : text.replaceAll(/\b[0-9a-f]{64}\b/g, ''), 'latin1');
}

async function belongs(folder: string): Promise<void> {
  const { sha256 } = cardFileSchema.parse(JSON.parse(readFileSync(path.join(folder, 'a.json'), 'utf8')));
  if (sha256 !== digest(readFileSync(path.join(folder, 'a.onnx')))) throw new Error('a.json is of another bundle');
}

/** Packed copies of two files, by a training that reads them; the run itself is not looked at. */
function packing({ large }: Inputs): Command {
  let want: Record<string, string> | undefined;
  const training = [...tinyTraining, '--epochs', '1', '--batch', '4096', '--detector-epochs', '1', '--max-events', '0'];
  return {
    setUp: folder => mkdirSync(path.join(folder, 'cache')),
    watched: folder => path.join(folder, 'cache'),
    starts(folder, again) {
      const places = ['--cache-folder', path.join(folder, 'cache'), '--out', path.join(folder, 'run')];
      const args = ['train', '--background', ...large.slice(0, 2), ...training, ...places];
      return [{ args: [...args, '--no-comparators', '--on-bad-event', 'skip', ...(again ? ['--resume'] : [])] }];
    },
    phase(folder) {
      const found = readdirSync(path.join(folder, 'cache'));
      const copies = found.filter(name => !isTemporary(name)).length;
      if (found.length > copies) return `copy ${copies + 1}`;
      return copies === 0 ? 'before' : copies === 1 ? 'between copies' : 'after both';
    },
    async check(folder) {
      const now = await contents(path.join(folder, 'cache'));
      want ??= now;
      const whole = Object.keys(now).filter(name => !isTemporary(name));
      for (const name of whole) if (now[name] !== want[name]) throw new Error(`${name} is not whole`);
      return whole;
    },
    result: folder => contents(path.join(folder, 'cache')),
  };
}

/** A shard of an evaluation into a folder, where an older one stands or none. */
function evaluatingShard({ model, background, signal }: Inputs, older?: string): Command {
  // how long it took is in the manifest
  const alike = (name: string, bytes: Buffer): string =>
    digest(name.endsWith('manifest.json') ? bytes.toString().replace(/"timed": \{[^}]*\}/, '') : bytes);
  let want: Record<string, string> | undefined;
  return {
    setUp(folder) {
      mkdirSync(path.join(folder, 'e'));
      if (older === undefined) return;
      mkdirSync(path.join(folder, 'e', 'part'));
      for (const name of readdirSync(older)) copyFileSync(path.join(older, name), path.join(folder, 'e', 'part', name));
    },
    starts(folder) {
      const data = ['--background', background, '--signal', `s=${signal}`, '--threads', '1', '--quiet'];
      return [
        { args: ['evaluate', '--model', model, ...data, '--shard', '1/2', '--out', path.join(folder, 'e', 'part')] },
      ];
    },
    phase: folder => evaluationPhase(filesIn(path.join(folder, 'e')), name => name.startsWith('part/')),
    async check(folder) {
      const now = await contents(path.join(folder, 'e'), alike);
      want ??= now;
      const whole = Object.keys(now).filter(name => !isTemporary(name));
      for (const name of whole) if (now[name] !== want[name]) throw new Error(`${name} is not whole`);
      return whole;
    },
    result: folder => contents(path.join(folder, 'e'), alike),
  };
}

function evaluationPhase(files: readonly string[], written: (name: string) => boolean): string {
  if (files.some(isTemporary)) return 'scores and figures';
  return files.some(written) ? 'done, or an older one' : 'before';
}

/** Figures as JSON and a report, of a model or of parts that are merged. */
function figures(args: readonly string[]): Command {
  let want: string | undefined;
  return {
    setUp: folder => mkdirSync(path.join(folder, 'e')),
    starts(folder) {
      const places = ['--json', path.join(folder, 'e', 'e.json'), '--report', path.join(folder, 'e', 'e.html')];
      return [{ args: [...args, ...places, '--quiet'] }];
    },
    phase: folder => evaluationPhase(filesIn(path.join(folder, 'e')), name => name === 'e.html'),
    async check(folder) {
      const whole = filesIn(path.join(folder, 'e')).filter(name => !isTemporary(name));
      for (const name of whole) {
        const text = readFileSync(path.join(folder, 'e', name), 'utf8');
        if (name === 'e.json') want ??= text;
        if (name === 'e.json' ? text !== want : !text.trimEnd().endsWith('</html>'))
          throw new Error(`${name} is not whole`);
      }
      return whole;
    },
    // a report says how fast it was
    result: folder => contents(path.join(folder, 'e'), (name, bytes) => (name === 'e.html' ? 'whole' : digest(bytes))),
  };
}

/** Score files of two shards as one. */
function mergingScores(parts: readonly string[], out: string): Command {
  let want: string | undefined;
  return {
    starts: folder => [{ args: ['merge', ...parts, '--out', path.join(folder, out), '--quiet'] }],
    phase: folder =>
      filesIn(folder).includes(out) ? 'done' : filesIn(folder).length > 0 ? 'scores and figures' : 'before',
    async check(folder) {
      if (!existsSync(path.join(folder, out))) return [];
      const now = await scoresOf(path.join(folder, out));
      want ??= now;
      if (now !== want) throw new Error(`${out} is not whole`);
      return [out];
    },
    result: folder => contents(folder, name => scoresOf(path.join(folder, name))),
  };
}

/**
 * Commands but for trainings, and what they need made.
 *
 * @param exports - whether there is what an export checks its bundle by
 */
export async function commandKinds(
  inputs: Inputs,
  exports = true,
): Promise<Record<'score' | 'export' | 'cache' | 'evaluate', Kind>> {
  const folder = path.dirname(inputs.model);
  const at = (name: string): string => path.join(folder, name);
  const { model, large, copies, background, signal } = inputs;
  // an older score file: of another precision, so with other scores
  const data = ['--data', large[0], '--on-bad-event', 'skip', '--cache-folder', copies, '--quiet'];
  await must(['score', '--model', model, ...data, '--precision', 'bf16', '--out', at('older-out.parquet')]);
  mkdirSync(at('older'));
  if (exports)
    await must(['export', '--model', model, '--out', path.join(at('older'), 'a.onnx'), '--name', 'old', '--quiet']);
  const judged = ['--background', background, '--signal', `s=${signal}`, '--threads', '1', '--quiet'];
  const [scores, parts] = [1, 2]
    .map(i => [at(`shard-${i}.h5`), at(`part-${i}`)] as const)
    .reduce<[string[], string[]]>(
      ([s, p], [score, part]) => [
        [...s, score],
        [...p, part],
      ],
      [[], []],
    );
  for (const i of [1, 2]) {
    await must(['score', '--model', model, ...data, '--shard', `${i}/2`, '--out', scores[i - 1]]);
    await must(['evaluate', '--model', model, ...judged, '--shard', `${i}/2`, '--out', parts[i - 1]]);
  }
  return {
    score: {
      name: 'score',
      commands: [
        scoring(inputs, 'out.h5', {}),
        scoring(inputs, 'out.csv', { small: true }),
        scoring(inputs, 'out.parquet', { older: true }),
      ],
    },
    export: {
      name: 'export',
      commands: [exporting(inputs, { older: at('older') }), exporting(inputs, { triton: true })],
    },
    cache: { name: 'packed copies', commands: [packing(inputs)] },
    evaluate: {
      name: 'evaluate and merge',
      commands: [
        evaluatingShard(inputs),
        figures(['evaluate', '--model', model, ...judged.slice(0, -1)]),
        evaluatingShard(inputs, parts[0]),
        mergingScores(scores, 'out.h5'),
        figures(['merge', ...parts]),
      ],
    },
  };
}
