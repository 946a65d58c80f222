import { AnomalyClrError, UsageError } from '../errors.js';
import { kindsOf } from '../events/domain.js';
import type { Bundle, BundleOutputs, OpenBundleOptions } from './bundle.js';
import {
  crossedColumns,
  crossedRowsOf,
  crossedSizeOf,
  scoreDifference,
  slotLimits,
  type Card,
  type ReferenceEvent,
  type Tolerance,
} from './card.js';
import { openBundle } from './open.js';
import { padRows, type PaddedEvents } from './pad.js';

/** How far the recomputed figures of one reference event lie from the card's, at the worst of all ways to compute them. */
export interface VerifiedEvent {
  /** From 1, as the card lists them. */
  readonly event: number;
  readonly objects: number;
  readonly score: number | null;
  /** Relative to the score, or to the card's scale of scores; null in a bundle without. */
  readonly scoreDifference: number | null;
  /** Relative to the largest number of the representation. */
  readonly representationDifference: number;
  readonly inDomain: boolean;
  readonly passed: boolean;
}

export interface Verified {
  readonly file: string;
  readonly passed: boolean;
  /** What does not agree, one line each. */
  readonly problems: readonly string[];
  /** What computed; undefined where the bundle could not be opened. */
  readonly provider?: string;
  readonly tolerance?: Tolerance;
  readonly events: readonly VerifiedEvent[];
}

/**
 * Whether a bundle gives here what it gave its maker: its reference events one by one and together, as the card has them
 * and with their objects spread over all slots in another order.
 *
 * @returns what was found, also of a bundle that cannot be opened
 * @throws UsageError where the provider asked for does not work here
 */
export async function verifyBundle(file: string, options: OpenBundleOptions = {}): Promise<Verified> {
  let bundle: Bundle;
  try {
    bundle = await openBundle(file, options);
  } catch (error) {
    if (!(error instanceof AnomalyClrError) || error instanceof UsageError) throw error;
    return { file, passed: false, problems: [error.message], events: [] };
  }
  try {
    const { card, provider } = bundle;
    const problems = cardProblems(card);
    const comparisons = card.reference.events.map((event, i) => new Comparison(i + 1, event, card));
    for (const { how, first, padded } of ways(card.reference.events)) {
      const found = await bundle.run(padded.objects, padded.events, padded.slots, { representation: true });
      for (let e = 0; e < padded.events; e++) comparisons[first + e].compare(found, e, how);
    }
    for (const comparison of comparisons) problems.push(...comparison.problems);
    const events = comparisons.map(comparison => comparison.result());
    return { file, passed: problems.length === 0, problems, provider, tolerance: card.reference.tolerance, events };
  } finally {
    await bundle.dispose();
  }
}

/** The verdict is computed in f32 whatever the precision of the encoder. */
const verdictTolerance = 1e-4;

/** Visits every slot once. */
const scattered = (row: number): number => (37 * row + 11) % slotLimits.max;

function* ways(events: readonly ReferenceEvent[]): Generator<{ how: string; first: number; padded: PaddedEvents }> {
  const rows = events.map(event => event.objects);
  for (const [first, event] of rows.entries()) {
    yield { how: 'alone', first, padded: padRows([event]) };
    yield {
      how: 'alone, its objects spread over 64 slots',
      first,
      padded: padRows([event], slotLimits.max, scattered),
    };
  }
  yield { how: 'together with the others', first: 0, padded: padRows(rows) };
  const spread = 'together with the others, its objects spread over 64 slots';
  yield { how: spread, first: 0, padded: padRows(rows, slotLimits.max, scattered) };
}

/** One reference event against what was computed of it, each way; the first fault of each figure is told. */
class Comparison {
  private readonly faults = new Map<string, string>();
  private scoreDifference = 0;
  private representationDifference = 0;

  constructor(
    private readonly event: number,
    private readonly expected: ReferenceEvent,
    private readonly card: Card,
  ) {}

  get problems(): string[] {
    return [...this.faults.values()];
  }

