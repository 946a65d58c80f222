import type { Bundle, BundleOutputs } from '../bundle/bundle.js';
import { scoreDifference, type Card, type ReferenceEvent } from '../bundle/card.js';
import { padEvents } from '../bundle/pad.js';
import type { DetectorModel, Engine, Floats, ScoringModel } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { range, type EventBatch } from '../events/event-batch.js';
import { detectorConfig, toFloat32 } from '../score/detector.js';
import { encoderReading, type RunParts } from '../score/load-run.js';
import { Scorer } from '../score/scorer.js';
import { expectedOf } from './reference.js';

/** What the check of a finished bundle found. */
export interface Checked {
  readonly events: number;
  /** Largest difference from the engine, relative to the largest number. Null in a bundle of the encoder alone. */
  readonly score: number | null;
  readonly representation: number;
}

/** What a bundle is compared with. */
export interface CheckEngine {
  readonly scorer: Scorer;
  /** The same model in float64, and its detector in plain float32; undefined where the engine has no float64. */
  readonly exact: { readonly model: ScoringModel; readonly rounded: DetectorModel } | undefined;
  dispose(): void;
}

/** The run's own scorer, and what tells how far float32 carries it. */
export async function openCheckEngine(folder: string, engine: Engine, parts: RunParts): Promise<CheckEngine> {
  const scorer = await Scorer.open(folder, engine);
  if (!engine.precisions.includes('f64')) return { scorer, exact: undefined, dispose: () => scorer.dispose() };
  const { encoder, detector } = parts;
  const exact = {
    model: engine.scorer({
      ...detectorConfig(detector, 'f64'),
      encoder: encoderReading(parts, Float64Array.from(encoder.weights)),
    }),
    rounded: engine.detector(detectorConfig(detector, 'f32')),
  };
  return {
    scorer,
    exact,
    dispose: () => {
      for (const one of [scorer, exact.model, exact.rounded]) one.dispose();
    },
  };
}

/** Events that are compared together. Scores beyond the domain are so large that the others would vanish beside them. */
export interface CheckGroup {
  readonly what: string;
  readonly events: EventBatch;
}

/**
 * How far a representation may be from the engine's, relative to its largest number, and in f32 a score. A whitening that
 * enlarges directions of little variance enlarges what float32 rounds away too, past this limit in engine and graph alike:
 * then a score may be as far from that of the same model in float64 as {@link margin} times what plain float32 is.
 */
export const limits: Readonly<Record<Card['precision'], number>> = { f32: 1e-5, bf16: 2e-2, f16: 2e-2, int8: 0.1 };
const margin = 3;
/** For an engine without float64. */
const looseScores = 1e-3;
const batchEvents = 1024;

/**
 * Compares a bundle with the engine that the run scores with, and its reference events with what its card says of them.
 *
 * @throws AnomalyClrError where they differ by more than {@link limits} allow, or any verdict differs
 */
export async function checkBundle(
  bundle: Bundle,
  engine: CheckEngine,
  groups: readonly CheckGroup[],
): Promise<Checked> {
  const { reference } = bundle.card;
  const again = await expectedOf(
    bundle,
    reference.events.map(({ objects }) => objects),
  );
  again.forEach((event, i) => checkReference(event, reference.events[i], reference, i));
  let events = 0;
  const worst = { score: 0, representation: 0 };
  for (const { what, events: all } of groups) {
    const found = await compareGroup(bundle, engine, what, all);
    events += all.count;
    worst.score = Math.max(worst.score, found.score);
    worst.representation = Math.max(worst.representation, found.representation);
  }
  return { events, score: bundle.card.part === 'scorer' ? worst.score : null, representation: worst.representation };
}

