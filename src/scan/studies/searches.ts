import { eventQuantityCount, eventQuantityRows } from '../../detect/event-quantities.js';
import { rowDetectors } from '../../detect/list.js';
import type { EventBatch } from '../../events/event-batch.js';
import type { PreparationKind } from '../../score/prepare.js';
import { rawFeatureCountOf, rawFeatures } from '../../score/raw-features.js';
import { computedRows } from '../../train/rows.js';
import { auc, efficiency, type Entry, figuresOfEntries, measureTables, significance } from '../entries.js';
import type { Presentation, Study, StudyMethod, StudyResults, TrialModel } from '../study.js';
import { fitRows, onceABatch, stopIfAborted } from '../training-rows.js';
import { overlapPanel, overlapsOf, overlapTables } from './searches-overlap.js';

const variant = 'run';
/** Those that need no training of a representation, in the order shown. */
const fitted = ['mahalanobis', 'neighbours', 'forest'] as const;

/** Features that a plain search may look at. */
interface Features {
  /** Begins the names of its methods, and ends them. */
  readonly prefix: string;
  readonly suffix: string;
  readonly size: number;
  readonly rows: (events: EventBatch) => Float32Array;
  /** What distances are taken on: raw features have one scale already. */
  readonly scale: PreparationKind;
}

/** Whether a search without a learned representation would have seen the same events. */
export const searches: Study = {
  name: 'searches',
  title: 'Would a plain search have seen it?',
  seeds: 3,
  async variants() {
    return [{ name: variant, options: { comparators: true } }];
  },
  methods: fitSearches,
  present,
};

function featuresOf({ scorer }: TrialModel): Features[] {
  const { data } = scorer.domain;
  const raw = (pt: 'linear' | 'log'): Features => ({
    prefix: 'raw',
    suffix: pt === 'log' ? '-log' : '',
    size: rawFeatureCountOf(data),
    rows: events => rawFeatures(events, pt, data),
    scale: 'none',
  });
  const quantities: Features = {
    prefix: 'quantities',
    suffix: '',
    size: eventQuantityCount,
    rows: eventQuantityRows,
    scale: 'standardise',
  };
  // only collisions have leptons and MET
  return [raw('linear'), raw('log'), ...(data === undefined || data === 'event' ? [quantities] : [])];
}

async function fitSearches(trial: TrialModel): Promise<StudyMethod[]> {
  const store = await trial.openTraining();
  try {
    const methods: StudyMethod[] = [];
    for (const { prefix, suffix, size, rows, scale } of featuresOf(trial)) {
      const { training } = await fitRows(computedRows(store, size, rows), trial.split(store), trial.signal);
      const rowsOnce = onceABatch(rows);
      for (const name of fitted) {
        stopIfAborted(trial.signal);
        const detector = await rowDetectors[name](trial.engine, training, size, { seed: trial.seed, scale });
        methods.push({ name: `${prefix}-${name}${suffix}`, score: events => detector.score(rowsOnce(events)) });
      }
    }
    return methods;
  } finally {
    await store.close();
  }
}

async function present(results: StudyResults): Promise<Presentation> {
  const methods = results.methodsOf(variant);
  const entries: Entry[] = methods.map(method => ({ name: method, variant, method }));
  const figures = await figuresOfEntries(results, entries);
  const overlaps = await overlapsOf(results, variant);
  const shown = [auc, efficiency('1e-2'), efficiency('1e-3'), significance('1e-2'), significance('1e-3')];
  return {
    json: { figures, overlaps },
    tables: [...measureTables('method', figures, shown), ...overlapTables(overlaps)],
    figure: {
      title: searches.title,
      label:
        'signal efficiency of every method at low background rates, and how much of what the run selects each selects',
      columns: 2,
      panels: [
        ...(['1e-2', '1e-3'] as const).map(rate => ({
          kind: 'dots' as const,
          title: `ε_s at ε_b = ${rate}`,
          value: { name: 'ε_s', log: true },
          rows: methods,
          series: results.signals.map(signal => ({
            name: signal,
            values: figures.map(one => one.signals[signal]?.efficiency_at_fpr[rate] ?? null),
          })),
        })),
        ...(['1e-2', '1e-3'] as const).map(rate => overlapPanel(overlaps, rate, methods.slice(1))),
      ],
    },
  };
}
