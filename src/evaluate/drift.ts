import type { Domain, FeatureSummary, Multiplicity } from '../events/domain.js';
import { dataKind } from '../events/data-kinds.js';
import { boundaryOf, kindsOf, quantileProbabilities } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { Kind, type KindName, kindNames } from '../events/objects.js';
import { kolmogorovSmirnov, populationStability, stabilityNoise } from './drift-statistics.js';

/**
 * How far a feature has moved, by the bounds of the population stability index that are customary in credit scoring
 * (0.1 and 0.25), once the difference is significant at all:
 *
 *     few      fewer than 100 events on one side: no verdict
 *     stable   no significant difference
 *     slight   a significant one, index below 0.1
 *     shifted  index from 0.1
 *     changed  index from 0.25
 *
 * Significant is what chance does less than once in a thousand times, in the index or in the Kolmogorov-Smirnov distance.
 * What chance adds to the index is taken off before it is held against the bounds.
 */
export type DriftVerdict = (typeof driftVerdicts)[number];
export const driftVerdicts = ['few', 'stable', 'slight', 'shifted', 'changed'] as const;

export const stabilityBounds = { shifted: 0.1, changed: 0.25 } as const;
export const fewestEvents = 100;
const significant = 1e-3;
/** Training shares that bound the bins of the index, where the percentiles are known and where only the quantiles are. */
const stabilityShares = {
  percentiles: [0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99],
  quantiles: [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99],
};
/** Least share of the training events in a bin of multiplicities; neighbours are merged up to it. */
const leastShare = 0.01;

/** One feature of a sample against the training sample. */
export interface DriftFeature {
  /** For instance `jet pT`, `jets per event`, `objects per event`. */
  readonly feature: string;
  /** `event`: of all kinds together. */
  readonly kind: KindName | 'event';
  readonly quantity: 'pt' | 'eta' | 'phi' | 'count';
  /** Objects, or for a multiplicity events, of the training and of the sample. */
  readonly training: number;
  readonly sample: number;
  /** Population stability index; null where the sample has none. */
  readonly psi: number | null;
  /** What it is on average where nothing has changed. */
  readonly psiNoise: number;
  /** Kolmogorov-Smirnov distance at the known quantiles of the training; the true one is at most `ksResolution` larger. */
  readonly ks: number | null;
  readonly ksResolution: number;
  /** Passed once in twenty times where nothing has changed. */
  readonly ksCritical: number | null;
  readonly ksP: number | null;
  /** Share of the sample below the least and above the greatest value of the training. */
  readonly outside: number;
  readonly verdict: DriftVerdict;
  /**
   * Shares of both between edges, for drawing: bins (edges[k], edges[k+1]] from the least to the greatest training value,
   * what lies beyond in the outermost. Of a multiplicity n in [n, n + 1), the last bin with all above.
   */
  readonly bins: {
    readonly edges: readonly number[];
    readonly training: readonly number[];
    readonly sample: readonly number[];
  };
}

export interface Drift {
  /** Events of the training and of the sample. */
  readonly training: number;
  readonly events: number;
  /** Objects left out: of unknown kind, or not finite. */
  readonly invalid: number;
  readonly features: readonly DriftFeature[];
}

const quantities = ['pt', 'eta', 'phi'] as const;
const labels = { pt: 'pT', eta: 'eta', phi: 'phi' } as const;

/** Counters of a feature in the flat array: bins up to each knot, one above the last, then below and above the boundary. */
interface ContinuousPart {
  readonly kind: KindName;
  readonly quantity: (typeof quantities)[number];
  readonly seen: FeatureSummary;
  readonly boundary: { readonly min: number; readonly max: number };
  /** Rising values, and the training share at or below each. */
  readonly knots: Float64Array;
  readonly shares: readonly number[];
  readonly at: number;
}

/** Counters of a multiplicity: 0 .. seen.max objects, then more. */
interface CountPart {
  readonly kind: KindName | 'event';
  readonly seen: Multiplicity;
  readonly at: number;
}