async function compareGroup(
  bundle: Bundle,
  { scorer, exact }: CheckEngine,
  what: string,
  all: EventBatch,
): Promise<{ score: number; representation: number }> {
  const { part, precision } = bundle.card;
  const score = new Difference();
  const fromExact = { bundle: new Difference(), engine: new Difference(), rounded: new Difference() };
  const representation = new Difference();
  for (let from = 0; from < all.count; from += batchEvents) {
    const events = range(all, from, Math.min(all.count, from + batchEvents));
    const got = await runEvents(bundle, events, { representation: true });
    const inside = scorer.inDomain(events);
    const other = inside.findIndex((flag, i) => flag !== got.inDomain[i] || (got.distance[i] === 0) !== (flag === 1));
    if (other >= 0)
      throw mismatch(
        `${what} ${from + other} is ${inside[other] === 1 ? 'inside' : 'outside'} the domain for the engine, but ` +
          `in_domain is ${got.inDomain[other]} and domain_distance ${got.distance[other]}`,
      );
    const [found, rows] = [got.representation, await scorer.embed(events)];
    // int8 cuts off what lies beyond its ranges, which hold the domain
    const compared = precision === 'int8' ? inside : undefined;
    representation.add(rowsOf(found, compared), rowsOf(rows, compared));
    if (!got.score) continue;
    const wanted = await scorer.score(events);
    score.add(got.score, wanted);
    if (!exact) continue;
    const truth = await exact.model.score(events);
    fromExact.bundle.add(got.score, truth);
    fromExact.engine.add(wanted, truth);
    fromExact.rounded.add(await exact.rounded.score(toFloat32(await exact.model.embed(events))), truth);
  }
  const limit = limits[precision];
  if (!(representation.relative <= limit)) {
    const difference = `representations of ${what}s differ by ${text(representation.relative)}, allowed: ${limit}`;
    if (precision === 'f32') throw mismatch(difference);
    throw new AnomalyClrError(`--precision ${precision}: this model does not bear it: ${difference}; take another`);
  }
  const own = Math.max(fromExact.engine.relative, fromExact.rounded.relative);
  const near = exact ? fromExact.bundle.relative <= margin * own : score.relative <= looseScores;
  if (part === 'scorer' && precision === 'f32' && !(score.relative <= limit || near))
    throw mismatch(`scores of ${what}s differ by ${text(score.relative)}, allowed: ${limit}`);
  return { score: score.relative, representation: representation.relative };
}

/** The rows whose flag is 1; all where there are no flags. */
function rowsOf(rows: Floats, flags: Uint8Array | undefined): Floats {
  if (!flags) return rows;
  const size = rows.length / flags.length;
  return rows.filter((_, i) => flags[Math.floor(i / size)] === 1);
}

/** What a bundle says of a batch of events. */
export function runEvents(
  bundle: Bundle,
  batch: EventBatch,
  want?: { representation: boolean },
): Promise<BundleOutputs> {
  const { objects, events, slots } = padEvents(batch);
  return bundle.run(objects, events, slots, want);
}

/** Largest difference of numbers from those they should be, relative to the largest of these; NaN where one is not finite. */
export class Difference {
  private difference = 0;
  private largest = 0;

  add(got: Floats, wanted: Floats): void {
    if (got.length !== wanted.length) throw mismatch(`${got.length} numbers in place of ${wanted.length}`);
    for (let i = 0; i < got.length; i++) {
      this.difference = Math.max(this.difference, Math.abs(got[i] - wanted[i])); // a NaN stays
      this.largest = Math.max(this.largest, Math.abs(wanted[i]));
    }
  }

  get relative(): number {
    return this.difference === 0 ? 0 : this.difference / this.largest;
  }
}

function checkReference(
  got: ReferenceEvent,
  wanted: ReferenceEvent,
  { tolerance, scoreScale }: Card['reference'],
  i: number,
): void {
  const representation = new Difference();
  representation.add(Float64Array.from(got.representation), Float64Array.from(wanted.representation));
  const score = wanted.score === null || got.score === null ? 0 : scoreDifference(got.score, wanted.score, scoreScale);
  const same =
    got.inDomain === wanted.inDomain &&
    got.crossed.join() === wanted.crossed.join() &&
    (got.score === null) === (wanted.score === null);
  if (!same || !(score <= tolerance.score) || !(representation.relative <= tolerance.representation))
    throw mismatch(
      `reference event ${i}: score ${got.score} and in_domain ${got.inDomain} on opening, ` +
        `${wanted.score} and ${wanted.inDomain} in its card`,
    );
}

const text = (x: number): string => x.toExponential(1);

function mismatch(what: string): AnomalyClrError {
  return new AnomalyClrError(
    `the bundle does not do what the run does, so none was written: ${what}; please report it`,
  );
}
