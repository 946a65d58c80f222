import os from 'node:os';
import path from 'node:path';
import { packageRoot } from '../addon.js';
import { looksLikeFile } from '../config/config-file.js';
import { listOptions } from '../config/parse.js';
import { loadRecipe, presets } from '../config/recipe.js';
import type { ScanOptions } from '../config/schema.js';
import { UsageError } from '../errors.js';
import { scan } from '../scan/scan.js';
import { loadStudy } from '../scan/studies/index.js';
import type { StudyRequest } from '../scan/study.js';
import type { Context } from './commands.js';

/** The signals of the package's sample. */
const sampleSignals = ['Ato4l', 'leptoquark', 'hToTauTau', 'hChToTauNu'];

export async function run(options: ScanOptions, context: Context): Promise<number> {
  const { out, jobs, json, threads } = options;
  const { output, progress, signal, version } = context;
  const study = await loadStudy(options.study);
  const request = await requestOf(options, study.seeds);
  const cores = os.availableParallelism();
  const how = { out, jobs: jobs > 0 ? jobs : Math.max(1, Math.floor(cores / threads)), version };
  const outcome = await scan(study, request, how, {
    signal,
    progress,
    info: line => output.info(line),
    warn: line => output.warn(line),
  });
  if (json === true) output.json(outcome.json);
  else output.result(outcome.text);
  const place = path.join(out, study.name);
  output.info(`figures: ${place}.json\ntables:  ${place}.md\nfigure:  ${place}.svg`);
  const { failed } = outcome;
  if (failed.length === 0) return 0;
  const named = failed.slice(0, 4).map(({ variant, seed }) => `${variant} (seed ${seed})`);
  const more = failed.length > named.length ? ` and ${failed.length - named.length} more` : '';
  output.warn(
    `${failed.length} trials failed: ${named.join(', ')}${more}; ${failed[0].message}; the same command tries again`,
  );
  return 1;
}

async function requestOf(options: ScanOptions, usualSeeds: number): Promise<StudyRequest> {
  const { study, background, test, signal, shifted, seed, seeds, out: _o, jobs: _j, json: _n, ...rest } = options;
  const { config: _c, quiet: _q, debug: _d, ...training } = rest;
  const defaults = new Map(listOptions('scan').map(info => [info.name, info.default]));
  const differs = ([name, value]: [string, unknown]): boolean =>
    JSON.stringify(value) !== JSON.stringify(defaults.get(name));
  return {
    study,
    ...filesOf({ background, test, signal }),
    shifted,
    seeds: Array.from({ length: seeds > 0 ? seeds : usualSeeds }, (_, k) => seed + k),
    options: { ...training, recipe: await contentOf(training.recipe) },
    given: Object.entries(training)
      .filter(differs)
      .map(([name]) => name),
  };
}

/** What is given, or all of the package's sample. */
function filesOf({
  background,
  test,
  signal,
}: Pick<ScanOptions, 'background' | 'test' | 'signal'>): Pick<StudyRequest, 'background' | 'test' | 'signals'> {
  const given = { '--background': background, '--test': test, '--signal': signal };
  const missing = Object.entries(given).filter(([, files]) => files.length === 0);
  if (missing.length === 0) return { background, test, signals: signal };
  if (missing.length < 3)
    throw new UsageError(
      `${missing.map(([flag]) => flag).join(' and ')}: give files, or leave out --background, --test and --signal to take the sample`,
    );
  const sample = (name: string): string => path.relative('.', path.join(packageRoot(), 'sample', `${name}.h5`));
  return {
    background: [sample('background_train')],
    test: [sample('background_test')],
    signals: sampleSignals.map(name => ({ name, file: sample(name) })),
  };
}

/** A recipe in a file by what it says: trials may be made long after it was read. */
async function contentOf(recipe: ScanOptions['recipe']): Promise<ScanOptions['recipe']> {
  if (typeof recipe !== 'string' || Object.hasOwn(presets, recipe) || !looksLikeFile(recipe)) return recipe;
  return loadRecipe(recipe);
}