/**
 * Compares a stream of events with a training domain, feature by feature, in bounded memory (some 10 kB).
 *
 * Objects of one event are not independent of each other, so where chance is judged an event counts once for each kind
 * that it has, however many objects of it. Features are taken to be continuous, as pT, eta and phi are. A kind that the
 * training never saw has no features; it shows in the multiplicities.
 *
 * @example
 * const accumulator = new DriftAccumulator(domain);
 * for await (const batch of readEvents(file, { onBadEvent: 'skip' })) accumulator.add(batch);
 * const { features } = accumulator.snapshot();
 */
export class DriftAccumulator {
  private events = 0;
  private invalid = 0;
  /** By place of the kind, then quantity; undefined for what the training never saw, and for the eta of MET, which has none. */
  private readonly continuous: (ContinuousPart | undefined)[] = [];
  /** By place of the kind, then of all kinds, where there are several. */
  private readonly multiplicities: CountPart[] = [];
  private readonly counters: Float64Array;
  private readonly kinds: readonly KindName[];
  /** Place of a kind among those of the data by its class code; -1 for what is none of them. */
  private readonly placeOf = new Int32Array(kindNames.length + 1).fill(-1);
  private readonly perPlace: Int32Array;

  constructor(private readonly domain: Domain) {
    let at = 0;
    const kinds = (this.kinds = kindsOf(domain));
    this.perPlace = new Int32Array(kinds.length);
    for (const [place, kind] of kinds.entries()) this.placeOf[Kind[kind]] = place;
    for (const kind of kinds)
      for (const quantity of quantities) {
        const seen = domain.kinds[kind][quantity];
        const boundary = boundaryOf(domain, kind, quantity);
        if (!seen || !boundary || (kind === 'met' && quantity === 'eta')) {
          this.continuous.push(undefined);
          continue;
        }
        const { knots, shares } = knotsOf(seen);
        this.continuous.push({ kind, quantity, seen, boundary, knots, shares, at });
        at += knots.length + 3;
      }
    for (const kind of kinds.length > 1 ? ([...kinds, 'event'] as const) : kinds) {
      const seen = kind === 'event' ? domain.multiplicity : domain.kinds[kind].multiplicity;
      this.multiplicities.push({ kind, seen, at });
      at += seen.max + 2;
    }
    this.counters = new Float64Array(at);
  }

  add(batch: EventBatch): void {
    for (let e = 0; e < batch.count; e++) {
      this.perPlace.fill(0);
      for (let o = batch.offsets[e]; o < batch.offsets[e + 1]; o++)
        this.addObject(batch.pt[o], batch.eta[o], batch.phi[o], batch.kind[o]);
      this.endEvent();
    }
  }

  /**
   * @param objects - [events, slots, 4] = pT [GeV], eta, phi [rad], class; class 0 in an empty slot
   * @param from - first event to look at
   * @param stride - every how many events one is looked at
   */
  addPadded(objects: Float32Array, events: number, slots: number, from = 0, stride = 1): void {
    for (let e = from; e < events; e += stride) {
      this.perPlace.fill(0);
      for (let o = e * slots * 4; o < (e + 1) * slots * 4; o += 4)
        if (objects[o + 3] !== 0) this.addObject(objects[o], objects[o + 1], objects[o + 2], objects[o + 3]);
      this.endEvent();
    }
  }

  private addObject(pt: number, eta: number, phi: number, code: number): void {
    const finite = Number.isFinite(pt + eta + phi);
    const place = this.placeOf[code] ?? -1; // no code that is not whole is there
    if (!finite || place < 0) {
      this.invalid += 1;
      return;
    }
    this.perPlace[place] += 1;
    const first = place * quantities.length;
    this.count(this.continuous[first], pt);
    this.count(this.continuous[first + 1], eta);
    this.count(this.continuous[first + 2], phi);
  }

