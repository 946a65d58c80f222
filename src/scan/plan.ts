import { createHash } from 'node:crypto';
import path from 'node:path';
import { parseOptions, toConfig } from '../config/parse.js';
import { loadRecipe } from '../config/recipe.js';
import type { TrainOptions } from '../config/schema.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { freeOptions } from '../model/run-folder.js';
import { fingerprintOf, schemaHash } from '../read/cache/fingerprint.js';
import { loadSchema } from '../read/schema/schema.js';
import { backgroundLabel } from '../score/evaluation-scores.js';
import type { Study, StudyRequest, StudySample, Variant } from './study.js';

/** A trial that is to be there, and where. */
export interface PlannedTrial {
  readonly variant: Variant;
  readonly seed: number;
  /** Of `train`, for the run. */
  readonly options: TrainOptions;
  /** Hash of all that its figures depend on. */
  readonly key: string;
  /** Where the scores and `trial.json` come to stand, once they are whole. */
  readonly folder: string;
}

/** Everything that a study takes. */
export interface Plan {
  readonly variants: readonly Variant[];
  readonly samples: readonly StudySample[];
  /** In the order of variants, then seeds. */
  readonly trials: readonly PlannedTrial[];
}

/**
 * The trials of a study under `out`. A run lies in `runs/` under a hash of all that its training depends on: studies in one
 * folder share the runs that they have in common. Its scores lie in `trials/` under a hash of that, of the samples and of
 * the study.
 *
 * @throws UsageError for a variant whose options cannot be, or samples that cannot go together
 */
export async function planOf(study: Study, request: StudyRequest, out: string, version: string): Promise<Plan> {
  const variants = await study.variants(request);
  distinct(variants.map(({ name }) => name));
  const samples = await samplesOf(study, request);
  const identity = new Identities();
  const scored = await Promise.all(
    samples.map(async ({ label, files, through = [] }) => ({ label, files: await identity.of(files), through })),
  );
  const background = await identity.of(request.background);
  const tested = new Set(await identity.of(request.test));
  const twin = background.findIndex(one => tested.has(one));
  if (twin >= 0)
    throw new UsageError(`${request.background[twin]}: is among the files of --test too; figures need others`);
  const trials: PlannedTrial[] = [];
  for (const variant of variants)
    for (const seed of request.seeds) {
      const trained = await trainingOf(variant, seed, request);
      const run = hashOf({ version, background, ...(await whatCounts(trained)) });
      const key = hashOf({
        run,
        study: study.name,
        revision: study.revision ?? 1,
        scored,
        settings: variant.settings ?? {},
      });
      const name = `${study.name}-${plainName(variant.name)}-s${seed}-${key.slice(0, 12)}`;
      trials.push({
        variant,
        seed,
        options: { ...trained, out: path.join(out, 'runs', `${trained.loss}-s${seed}-${run.slice(0, 12)}`) },
        key,
        folder: path.join(out, 'trials', name),
      });
    }
  return { variants, samples, trials };
}

/** The background, the signals, then what the study adds. */
export async function samplesOf(study: Study, request: StudyRequest): Promise<StudySample[]> {
  const signals = new Map<string, string[]>();
  for (const { name, file } of request.signals) signals.set(name, [...(signals.get(name) ?? []), file]);
  const samples: StudySample[] = [
    { label: backgroundLabel, files: request.test, role: 'background' },
    ...[...signals].map(([label, files]): StudySample => ({ label, files, role: 'signal' })),
    ...((await study.samples?.(request)) ?? []),
  ];
  const labels = samples.map(({ label }) => label);
  const repeated = labels.find((label, i) => labels.indexOf(label) !== i);
  if (repeated !== undefined) throw new UsageError(`two samples are called ${repeated}; give signals other names`);
  return samples;
}

/** Options of `train` for a variant with a seed, without a place for the run. */
async function trainingOf(variant: Variant, seed: number, request: StudyRequest): Promise<TrainOptions> {
  const { background, options } = request;
  const files = background.map(file => path.resolve(file));
  const own = { background: files, out: 'run', seed, seeds: 1, ranks: 'off', resume: false, quiet: true };
  const values = Object.entries({ ...options, ...variant.options, ...own }).filter(([, value]) => value !== undefined);
  return parseOptions('train', {}, Object.fromEntries(values), `variant ${variant.name}`);
}

/** What of the options a training depends on, with files that they name by their content. */
async function whatCounts(options: TrainOptions): Promise<Record<string, unknown>> {
  const { recipe, schema } = options;
  const kept = Object.entries(toConfig<'train'>(options)).filter(
    ([name]) => !freeOptions.has(name) && name !== 'background',
  );
  return {
    ...Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1))),
    // `default` is the recipe of the data's kind
    recipe: recipe === 'default' ? recipe : await loadRecipe(recipe),
    schema: schema === undefined ? '' : schemaHash(await loadSchema(schema)),
  };
}

/** Files by their content, each looked at once. */
class Identities {
  private readonly known = new Map<string, Promise<string>>();

  of(files: readonly string[]): Promise<string[]> {
    return Promise.all(
      files.map(file => {
        const known =
          this.known.get(file) ?? fingerprintOf(file, undefined).then(({ size, sample }) => `${size} ${sample}`);
        this.known.set(file, known);
        return known;
      }),
    );
  }
}

const hashOf = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');

/** As a part of a file's name. */
const plainName = (name: string): string => name.replace(/[^\w.+-]+/g, '_');

function distinct(names: readonly string[]): void {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new AnomalyClrError(`two variants are called ${repeated}`);
  if (names.length === 0) throw new AnomalyClrError('the study has no variants');
}
