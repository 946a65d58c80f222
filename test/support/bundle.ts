import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { EncoderConfig } from '../../src/addon.js';
import { cardKey, inputName, type Card, type ReferenceEvent } from '../../src/bundle/card.js';
import { padEvents } from '../../src/bundle/pad.js';
import { openSession, type Tensors } from '../../src/bundle/session.js';
import { DomainBuilder } from '../../src/events/domain.js';
import { range, take, type EventBatch } from '../../src/events/event-batch.js';
import { buildModel, type GraphOptions, type ModelParts } from '../../src/export/model.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import type { DetectorWeights } from '../../src/score/detector.js';
import { fitPreparation } from '../../src/score/prepare.js';
import { columnsOf } from '../../src/score/representation.js';
import { packageRoot } from '../../src/addon.js';
import { bareCard } from './card.js';
import { sample } from './cli.js';
import { smallEncoder } from './encoder.js';

/** Whether bundles can be run here; where not, says so once. */
export const runtimeInstalled = existsSync(`${packageRoot()}/node_modules/onnxruntime-node`);
if (!runtimeInstalled) console.log('onnxruntime-node is not installed here: its tests are left out');
/** `test` where bundles can be run. */
export const needsRuntime = runtimeInstalled ? test : test.skip;

const encoder: EncoderConfig = { ...smallEncoder, headLayers: 2, headNorm: false };
const domainEvents = 400;
let sampleEvents: ReturnType<typeof readAll> | undefined;

export interface SmallBundle {
  readonly bytes: Uint8Array;
  readonly card: Card;
  /** The model inside, for the engine. */
  readonly parts: ModelParts & Required<Pick<ModelParts, 'detector'>>;
  /** The events that its domain is of, of the sample's background. */
  readonly events: EventBatch;
}

/**
 * A small whole bundle with a valid card: random weights, the domain of 400 sample events.
 *
 * @param options `seed` of the weights, `change` of the card before it is written
 * @example
 * await writeBundle(at('small.onnx'));
 * const bundle = await openBundle(at('small.onnx'), { sessions: 1, threads: 1 });
 */
export async function smallBundle(
  options: Partial<GraphOptions> & {
    readonly seed?: number;
    readonly name?: string;
    readonly change?: (card: Card) => unknown;
  } = {},
): Promise<SmallBundle> {
  const { part = 'scorer', precision = 'f32', layout = 'packed', seed = 3, name = 'anomalyclr', change } = options;
  const { batch: events } = await (sampleEvents ??= readAll([sample('background_train')], {
    onBadEvent: 'fail',
    maxEvents: domainEvents,
  }));
  const builder = new DomainBuilder();
  builder.add(events);
  const domain = builder.build();
  const columns = columnsOf('pool', encoder);
  const weights = Float32Array.from(initialWeights(encoderLayout(encoder), seed, 'f64'));
  const bare: ModelParts = { encoder: { config: { ...encoder, ptScale: domain.ptScale }, weights }, columns, domain };
  const graph: GraphOptions = { precision, layout, part };

  const { representation: rows } = await runOnce(
    buildModel(bare, { ...graph, precision: 'f32', part: 'encoder' }),
    events,
  );
  const preparation = fitPreparation('standardise', rows.data as Float32Array, encoder.width);
  const widths = [preparation.outputs, 9, 4, 9, preparation.outputs];
  const member = { kind: 'autoencoder', widths, activation: 'elu' } as const;
  const detector: DetectorWeights = {
    preparation,
    members: [{ ...member, weights: initialWeights(perceptronLayout(widths), seed + 1, 'f32') }],
  };
  const parts = { ...bare, detector };

  const references = take(events, [0, 1, 2, 3, 50, 51, 52, 53]);
  const card = bareCard(domain, {
    name,
    part,
    precision,
    layout,
    representation: { name: 'pool', size: encoder.width },
    training: { ...bareCard(domain).training, loss: 'anomclr+', seed, options: { epochs: 0 } },
    reference: {
      tolerance: precision === 'f32' ? { score: 5e-4, representation: 1e-5 } : { score: 5e-2, representation: 5e-2 },
      events: referenceEvents(references, await runOnce(buildModel(parts, graph), references)),
    },
  });
  const bytes = buildModel(parts, graph, { [cardKey]: JSON.stringify(change ? change(structuredClone(card)) : card) });
  return { bytes, card, parts, events };
}

/** Writes a {@link smallBundle}. */
export async function writeBundle(file: string, options: Parameters<typeof smallBundle>[0] = {}): Promise<SmallBundle> {
  const made = await smallBundle(options);
  await writeFile(file, made.bytes);
  return made;
}

async function runOnce(model: Uint8Array, events: EventBatch): Promise<Tensors> {
  const { objects, slots } = padEvents(events);
  const session = await openSession(model, { provider: 'cpu', threads: 1 });
  try {
    return await session.run({ [inputName]: { type: 'float32', dims: [events.count, slots, 4], data: objects } });
  } finally {
    await session.dispose();
  }
}

function referenceEvents(events: EventBatch, outputs: Tensors): ReferenceEvent[] {
  const row = (name: string, e: number): number[] => {
    const { data } = outputs[name];
    const size = data.length / events.count;
    return Array.from(data.subarray(e * size, (e + 1) * size), Number);
  };
  return Array.from({ length: events.count }, (_, e) => {
    const { pt, eta, phi, kind } = range(events, e, e + 1);
    return {
      objects: Array.from(pt, (p, o) => [p, eta[o], phi[o], kind[o]]),
      score: 'score' in outputs ? row('score', e)[0] : null,
      representation: row('representation', e),
      inDomain: row('in_domain', e)[0] === 1,
      distance: row('domain_distance', e)[0],
      crossed: row('crossed', e),
    };
  });
}