  private count(part: ContinuousPart | undefined, value: number): void {
    if (!part) return;
    const { knots, at, boundary } = part;
    let [low, high] = [0, knots.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (value <= knots[middle]) high = middle;
      else low = middle + 1;
    }
    this.counters[at + low] += 1;
    if (value < boundary.min) this.counters[at + knots.length + 1] += 1;
    else if (value > boundary.max) this.counters[at + knots.length + 2] += 1;
  }

  private endEvent(): void {
    let total = 0;
    for (let k = 0; k < this.multiplicities.length; k++) {
      const { at, seen } = this.multiplicities[k];
      const objects = k < this.kinds.length ? this.perPlace[k] : total;
      total += objects;
      this.counters[at + Math.min(objects, seen.max + 1)] += 1;
    }
    this.events += 1;
  }

  /** The events of both, for instance of two windows in time; `other` is of the same domain. */
  plus(other: DriftAccumulator): DriftAccumulator {
    const both = new DriftAccumulator(this.domain);
    both.events = this.events + other.events;
    both.invalid = this.invalid + other.invalid;
    for (let k = 0; k < this.counters.length; k++) both.counters[k] = this.counters[k] + other.counters[k];
    return both;
  }

  /** In the order of the kinds, each with pt, eta, phi and its multiplicity; then all objects of an event. */
  snapshot(): Drift {
    const features = this.multiplicities.flatMap((part, k) => {
      const ofKind = this.continuous.slice(k * quantities.length, (k + 1) * quantities.length);
      const withKind = this.events - (k < this.kinds.length ? this.counters[part.at] : 0);
      return [
        ...ofKind.filter(one => one !== undefined).map(one => this.compareContinuous(one, withKind)),
        this.compareCounts(part),
      ];
    });
    return { training: this.domain.events, events: this.events, invalid: this.invalid, features };
  }

  /** @param withKind - events of the sample with an object of the kind */
  private compareContinuous(part: ContinuousPart, withKind: number): DriftFeature {
    const { kind, quantity, seen, knots, shares, at } = part;
    const counts = this.counters.subarray(at, at + knots.length + 1);
    const [below, above] = this.counters.subarray(at + knots.length + 1);
    const sample = counts.reduce((a, b) => a + b, 0);
    const training = this.domain.kinds[kind].objects;
    const trained = this.domain.events - (this.domain.kinds[kind].multiplicity.counts[0] ?? 0);
    const bounds = stabilityBins(shares, seen.percentiles ? 'percentiles' : 'quantiles');
    const gaps = [...shares, 1].map((share, k) => share - (shares[k - 1] ?? 0));
    let [seenSoFar, ks] = [0, Math.max(below, above) / sample];
    for (const [k, share] of shares.entries()) {
      seenSoFar += counts[k];
      ks = Math.max(ks, Math.abs(seenSoFar / sample - share));
    }
    const edges = [Math.min(seen.min, knots[0]), ...knots, Math.max(seen.max, knots[knots.length - 1])];
    return {
      feature: `${kind === 'met' ? 'MET' : kind} ${labels[quantity]}`,
      kind,
      quantity,
      training,
      sample,
      ...judge({
        sample: merge(counts, bounds),
        training: merge(gaps, bounds).map(share => share * training),
        independent: [withKind, trained],
        ks,
      }),
      ksResolution: Math.max(...gaps),
      outside: sample > 0 ? (below + above) / sample : 0,
      bins: { edges, training: gaps, sample: Array.from(counts, c => c / Math.max(1, sample)) },
    };
  }

