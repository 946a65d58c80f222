import type { BundleOutputs } from '../bundle/bundle.js';
import { type Card, crossedBits, crossedColumns, crossedRowsOf, crossedSizeOf } from '../bundle/card.js';
import { dataKind } from '../events/data-kinds.js';
import { DriftAccumulator } from '../evaluate/drift.js';
import { wilson } from '../evaluate/intervals.js';
import type { Live, LiveShare, LiveThreshold } from './live.js';
import { HighestEvents } from './monitor-events.js';
import { ScoreHistogram } from './monitor-scores.js';

/** A window takes over when the present one has both. */
const window = { seconds: 60, events: 20_000 };
const shownEvents = 12;
const shownBoundaries = 8;
const shownSeconds = 120;
/** Events a second that are looked at for drift. */
const driftRate = 1000;
const bitNames = ['below', 'above', 'invalid'] as const satisfies readonly (keyof typeof crossedBits)[];
const bitValues = bitNames.map(name => crossedBits[name]);

/** Counters of one window in time. */
class Window {
  events = 0;
  outside = 0;
  readonly scores = new ScoreHistogram();
  readonly highest = new HighestEvents(shownEvents);
  readonly passed: Float64Array;
  /** By cell of `crossed`, then bit. */
  readonly crossed: Float64Array;
  drift: DriftAccumulator;

  constructor(
    private readonly card: Card,
    public started: number,
  ) {
    this.passed = new Float64Array(card.calibration?.thresholds.length ?? 0);
    this.crossed = new Float64Array(crossedSizeOf(card.domain) * bitNames.length);
    this.drift = new DriftAccumulator(card.domain);
  }

  clear(now: number): void {
    this.events = 0;
    this.outside = 0;
    this.scores.clear();
    this.highest.clear();
    this.passed.fill(0);
    this.crossed.fill(0);
    this.drift = new DriftAccumulator(this.card.domain);
    this.started = now;
  }

  addAll(other: Window): void {
    this.events += other.events;
    this.outside += other.outside;
    this.scores.addAll(other.scores);
    this.highest.addAll(other.highest);
    for (const [k, count] of other.passed.entries()) this.passed[k] += count;
    for (const [k, count] of other.crossed.entries()) this.crossed[k] += count;
    this.drift = this.drift.plus(other.drift);
  }
}

/**
 * Keeps what {@link Live} tells of the events that were scored, in bounded memory: two windows in time, each of a minute
 * and 20,000 events at least, the older of which is forgotten when the newer is full.
 *
 * @example
 * const monitor = new Monitor(bundle.card);
 * monitor.record(objects, events, slots, await bundle.run(objects, events, slots));
 * reply.send(monitor.snapshot());
 */
export class Monitor {
  private present: Window;
  private past: Window;
  private events = 0;
  private outside = 0;
  private withoutScore = 0;
  private scored = 0;
  private readonly thresholds: Float64Array;
  private readonly passed: Float64Array;
  /** Events of each second, by second modulo the length; `second` is the one that is being counted. */
  private readonly rate = new Float64Array(shownSeconds + 1);
  private second: number;
  private stride = 1;
  private skip = 0;

  /** @param now - clock, ms since 1970 */
  constructor(
    readonly card: Card,
    private readonly now: () => number = Date.now,
  ) {
    const time = now();
    this.present = new Window(card, time);
    this.past = new Window(card, time);
    this.second = Math.floor(time / 1000);
    this.thresholds = Float64Array.from(card.calibration?.thresholds ?? [], t => t.threshold);
    this.passed = new Float64Array(this.thresholds.length);
  }

  /**
   * Takes note of events as they were scored. Costs 0.1 to 1 µs an event, by the size of the request, and keeps
   * none of the arrays.
   *
   * @param objects - [events, slots, 4] = pT [GeV], eta, phi [rad], class
   */
  record(objects: Float32Array, events: number, slots: number, outputs: BundleOutputs): void {
    const time = this.now();
    this.turn(time);
    this.tick(time);
    this.rate[this.second % this.rate.length] += events;
    this.events += events;
    this.present.events += events;
    this.recordDomain(events, outputs);
    this.recordScores(objects, events, slots, outputs, time);
    this.recordDrift(objects, events, slots);
  }

  private turn(time: number): void {
    const { events, started } = this.present;
    if (events < window.events || time - started < 1000 * window.seconds) return;
    [this.past, this.present] = [this.present, this.past];
    this.present.clear(time);
  }

  /** Brings the rate history to the present second, and the share looked at for drift to the rate of the last one. */
  private tick(time: number): void {
    const second = Math.floor(time / 1000);
    if (second <= this.second) return; // also a clock that was set back
    this.stride = Math.max(1, Math.ceil(this.rate[this.second % this.rate.length] / driftRate));
    for (let s = Math.max(this.second + 1, second - this.rate.length + 1); s <= second; s++)
      this.rate[s % this.rate.length] = 0;
    this.second = second;
  }

  private recordDomain(events: number, { inDomain, crossed }: BundleOutputs): void {
    const cells = crossedSizeOf(this.card.domain);
    let outside = 0;
    for (let e = 0; e < events; e++) {
      if (inDomain[e] === 1) continue;
      outside += 1;
      for (let cell = 0; cell < cells; cell++) {
        const bits = crossed[e * cells + cell];
        if (bits === 0) continue;
        for (let b = 0; b < bitNames.length; b++)
          if ((bits & bitValues[b]) !== 0) this.present.crossed[cell * bitNames.length + b] += 1;
      }
    }
    this.outside += outside;
    this.present.outside += outside;
  }

