import { parseOptions } from '../../src/config/parse.js';
import type { TrainOptions } from '../../src/config/schema.js';
import { measureTables, figuresOfEntries, auc, efficiency } from '../../src/scan/entries.js';
import { runTrial } from '../../src/scan/run-trial.js';
import type { StartTrial } from '../../src/scan/run-trials.js';
import type { Study, StudyRequest } from '../../src/scan/study.js';
import type { TrialOrder } from '../../src/scan/trial.js';
import { sample } from '../support/cli.js';

/** A training of a second or less. */
const smallOptions = {
  engine: 'native',
  threads: 1,
  loss: 'anomclr+',
  detector: 'autoencoder',
  maxEvents: 600,
  epochs: 1,
  batch: 64,
  width: 8,
  heads: 2,
  layers: 1,
  feedForward: 8,
  output: 8,
  headLayers: 1,
  detectorEpochs: 1,
  bottleneck: 3,
  cache: false,
} as const;

/** A study of two widths with a method of its own and a sample that passes through an augmentation. */
export const widthStudy = (own: Partial<Study> = {}): Study => ({
  name: 'comparison',
  title: 'Two widths | <side by side>',
  seeds: 1,
  variants: async () => [
    { name: 'narrow', options: { width: 4 }, x: 4 },
    { name: 'wide', options: { width: 8, comparators: false }, x: 8 },
  ],
  samples: async ({ test }) => [
    { label: 'more met', files: test, role: 'background', through: [{ augmentation: 'shift_met', low: 2, high: 3 }] },
  ],
  methods: async ({ options }) => [
    {
      name: 'objects',
      score: async ({ offsets, count }) =>
        Float32Array.from({ length: count }, (_, e) => options.width * (offsets[e + 1] - offsets[e])),
    },
  ],
  async present(results) {
    const entries = results.variants.flatMap(({ name }) =>
      results.methodsOf(name).map(method => ({ name: `${name} ${method}`, variant: name, method })),
    );
    const figures = await figuresOfEntries(results, entries);
    return {
      json: { figures },
      tables: measureTables('entry', figures, [auc, efficiency('1e-2')]),
      figure: {
        title: 'Two widths',
        label: 'AUC of two widths',
        panels: [
          {
            kind: 'dots',
            title: 'AUC',
            value: { name: 'AUC' },
            rows: entries.map(({ name }) => name),
            series: results.signals.map(name => ({ name, values: figures.map(one => one.signals[name]?.auc ?? null) })),
          },
        ],
      },
    };
  },
  ...own,
});

/** What the command line would ask for. */
export function requestOf(own: Partial<StudyRequest> & { readonly train?: Partial<TrainOptions> } = {}): StudyRequest {
  const { train = {}, ...rest } = own;
  const all = parseOptions('train', { background: ['unused'], out: 'unused' }, { ...smallOptions, ...train });
  const {
    background: _b,
    out: _o,
    resume: _r,
    seed: _s,
    seeds: _n,
    ranks: _k,
    config: _c,
    quiet: _q,
    debug: _d,
    ...options
  } = all;
  return {
    study: 'comparison',
    background: [sample('background_train')],
    test: [sample('Ato4l')],
    signals: [{ name: 'leptoquark', file: sample('leptoquark') }],
    shifted: [],
    seeds: [1],
    options,
    given: [],
    ...rest,
  };
}

/** Trials in this process, one of the orders it got; `fail` says of which it shall not run, and why. */
export function here(study: Study, fail: (order: TrialOrder) => string | undefined = () => undefined) {
  const orders: TrialOrder[] = [];
  const start: StartTrial = (order, hear) => {
    orders.push(order);
    const message = fail(order);
    const ended =
      message === undefined
        ? runTrial(study, order, { progress: share => hear({ kind: 'progress', share }) }).then(
            () => ({ kind: 'done' as const }),
            (error: unknown) => ({ kind: 'failed' as const, message: (error as Error).message }),
          )
        : Promise.resolve({ kind: 'failed' as const, message });
    return { stop: () => undefined, ended };
  };
  return { start, names: () => orders.splice(0).map(({ variant, seed }) => `${variant} ${seed}`) };
}