  private compareCounts({ kind, seen, at }: CountPart): DriftFeature {
    const counts = this.counters.subarray(at, at + seen.max + 2);
    const { events: training } = this.domain;
    const { events: sample } = this;
    const known = Float64Array.from(counts, (_, n) => seen.counts[n] ?? 0);
    let [cumulated, ks] = [0, 0];
    for (const [n, count] of counts.entries()) {
      cumulated += count / Math.max(1, sample) - known[n] / training;
      ks = Math.max(ks, Math.abs(cumulated));
    }
    const outside = counts.reduce((all, count, n) => (n < seen.min || n > seen.max ? all + count : all), 0);
    const bounds = countBins(seen, training);
    const { one } = dataKind(this.domain.data).words;
    return {
      feature: kind === 'event' ? `objects per ${one}` : `${kind === 'met' ? 'MET' : `${kind}s`} per ${one}`,
      kind,
      quantity: 'count',
      training,
      sample,
      ...judge({
        sample: merge(counts, bounds),
        training: merge(known, bounds),
        independent: [sample, training],
        ks,
      }),
      ksResolution: 0,
      outside: sample > 0 ? outside / sample : 0,
      bins: {
        edges: Array.from({ length: counts.length + 1 }, (_, n) => n),
        training: Array.from(known, c => c / training),
        sample: Array.from(counts, c => c / Math.max(1, sample)),
      },
    };
  }
}

/** Where the training distribution is known: its percentiles, or else its quantiles; of equal ones the last. */
function knotsOf({ quantiles, percentiles }: FeatureSummary): { knots: Float64Array; shares: number[] } {
  const known = percentiles
    ? percentiles.slice(1, -1).map((value, k) => ({ value, share: (k + 1) / 100 }))
    : quantiles.map((value, k) => ({ value, share: quantileProbabilities[k] }));
  const distinct = known.filter(({ value }, k) => k + 1 === known.length || known[k + 1].value > value);
  return { knots: Float64Array.from(distinct, d => d.value), shares: distinct.map(d => d.share) };
}

/** Ends (exclusive) of the runs of cells that make a bin of the index; the cell after the last share is the last. */
function stabilityBins(shares: readonly number[], known: keyof typeof stabilityShares): number[] {
  const ends = stabilityShares[known].map(wanted => shares.findIndex(share => share >= wanted - 1e-9) + 1);
  return [...new Set(ends.filter(end => end > 0)), shares.length + 1];
}

/** The same for multiplicities: neighbours merged up to the least share; counts never seen are bins of their own. */
function countBins({ min, max, counts }: Multiplicity, events: number): number[] {
  const ends: number[] = min > 0 ? [min] : [];
  let share = 0;
  for (let n = min; n <= max; n++) {
    share += (counts[n] ?? 0) / events;
    if (share < leastShare) continue;
    ends.push(n + 1);
    share = 0;
  }
  if (share > 0) ends[ends.length - 1] = max + 1; // too few for a bin: with their neighbours
  return [...ends, max + 2];
}

function merge(values: ArrayLike<number>, ends: readonly number[]): number[] {
  return ends.map((end, k) => {
    let total = 0;
    for (let i = k === 0 ? 0 : ends[k - 1]; i < end; i++) total += values[i];
    return total;
  });
}

type Judgement = Pick<DriftFeature, 'psi' | 'psiNoise' | 'ks' | 'ksCritical' | 'ksP' | 'verdict'>;

/** @param of - counts by bin of the index, independent values of sample and training, Kolmogorov-Smirnov distance */
function judge(of: {
  readonly sample: number[];
  readonly training: number[];
  readonly independent: readonly [number, number];
  readonly ks: number;
}): Judgement {
  const [n, m] = of.independent;
  const psi = populationStability(of.sample, of.training);
  if (psi === null || !(n > 0 && m > 0))
    return { psi: null, psiNoise: 0, ks: null, ksCritical: null, ksP: null, verdict: 'few' };
  const used = of.sample.filter((count, k) => count > 0 || of.training[k] > 0).length;
  const noise = stabilityNoise(used, n, m);
  const { p, critical } = kolmogorovSmirnov(of.ks, n, m);
  const excess = psi - noise.mean;
  const verdict = (): DriftVerdict => {
    if (Math.min(n, m) < fewestEvents) return 'few';
    if (psi <= noise.limit && p >= significant) return 'stable';
    if (excess < stabilityBounds.shifted) return 'slight';
    return excess < stabilityBounds.changed ? 'shifted' : 'changed';
  };
  return { psi, psiNoise: noise.mean, ks: of.ks, ksCritical: critical, ksP: p, verdict: verdict() };
}
