import type { Card } from '../bundle/card.js';
import { crossedColumns, crossedRowsOf, inputName } from '../bundle/card.js';
import { kindsOf, type Domain } from '../events/domain.js';
import { noKinds, sumCount } from '../events/event-sums.js';
import type { EncoderFile } from '../model/encoder-file.js';
import type { DetectorWeights } from '../score/detector.js';
import { addDetector } from './model-detector.js';
import { addVerdict } from './model-domain.js';
import { addEncoder } from './model-encoder.js';
import { addObjects } from './model-objects.js';
import { addSums } from './model-sums.js';
import { Dense } from './model-dense.js';
import { Graph } from './graph.js';

/** A trained model. */
export interface ModelParts {
  readonly encoder: EncoderFile;
  /** The representation that the detector reads, as columnsOf gives it. */
  readonly columns: readonly [from: number, to: number];
  /** Class codes of the kinds whose sums it reads beside them; none where left out. */
  readonly sums?: Int32Array;
  readonly detector?: DetectorWeights;
  readonly domain: Domain;
}

export interface GraphOptions {
  readonly part: Card['part'];
  readonly precision: Card['precision'];
  readonly layout: Card['layout'];
  /** Largest absolute input of each dense layer, for int8: see quantise.ts. */
  readonly ranges?: ReadonlyMap<string, number>;
}

/**
 * The model as one ONNX file: objects in GeV and radians in, score, representation and verdict out, with the signature
 * of bundle/card.ts. Only standard operations of opset 17.
 *
 * An event that breaks the rules (see model-objects.ts) gets NaN for score and representation, and changes nothing for
 * the others of its batch.
 *
 * @param probe - makes outputs of the inputs of all dense layers of the encoder, named probe/ and the layer's path
 */
export function buildModel(
  parts: ModelParts,
  { part, precision, layout, ranges }: GraphOptions,
  metadata: Readonly<Record<string, string>> = {},
  probe = false,
): Uint8Array {
  const graph = new Graph();
  const input = graph.input(inputName, ['batch', 'slots', 4]);
  const objects = graph.within('objects', () => addObjects(graph, input, kindsOf(parts.domain)));
  const dense = new Dense(graph, precision, ranges);
  const columns = addEncoder(graph, dense, parts, layout, objects);
  const { sums = noKinds } = parts;
  const encoded =
    sums.length === 0 ? columns : graph.within('sums', () => addSums(graph, parts.domain, sums, objects, columns));
  const nan = graph.scalar(NaN);
  const known = graph.within('validity', () => graph.node('Unsqueeze', [objects.validEvent, graph.list(1)], 'of_row'));
  const representation = graph.within('validity', () => graph.node('Where', [known, encoded, nan], 'representation'));
  if (part === 'scorer' && parts.detector) {
    const { detector } = parts;
    const score = graph.within('detector', () => addDetector(graph, detector, encoded));
    graph.output(
      'score',
      graph.within('validity', () => graph.node('Where', [objects.validEvent, score, nan], 'score')),
      ['batch'],
    );
  }
  graph.output('representation', representation, ['batch', parts.columns[1] - parts.columns[0] + sumCount(sums)]);
  const verdict = graph.within('domain', () => addVerdict(graph, parts.domain, objects));
  graph.output('in_domain', verdict.inDomain, ['batch'], 'bool');
  graph.output('domain_distance', verdict.distance, ['batch']);
  graph.output(
    'crossed',
    verdict.crossed,
    ['batch', crossedRowsOf(parts.domain).length, crossedColumns.length],
    'int32',
  );
  if (probe) for (const [name, x] of dense.probes) graph.output(`probe/${name}`, x, ['rows', 'width']);
  return graph.bytes(metadata);
}
