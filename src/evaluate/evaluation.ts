import { z } from 'zod';
import { AnomalyClrError } from '../errors.js';
import type { Interval } from './intervals.js';
import { type Scores, sortScores } from './roc.js';
import { combineSeeds, falsePositiveRates, type Fpr, perRate, summarise, type Summary } from './summary.js';

const interval = z
  .object({ value: z.number(), low: z.number(), high: z.number(), spread: z.number().optional() })
  .nullable();
const atRates = z.object(perRate(() => interval));
const signalFigures = z.object({
  events: z.int().positive(),
  auc: interval,
  'rejection_at_eff_0.3': interval,
  efficiency_at_fpr: atRates,
  sic_at_fpr: atRates,
});

/** What `evaluate --json` writes: figures with 95 % intervals, null where the events can't bear them. */
export const evaluationSchema = z.object({
  background: z.object({ events: z.int().positive() }),
  methods: z.record(z.string(), z.object({ seeds: z.array(z.number()), signals: z.record(z.string(), signalFigures) })),
});
export type Evaluation = z.infer<typeof evaluationSchema>;
export type SignalFigures = z.infer<typeof signalFigures>;

/** The scores of one trained model (or of a cut, which has one "seed") on background and signals. */
export interface ScoredSeed {
  readonly seed: number;
  /** [background events] */
  readonly background: Scores;
  /** Per signal. [signal events] */
  readonly signals: Readonly<Record<string, Scores>>;
}

/**
 * Figures of merit of every method on every signal, seeds combined by `combineSeeds`.
 *
 * @throws AnomalyClrError, naming method and signal, on NaN, an empty class, or seeds scored on different events
 * @example
 * evaluateMethods({
 *   background: { events: 60_000 },
 *   methods: { ht: [{ seed: 0, background: ht.background, signals: { Ato4l: ht.Ato4l } }] },
 * }).methods['ht'].signals['Ato4l'].auc?.value;
 */
export function evaluateMethods(input: {
  background: { events: number };
  methods: Readonly<Record<string, readonly ScoredSeed[]>>;
}): Evaluation {
  const methods = Object.entries(input.methods).map(([method, seeds]) => {
    if (seeds.length === 0) throw new AnomalyClrError(`method ${method}: no scores`);
    const summaries = seeds.map(s => summariseSeed(method, s, input.background.events));
    const signals = Object.entries(seeds[0].signals).map(([name, scores]) => ({ name, events: scores.length }));
    for (const { name: signal, events } of signals) {
      const stray = seeds.find(s => s.signals[signal]?.length !== events);
      if (stray)
        throw new AnomalyClrError(
          `method ${method}, signal ${signal}: seed ${stray.seed} scored ${stray.signals[signal]?.length ?? 0} events, seed ${seeds[0].seed} ${events}; score the same file with each`,
        );
    }
    const of = seeds.map(s => s.seed);
    return [method, methodFigures(of, signals, summaries)] as const;
  });
  return { background: input.background, methods: Object.fromEntries(methods) };
}

/**
 * The figures of one method on every signal, seeds combined by `combineSeeds`.
 *
 * @param summaries - of each seed, by signal
 */
export function methodFigures(
  seeds: readonly number[],
  signals: readonly { readonly name: string; readonly events: number }[],
  summaries: readonly Readonly<Record<string, Summary>>[],
): Evaluation['methods'][string] {
  const figuresOf = signals.map(({ name, events }) => {
    const combined = combineSeeds(
      summaries.map(s => s[name]),
      seeds,
    );
    return [name, { events, ...inJson(combined) }] as const;
  });
  return { seeds: [...seeds], signals: Object.fromEntries(figuresOf) };
}

function summariseSeed(method: string, seed: ScoredSeed, events: number): Record<string, Summary> {
  if (seed.background.length !== events)
    throw new AnomalyClrError(
      `method ${method}, seed ${seed.seed}: ${seed.background.length} background scores for ${events} events`,
    );
  const background = sortScores(seed.background, `method ${method}, background scores`);
  const summaries = Object.entries(seed.signals).map(([signal, scores]) => {
    return [signal, summarise(background, sortScores(scores, `method ${method}, ${signal} scores`))] as const;
  });
  return Object.fromEntries(summaries);
}

function inJson(s: Summary): Omit<SignalFigures, 'events'> {
  return {
    auc: s.auc,
    'rejection_at_eff_0.3': s.rejectionAtEff03,
    efficiency_at_fpr: s.efficiencyAtFpr,
    sic_at_fpr: s.sicAtFpr,
  };
}

/** One figure of merit: how it is called, and where it stands in an evaluation. */
export interface Figure {
  readonly name: string;
  readonly of: (signal: SignalFigures) => Interval | null;
}

const atRate = (rate: Fpr): Figure => ({ name: `ε_s at ε_b ${rate}`, of: s => s.efficiency_at_fpr[rate] });

/** AUC, efficiencies and rejection; the larger the better. (SIC at a rate ranks as the efficiency there.) */
export const figures: readonly Figure[] = [
  { name: 'AUC', of: s => s.auc },
  ...falsePositiveRates.map(atRate),
  { name: '1/ε_b at ε_s 0.3', of: s => s['rejection_at_eff_0.3'] },
];

/** Who is ahead in one figure on one signal. */
export interface Comparison {
  readonly signal: string;
  readonly figure: string;
  readonly value: number;
  readonly other: string;
  readonly otherValue: number;
  /** `value` is the larger. */
  readonly better: boolean;
  /** The 95 % intervals do not touch. Both methods met the same events, so this asks for more than 95 %. */
  readonly clear: boolean;
}

/**
 * Sets `method` against each of `others` in every figure that both have.
 *
 * @throws AnomalyClrError where a method is not in the evaluation
 */
export function compareWith(evaluation: Evaluation, method: string, others: readonly string[]): Comparison[] {
  const signalsOf = (name: string) => {
    if (!(name in evaluation.methods))
      throw new AnomalyClrError(
        `no method ${name} in the evaluation; it has ${Object.keys(evaluation.methods).join(', ')}`,
      );
    return evaluation.methods[name].signals;
  };
  const mine = signalsOf(method);
  const comparisons: Comparison[] = [];
  for (const other of others) {
    const theirs = signalsOf(other);
    for (const signal of Object.keys(mine).filter(s => s in theirs))
      for (const { name: figure, of } of figures) {
        const [a, b] = [of(mine[signal]), of(theirs[signal])];
        if (!a || !b) continue;
        comparisons.push({
          signal,
          figure,
          value: a.value,
          other,
          otherValue: b.value,
          better: a.value > b.value,
          clear: a.low > b.high || b.low > a.high,
        });
      }
  }
  return comparisons;
}
