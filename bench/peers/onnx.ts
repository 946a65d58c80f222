import type { Columns, NativeScorerConfig } from '../../src/addon.js';
import { padEvents } from '../../src/bundle/pad.js';
import { openSession } from '../../src/bundle/session.js';
import { AnomalyClrError } from '../../src/errors.js';
import type { Domain } from '../../src/events/domain.js';
import { buildModel } from '../../src/export/model.js';
import type { DetectorWeights } from '../../src/score/detector.js';

/** A model on ONNX Runtime, with the meaning of the engine's ScoringModel. */
export interface OnnxScorer {
  /** Of ONNX Runtime. */
  readonly version: string;
  /** One score an event. */
  score(events: Columns): Promise<Float32Array>;
  /** What the detector reads, [events, columns]. */
  embed(events: Columns): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** An encoder read at some columns, and what makes scores of these. */
export interface OnnxScorerConfig {
  readonly encoder: NonNullable<NativeScorerConfig['encoder']>;
  readonly detector?: DetectorWeights;
  /** 0 is one for every core. */
  readonly threads: number;
}

/**
 * Opens a model on ONNX Runtime's processor provider, as the graph of a bundle.
 *
 * @throws AnomalyClrError where onnxruntime-node is not installed
 * @example
 * const scorer = await openOnnxScorer({ encoder, detector, threads: 1 });
 */
export async function openOnnxScorer({ encoder, detector, threads }: OnnxScorerConfig): Promise<OnnxScorer> {
  const { weights, from, to, ...config } = encoder;
  const parts = { encoder: { config, weights }, columns: [from, to] as const, domain: noBoundaries };
  const bytes = buildModel(detector ? { ...parts, detector } : parts, {
    part: detector ? 'scorer' : 'encoder',
    precision: 'f32',
    layout: 'packed',
  });
  const session = await openSession(bytes, { provider: 'cpu', threads, name: 'the benchmark model' });
  const run = async (output: 'score' | 'representation', events: Columns): Promise<Float32Array> => {
    const count = events.offsets.length - 1;
    if (count === 0) return new Float32Array(0);
    const { objects, slots } = padEvents({ ...events, count, rows: Int32Array.from({ length: count }, (_, i) => i) });
    const feeds = { objects: { type: 'float32', dims: [count, slots, 4], data: objects } };
    return (await session.run(feeds, [output]))[output].data as Float32Array;
  };
  return {
    version: session.version,
    score: async events => {
      if (!detector) throw new AnomalyClrError('this model has no detector to score with; give it one');
      return run('score', events);
    },
    embed: events => run('representation', events),
    dispose: () => session.dispose(),
  };
}

const anyCount = { min: 0, max: 64, mean: 0, counts: [] };
const anything = { objects: 0, pt: null, eta: null, phi: null, multiplicity: anyCount };
const noBoundaries: Domain = {
  version: 1,
  events: 1,
  ptScale: 1,
  kinds: { met: anything, electron: anything, muon: anything, jet: anything },
  multiplicity: anyCount,
};
