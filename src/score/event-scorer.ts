import type { ScoreOptions } from '../config/schema.js';
import type { OpenBundleOptions } from '../bundle/bundle.js';
import { isBundle } from '../bundle/read.js';
import { BundleScorer } from '../bundle/scorer.js';
import { openEngine, type EngineChoice, type Floats } from '../engine/index.js';
import { UsageError } from '../errors.js';
import type { Domain } from '../events/domain.js';
import type { EventBatch } from '../events/event-batch.js';
import { seedFolders } from '../model/run-folder.js';
import { Scorer, type Method } from './scorer.js';

/** A trained model that scores events: a run under an engine, or a bundle under ONNX Runtime. */
export interface EventScorer extends Method {
  readonly seed: number;
  readonly domain: Domain;
  /** Numbers of the representation that the detector reads. */
  readonly representationSize: number;
  /** Score and in-domain flag of each event. [events] each */
  judge(events: EventBatch): Promise<{ score: Float32Array; inDomain: Uint8Array }>;
  /** [events, representationSize] */
  embed(events: EventBatch): Promise<Floats>;
  /**
   * Of all that the scores come from, the same wherever the model lies. Without it an interrupted score can't be gone on
   * with, and shards can't be merged.
   */
  fingerprint?(): Promise<string>;
  /** What the run was compared with; a bundle has none. */
  comparators?(): Promise<Method[]>;
  dispose(): void | Promise<void>;
}

export type ScorerChoice = EngineChoice &
  OpenBundleOptions & {
    /** Folder of a trained run, or file of a bundle. */
    readonly model: string;
    /** Of a run, as in {@link Scorer.open}. */
    readonly precision?: ScoreOptions['precision'];
  };

/**
 * Opens what `--model` names: a run with the engine asked for, or a bundle, which needs none.
 *
 * @param notice - is told what kept the engine from being a better one
 * @throws as Scorer.open, openEngine, BundleScorer.open; UsageError for another precision of a bundle
 */
export async function openScorer(choice: ScorerChoice, notice?: (line: string) => void): Promise<EventScorer> {
  if (isBundle(choice.model)) {
    if (choice.precision === 'bf16')
      throw new UsageError(
        `--precision bf16: ${choice.model} is a bundle, which computes as it was exported; leave it out`,
      );
    return BundleScorer.open(choice.model, choice);
  }
  const engine = await openEngine(choice);
  if (engine.notice !== undefined) notice?.(engine.notice);
  return Scorer.open(choice.model, engine, choice.precision);
}

/** As openScorer, with a run's further seeds after its own. */
export async function openScorers(choice: ScorerChoice, notice?: (line: string) => void): Promise<EventScorer[]> {
  if (isBundle(choice.model)) return [await openScorer(choice)];
  const engine = await openEngine(choice);
  if (engine.notice !== undefined) notice?.(engine.notice);
  const scorers: EventScorer[] = [];
  try {
    for (const folder of await seedFolders(choice.model)) scorers.push(await Scorer.open(folder, engine));
    return scorers;
  } catch (error) {
    for (const scorer of scorers) await scorer.dispose();
    throw error;
  }
}
