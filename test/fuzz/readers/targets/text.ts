import { mkdirSync } from 'node:fs';
import process from 'node:process';
import { compareReports } from '../../../../bench/compare.js';
import { benchReportSchema } from '../../../../bench/report-types.js';
import { formatComparison } from '../../../../bench/table.js';
import { main } from '../../../../src/cli/main.js';
import { readConfigFile } from '../../../../src/config/config-file.js';
import { launchOf } from '../../../../src/config/launch.js';
import { parseOptions, toConfig } from '../../../../src/config/parse.js';
import { loadRecipe, resolveRecipe } from '../../../../src/config/recipe.js';
import type { CommandName } from '../../../../src/config/schema.js';
import { shardOf, shardRows } from '../../../../src/config/shard.js';
import { nativeRecipe } from '../../../../src/augment/native-recipe.js';
import { expandFiles } from '../../../../src/read/file-list.js';
import { SchemaDecoder } from '../../../../src/read/schema/decode.js';
import { branchesOf, loadSchema } from '../../../../src/read/schema/schema.js';
import { readJson } from '../../../../src/files.js';
import { readToken } from '../../../../src/serve/auth.js';
import { caseOf } from '../../../bench/report.js';
import { catalogue } from '../../../config/catalogue.js';
import { Choices } from '../choices.js';
import { demand, isLine, nothingLeft, scratch, scratchFile, tried } from '../oracle.js';

const commands: readonly CommandName[] = [
  'train',
  'score',
  'evaluate',
  'export',
  'serve',
  'inspect',
  'merge',
  'verify',
  'demo',
];
/** Those that fail at files that are not there before they do anything. */
const harmless = ['inspect', 'score', 'evaluate', 'merge', 'verify', 'export'];
const branches = ['event', 'HLT_any', 'MET_pt', 'MET_phi'].map(name => ({
  name,
  type: { event: 'int64', HLT_any: 'bool' }[name] ?? 'float32',
  list: false,
}));
const lists = ['Muon_pt', 'Muon_eta', 'Muon_phi', 'Muon_tight', 'Jet_pt', 'Jet_eta', 'Jet_phi'];
const known = [...branches, ...lists.map(name => ({ name, type: 'float32', list: true }))];

const measured = caseOf([10, 11, 12, 13, 14]);

const folder = scratch('empty');
mkdirSync(folder);
scratchFile('empty/a.h5', '');
scratchFile('empty/b.h5', '');

const kinds: readonly ((choices: Choices) => Promise<unknown>)[] = [
  choices => schema('schema.yaml', choices),
  choices => schema('schema.json', choices),
  choices => config('config.yaml', choices),
  choices => config('config.json', choices),
  choices => recipe('recipe.yaml', choices),
  choices => recipe('recipe.json', choices),
  list,
  globs,
  commandLine,
  flags,
  shard,
  choices => tried(() => launchOf(environment(choices.text()))),
  choices => {
    const file = scratchFile('token', choices.rest());
    return tried(() => readToken(file), file);
  },
  measurements,
];

/** Texts that people write: schemas, configurations, recipes, lists of files, arguments, variables. Byte 0: which. */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  await kinds[choices.below(kinds.length)](choices);
  nothingLeft();
}

async function schema(name: string, choices: Choices): Promise<void> {
  const file = scratchFile(name, choices.rest());
  const read = await tried(() => loadSchema(file), file);
  if (!read) return;
  demand(
    branchesOf(read).every(branch => typeof branch === 'string'),
    'branches that are no names',
  );
  await tried(() => new SchemaDecoder(read, known, 'a file'), 'a file');
}

async function config(name: string, choices: Choices): Promise<void> {
  const command = commands[choices.below(commands.length)];
  const file = scratchFile(name, choices.rest());
  const value = await tried(() => readConfigFile(file), file);
  const options = await tried(() => parseOptions(command, {}, value, file));
  // what config.json of a run keeps has to be taken back
  if (options)
    demand(JSON.stringify(parseOptions(command, {}, JSON.parse(JSON.stringify(toConfig(options))))) !== '', '');
}

async function recipe(name: string, choices: Choices): Promise<void> {
  const file = scratchFile(name, choices.rest());
  const read = await tried(() => loadRecipe(file), file);
  if (!read) return;
  const resolved = await tried(() => resolveRecipe(read, catalogue, 'event'));
  if (!resolved) return;
  const numbers = nativeRecipe(resolved, catalogue).flatMap(scenarios =>
    scenarios.flatMap(({ weight, steps }) => [weight, ...steps.flatMap(({ parameters }) => [...parameters])]),
  );
  demand(numbers.every(Number.isFinite), 'a recipe with numbers that are none');
}

async function list(choices: Choices): Promise<void> {
  const file = scratchFile('empty/list.txt', choices.rest());
  const files = await tried(() => expandFiles([`@${file}`], '--data'));
  demand(files?.every(name => name !== '') ?? true, 'a file without a name');
}

/** Patterns stay within the folder. */
async function globs(choices: Choices): Promise<void> {
  const patterns = choices.text().split('\n').slice(0, 4);
  const names = patterns.filter(pattern => !pattern.includes('..')).map(pattern => `${folder}/${pattern}`);
  await tried(() => expandFiles(names, '--data', choices.byte() > 0));
}

async function commandLine(choices: Choices): Promise<void> {
  const command = harmless[choices.below(harmless.length)];
  const words = choices.text().split('\n').slice(0, 24);
  const argv = words.filter(word => !/[/\\]/.test(word) && word !== '--debug');
  let told = '';
  let out = '';
  const before = process.cwd();
  process.chdir(folder);
  try {
    const code = await main([command, ...argv], {
      stdout: { write: (text: string) => Boolean((out += text)) },
      stderr: { write: (text: string) => Boolean((told += text)) },
    });
    demand([0, 1, 2].includes(code), `exit code ${code}`);
    demand(!told.includes('unexpected'), told);
    if (code > 0)
      demand(
        told === '' ||
          told
            .trimEnd()
            .split('\n')
            .every(line => isLine(line, Infinity)),
        `not clean lines: ${JSON.stringify(told)}`,
      );
    if (code > 0 && told === '') demand(out !== '', `exit code ${code} without a word`);
  } finally {
    process.chdir(before);
  }
}

/** What `bench --compare` reads. */
async function measurements(choices: Choices): Promise<void> {
  const file = scratchFile('bench.json', choices.rest());
  const report = await tried(() => readJson(file, benchReportSchema), file);
  if (report) formatComparison(compareReports(report, { cases: [measured] }, { limit: 0.1, seed: 1 }), file);
}

/** `name=value` a line. */
async function flags(choices: Choices): Promise<void> {
  const command = commands[choices.below(commands.length)];
  const given = environment(choices.text());
  await tried(() => parseOptions(command, given));
}

async function shard(choices: Choices): Promise<void> {
  const byName = choices.byte() & 1;
  const text = choices.text();
  const ad = scratchFile('job.ad', text);
  const env = byName ? environment(text) : { _CONDOR_JOB_AD: ad };
  const found = await tried(() => shardOf(byName ? (env['SHARD'] ?? 'auto') : 'auto', env));
  if (!found) return;
  const { from, to } = shardRows(found, 13_451_915);
  demand(found.index >= 1 && found.index <= found.of && from >= 0 && from <= to && to <= 13_451_915, 'no shard');
}

function environment(text: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const line of text.split('\n').slice(0, 32)) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(line) ?? [];
    // what sets a prototype is no variable
    if (name !== undefined && name !== '__proto__') env[name] = value;
  }
  return env;
}
