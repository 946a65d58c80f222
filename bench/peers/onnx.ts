import type { InferenceSession } from 'onnxruntime-node';
import type { Columns, EncoderConfig } from '../../src/addon.js';
import { featureRows } from '../../src/augment/features.js';
import { AnomalyClrError } from '../../src/errors.js';
import { layout } from '../../src/events/objects.js';
import type { OnnxScorerConfig } from './onnx-model.js';

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

/**
 * Opens a model on ONNX Runtime's CPU provider, as one would who exports the published encoder: one graph, every event
 * padded to the 19 slots, or to the longest of its batch.
 *
 * @param argument `threads` 0 is one for every core
 * @throws AnomalyClrError where onnxruntime-node is not installed
 * @example
 * const scorer = await openOnnxScorer({ encoder, preparation, autoencoder, threads: 1 });
 */
export async function openOnnxScorer(argument: OnnxScorerConfig & { readonly threads: number }): Promise<OnnxScorer> {
  const [ort, { onnxModel }] = await load();
  const { encoder, autoencoder, threads } = argument;
  const sessions = new Map<'rows' | 'scores', Promise<InferenceSession>>();
  /** Made when first asked for: each output has a graph without what it does not need. */
  const session = (what: 'rows' | 'scores'): Promise<InferenceSession> => {
    let made = sessions.get(what);
    if (!made) {
      const options = {
        intraOpNumThreads: threads,
        graphOptimizationLevel: 'all',
        executionProviders: ['cpu'],
      } as const;
      made = ort.InferenceSession.create(onnxModel(argument, what), options);
      sessions.set(what, made);
    }
    return made;
  };
  const run = async (what: 'rows' | 'scores', events: Columns): Promise<Float32Array> => {
    const count = events.offsets.length - 1;
    if (count === 0) return new Float32Array(0);
    const opened = await session(what);
    const { slots, features, mask, pooling } = pad(encoder, events);
    const outputs = await opened.run({
      features: new ort.Tensor('float32', features, [count, slots, encoder.features]),
      mask: new ort.Tensor('float32', mask, [count, 1, 1, slots]),
      pooling: new ort.Tensor('float32', pooling, [count, slots, 1]),
    });
    return outputs[opened.outputNames[0]].data as Float32Array;
  };
  return {
    version: ort.env.versions.node ?? ort.env.versions.common,
    score: async events => {
      if (!autoencoder)
        throw new AnomalyClrError('the ONNX Runtime peer has no autoencoder to score with; give it one');
      return run('scores', events);
    },
    embed: events => run('rows', events),
    dispose: async () => {
      const opened = await Promise.all(sessions.values());
      sessions.clear();
      await Promise.all(opened.map(each => each.release()));
    },
  };
}

async function load() {
  try {
    return await Promise.all([import('onnxruntime-node'), import('./onnx-model.js')]);
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const mend = 'npm install --no-save onnxruntime-node onnx-buf';
    throw new AnomalyClrError(`onnxruntime-node does not load (${why}); where it is missing: ${mend}`);
  }
}

/** Rows of the encoder's features in slots, with the mask on keys and the weights of the sum over an event. */
function pad(config: EncoderConfig, events: Columns) {
  const { x, offsets } = featureRows(config, events);
  const { features: perRow, mask: kind } = config;
  const count = offsets.length - 1;
  let slots: number = layout.slots;
  for (let e = 0; e < count; e++) slots = Math.max(slots, offsets[e + 1] - offsets[e]);
  const features = new Float32Array(count * slots * perRow);
  const mask = new Float32Array(count * slots).fill(-1e9);
  const pooling = new Float32Array(count * slots);
  for (let e = 0; e < count; e++) {
    const [first, last] = [offsets[e], offsets[e + 1]];
    features.set(x.subarray(first * perRow, last * perRow), e * slots * perRow);
    for (let row = first; row < last; row++) {
      const pt = x[row * perRow];
      const at = e * slots + row - first;
      mask[at] = kind === 'continuous' ? 0.5 * Math.log(pt) : 0;
      pooling[at] = kind === 'continuous' ? pt : 1;
    }
  }
  return { slots, features, mask, pooling };
}
