import { scoreDifference, type Calibration, type PrecisionChange, type Threshold } from '../bundle/card.js';
import { AnomalyClrError } from '../errors.js';
import { auc } from '../evaluate/auc.js';
import { MINIMUM_BACKGROUND, wilson } from '../evaluate/intervals.js';
import { efficiencyAtFpr, roc, sortScores } from '../evaluate/roc.js';
import { falsePositiveRates } from '../evaluate/summary.js';
import { shuffle } from '../events/philox.js';

/** Keys the halves, apart from every epoch of training and from what it holds back. */
const halvesEpoch = 0xfffffffd;

/**
 * Two random halves of `count` events: one sets the thresholds, the other tells what they are worth.
 *
 * @param seed - of the run
 */
export function halves(count: number, seed: number): { setting: Int32Array; checking: Int32Array } {
  const order = shuffle(count, seed, halvesEpoch);
  const half = Math.floor(count / 2);
  return { setting: order.slice(0, half), checking: order.slice(half) };
}

/**
 * Thresholds for {@link falsePositiveRates}: the lowest score that lets at most floor(rate n) of the n events of the first half
 * pass, the working point of `efficiencyAtFpr`. A rate below which fewer than {@link MINIMUM_BACKGROUND} events are
 * expected gets none, with the reason.
 *
 * @param scores - of background events, float32 as the graph gives them. A threshold is one of these numbers, so
 * `score >= threshold` in float32 decides as here. [events]
 * @param inputRate - of events that reach the model, kHz
 * @throws AnomalyClrError on a NaN
 */
export function setThresholds(
  scores: Float32Array,
  seed: number,
  inputRate: number | null,
): Pick<Calibration, 'thresholds' | 'missing'> {
  const { setting, checking } = halves(scores.length, seed);
  const out: Pick<Calibration, 'thresholds' | 'missing'> = { thresholds: [], missing: [] };
  const few = falsePositiveRates.filter(rate => Number(rate) * setting.length < MINIMUM_BACKGROUND - 1e-9);
  for (const rate of few) out.missing.push({ rate, reason: tooFew(scores.length, setting.length, Number(rate)) });
  if (few.length === falsePositiveRates.length) return out;
  const sorted = sortScores(pick(scores, setting), 'background scores');
  const curve = roc(sorted, sorted);
  for (const rate of falsePositiveRates.filter(name => !few.includes(name))) {
    const { threshold, fp } = efficiencyAtFpr(curve, Number(rate));
    if (!Number.isFinite(threshold)) {
      const reason = `more than ${rate} of the background share the highest score, so no threshold cuts at this rate`;
      out.missing.push({ rate, reason });
      continue;
    }
    const check = share(countPassing(pick(scores, checking), threshold), checking.length);
    out.thresholds.push({
      rate,
      threshold,
      calibration: share(fp, setting.length),
      check,
      triggerRate: inputRate === null ? null : scaled(check.efficiency, inputRate),
    });
  }
  return out;
}

function tooFew(events: number, setting: number, rate: number): string {
  const expected = Number((rate * setting).toPrecision(3));
  return (
    `${expected} of the ${setting} events that set thresholds are expected above it, ${MINIMUM_BACKGROUND} are ` +
    `needed: give ${2 * Math.ceil(MINIMUM_BACKGROUND / rate - 1e-9)} background events in place of ${events}`
  );
}

/** Why there is no threshold at all. */
export const noThresholds = (reason: string): Pick<Calibration, 'thresholds' | 'missing'> => ({
  thresholds: [],
  missing: falsePositiveRates.map(rate => ({ rate, reason })),
});

function share(passed: number, events: number): Threshold['check'] {
  const [low, high] = wilson(passed, events);
  return { events, passed, efficiency: { value: passed / events, low, high } };
}

const scaled = ({ value, low, high }: Threshold['check']['efficiency'], by: number) => ({
  value: value * by,
  low: low * by,
  high: high * by,
});

function pick(scores: Float32Array, index: Int32Array): Float32Array {
  const picked = new Float32Array(index.length); // `from` would make a list of all first
  for (let i = 0; i < index.length; i++) picked[i] = scores[index[i]];
  return picked;
}

function countPassing(scores: Float32Array, threshold: number): number {
  let passing = 0;
  for (const score of scores) if (score >= threshold) passing++;
  return passing;
}

/** Scores of the same events by the f32 graph and by the one of another precision. [events] each */
export interface PairedScores {
  readonly f32: Float32Array;
  readonly here: Float32Array;
}

/**
 * What another precision changes.
 *
 * @param thresholds - of the f32 scores
 * @param signals - by name
 * @param scoreScale - as the card has it
 * @throws AnomalyClrError on no events or a NaN
 */
export function compareScores(
  background: PairedScores,
  signals: readonly (PairedScores & { readonly name: string })[],
  thresholds: readonly Threshold[],
  scoreScale?: number,
): PrecisionChange {
  const sorted = { f32: sortScores(background.f32), here: sortScores(background.here) };
  return {
    background: background.f32.length,
    scoreChange: relativeChange(background, scoreScale),
    decisions: changedDecisions(background, thresholds),
    signals: signals.map(({ name, ...scores }) => ({
      name,
      events: scores.f32.length,
      auc: { f32: auc(roc(sorted.f32, scores.f32)), here: auc(roc(sorted.here, scores.here)) },
      decisions: changedDecisions(scores, thresholds),
    })),
  };
}

/**
 * |here - f32| / |f32|, or over the scale of scores where that is larger; without a scale, an event whose f32 score is 0 has
 * no relative change and is left out.
 */
function relativeChange({ f32, here }: PairedScores, scoreScale?: number): PrecisionChange['scoreChange'] {
  const all = new Float64Array(f32.length);
  let count = 0;
  for (let i = 0; i < f32.length; i++) {
    const change = scoreDifference(here[i], f32[i], scoreScale);
    if (Number.isFinite(change) && (f32[i] !== 0 || scoreScale !== undefined)) all[count++] = change;
  }
  const changes = all.subarray(0, count).sort();
  if (changes.length === 0) throw new AnomalyClrError('no score above 0 to compare precisions with');
  const { length } = changes;
  const median = (changes[(length - 1) >> 1] + changes[length >> 1]) / 2;
  return { median, largest: changes[length - 1] };
}

function changedDecisions({ f32, here }: PairedScores, thresholds: readonly Threshold[]): PrecisionChange['decisions'] {
  return thresholds.map(({ rate, threshold }) => {
    let changed = 0;
    for (let i = 0; i < f32.length; i++) if (f32[i] >= threshold !== here[i] >= threshold) changed++;
    return { rate, changed, events: f32.length };
  });
}