  compare(found: BundleOutputs, e: number, how: string): void {
    const { expected, card } = this;
    const { tolerance } = card.reference;
    const want = expected.representation;
    const at = (values: ArrayLike<number>, size: number) =>
      Array.from({ length: size }, (_, i) => values[e * size + i]);
    if (expected.score !== null && found.score) {
      const off = scoreDifference(found.score[e], expected.score, card.reference.scoreScale);
      this.scoreDifference = largest(this.scoreDifference, off);
      if (!(off <= tolerance.score)) this.fault('score', `${found.score[e]}, expected ${expected.score}`, how);
    }
    const scale = Math.max(Number.MIN_VALUE, ...want.map(Math.abs));
    const rows = at(found.representation, want.length).map((value, i) => Math.abs(value - want[i]) / scale);
    const off = rows.reduce(largest, 0);
    this.representationDifference = largest(this.representationDifference, off);
    if (!(off <= tolerance.representation))
      this.fault('representation', `off by ${off.toPrecision(2)} of its largest number`, how);
    const distance = found.distance[e];
    const allowed = verdictTolerance * Math.max(1, expected.distance);
    if (!(Math.abs(distance - expected.distance) <= allowed))
      this.fault('domain_distance', `${distance}, expected ${expected.distance}`, how);
    if ((found.inDomain[e] === 1) !== expected.inDomain)
      this.fault('in_domain', `${found.inDomain[e] === 1}, expected ${expected.inDomain}`, how);
    const crossed = at(found.crossed, crossedSizeOf(card.domain));
    const cell = crossed.findIndex((bits, i) => bits !== expected.crossed[i]);
    if (cell >= 0) {
      const [row, column] = [Math.floor(cell / crossedColumns.length), cell % crossedColumns.length];
      const name = `${crossedRowsOf(card.domain)[row]} ${crossedColumns[column]}`;
      this.fault('crossed', `${crossed[cell]} for ${name}, expected ${expected.crossed[cell]}`, how);
    }
  }

  result(): VerifiedEvent {
    const { event, expected, scoreDifference, representationDifference, faults } = this;
    return {
      event,
      objects: expected.objects.filter(([, , , kind]) => kind !== 0).length,
      score: expected.score,
      scoreDifference: expected.score === null ? null : scoreDifference,
      representationDifference,
      inDomain: expected.inDomain,
      passed: faults.size === 0,
    };
  }

  private fault(figure: string, what: string, how: string): void {
    if (!this.faults.has(figure)) this.faults.set(figure, `event ${this.event}: ${figure} ${what} (${how})`);
  }
}

/** The larger one, or NaN where one is: a figure that is no number must not pass for a small one. */
const largest = (a: number, b: number): number => Math.max(a, b);

/** What in a card cannot be, though each of its values alone could. */
export function cardProblems({ domain, calibration, reference }: Card): string[] {
  const problems: string[] = [];
  if (reference.events.length === 0)
    problems.push('its card has no reference events, so nothing shows that it is whole');
  for (const kind of kindsOf(domain)) {
    const { multiplicity, ...features } = domain.kinds[kind];
    if (multiplicity.min > multiplicity.max)
      problems.push(`its card: domain.kinds.${kind}.multiplicity: min is above max`);
    for (const feature of ['pt', 'eta', 'phi'] as const) {
      const seen = features[feature];
      if (!seen) continue;
      const ordered = [seen.min, ...seen.quantiles, seen.max];
      if (ordered.some((value, i) => i > 0 && value < ordered[i - 1]))
        problems.push(`its card: domain.kinds.${kind}.${feature}: min, quantiles and max do not rise`);
    }
  }
  const thresholds = (calibration?.thresholds ?? []).toSorted((a, b) => Number(b.rate) - Number(a.rate));
  for (const [i, { rate, threshold }] of thresholds.entries())
    if (i > 0 && threshold < thresholds[i - 1].threshold)
      problems.push(`its card: the threshold for ${rate} is below that for ${thresholds[i - 1].rate}`);
  return problems;
}