  private recordScores(objects: Float32Array, events: number, slots: number, outputs: BundleOutputs, time: number) {
    const { score, distance, inDomain } = outputs;
    const { scores, highest, passed } = this.present;
    for (let e = 0; e < events; e++) {
      // without a score the farthest from the domain are the most anomalous, but no event that breaks the rules
      const value = score ? score[e] : distance[e] > 0 && distance[e] < Infinity ? distance[e] : NaN;
      highest.offer(value, objects, e * slots * 4, slots, inDomain[e], time);
      if (!score) continue;
      if (Number.isNaN(value)) {
        this.withoutScore += 1;
        continue;
      }
      scores.add(value);
      this.scored += 1;
      for (let t = 0; t < this.thresholds.length; t++) {
        if (value < this.thresholds[t]) continue;
        passed[t] += 1;
        this.passed[t] += 1;
      }
    }
  }

  private recordDrift(objects: Float32Array, events: number, slots: number): void {
    const from = this.skip;
    if (from < events) this.present.drift.addPadded(objects, events, slots, from, this.stride);
    const looked = from < events ? Math.ceil((events - from) / this.stride) : 0;
    this.skip = from + looked * this.stride - events;
  }

  snapshot(): Live {
    const time = this.now();
    this.tick(time);
    const recent = new Window(this.card, Math.min(this.present.started, this.past.started));
    recent.addAll(this.past);
    recent.addAll(this.present);
    const { name, version, part, precision, created, training, domain } = this.card;
    return {
      time: new Date(time).toISOString(),
      model: { name, version, part, precision, created, loss: training.loss, ...planeOf(domain) },
      events: this.events,
      recent: { events: recent.events, seconds: Math.round((time - recent.started) / 1000) },
      scores: part === 'encoder' ? null : this.describeScores(recent),
      outOfDomain: {
        recent: share(recent.outside, recent.events),
        total: this.outside,
        boundaries: this.describeBoundaries(recent),
      },
      drift: recent.drift.snapshot().features.map(({ feature, sample, psi, ks, outside, verdict }) => ({
        feature,
        values: sample,
        psi: rounded(psi),
        ks: rounded(ks),
        outside,
        verdict,
      })),
      anomalies: recent.highest.list(domain),
      rate: Array.from({ length: shownSeconds }, (_, k) => this.rate[(this.second + 1 + k) % this.rate.length]),
    };
  }

  private describeScores({ scores, passed }: Window): Live['scores'] {
    const [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(p => scores.quantile(p));
    const thresholds = (this.card.calibration?.thresholds ?? []).map(({ rate, threshold }, t): LiveThreshold => ({
      rate,
      wanted: Number(rate),
      threshold,
      recent: share(passed[t], scores.total),
      total: share(this.passed[t], this.scored),
    }));
    return {
      spectrum: scores.spectrum(Math.max(-Infinity, ...this.thresholds)),
      quantiles: p50 === null || p90 === null || p99 === null || p999 === null ? null : { p50, p90, p99, p999 },
      without: this.withoutScore,
      thresholds,
    };
  }

  private describeBoundaries({ crossed }: Window): Live['outOfDomain']['boundaries'] {
    return Array.from(crossed, (events, k) => ({ events, k }))
      .filter(({ events }) => events > 0)
      .sort((a, b) => b.events - a.events)
      .slice(0, shownBoundaries)
      .map(({ events, k }) => ({ events, boundary: boundaryInWords(this.card, k) }));
  }
}

const columnNames = { pt: 'pT', eta: 'eta', phi: 'phi', count: 'count' } as const;
const columnUnits = { pt: ' GeV', eta: '', phi: ' rad', count: '' } as const;

/** For instance `jet pT above 540 GeV`. */
function boundaryInWords({ domain }: Card, k: number): string {
  const bit = bitNames[k % bitNames.length];
  const cell = Math.floor(k / bitNames.length);
  const row = crossedRowsOf(domain)[Math.floor(cell / crossedColumns.length)];
  const column = crossedColumns[cell % crossedColumns.length];
  const name = `${row === 'met' ? 'MET' : row === 'event' ? dataKind(domain.data).words.object : row} ${columnNames[column]}`;
  if (bit === 'invalid') return `${name} not valid`;
  const kind = row === 'event' ? { multiplicity: domain.multiplicity } : domain.kinds[row];
  const seen = column === 'count' ? kind.multiplicity : column in kind ? kind[column as keyof typeof kind] : null;
  if (seen === null || typeof seen !== 'object') return `${name} ${bit} what was seen`;
  return `${name} ${bit} ${Number(seen[bit === 'below' ? 'min' : 'max'].toPrecision(4))}${columnUnits[column]}`;
}

/** What the page has to know to draw events that are no collisions. */
function planeOf({ data, kinds }: Card['domain']): Pick<Live['model'], 'plane'> {
  const { roundPhi, etaScale, phiScale } = dataKind(data);
  if (roundPhi) return {};
  const seen = Object.values(kinds).flatMap(({ eta, phi }) => [...(eta?.quantiles ?? []), ...(phi?.quantiles ?? [])]);
  const half = Math.max(etaScale, phiScale, ...seen.map(Math.abs));
  return { plane: { eta: half, phi: half } };
}

function share(passed: number, events: number): LiveShare | null {
  if (events === 0) return null;
  const [low, high] = wilson(passed, events);
  return { events, passed, value: passed / events, low, high };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
