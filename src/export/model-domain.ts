import { crossedBits } from '../bundle/card.js';
import { boundaryOf, kindsOf, type Domain, type Multiplicity } from '../events/domain.js';
import { Kind, type KindName } from '../events/objects.js';
import type { Graph } from './graph.js';
import type { ObjectValues } from './model-objects.js';

/** Beyond every boundary, and small enough that differences stay finite. */
const unbounded = 1e30;
const features = ['pt', 'eta', 'phi'] as const;
type Feature = (typeof features)[number];

/** bool [batch]; float [batch]; int32 [batch, kinds + 1, 4], with the meaning of bundle/card.ts. */
export interface Verdict {
  readonly inDomain: string;
  readonly distance: string;
  readonly crossed: string;
}

/** Which boundaries of the training sample each event crosses, and how far: inDomain of events/domain.ts as a graph. */
export function addVerdict(graph: Graph, domain: Domain, objects: ObjectValues): Verdict {
  const n = graph.node.bind(graph);
  const { code, kinds, invalid, unknownClass, validEvent } = objects;
  const x = objects.features;
  const kindNames = kindsOf(domain);
  const codes = Kind[kindNames[kindNames.length - 1]] + 1;
  const rowsOfCrossed = kindNames.length + 1;
  // rows by class code; an empty slot, 0, has no boundaries, nor has a class of other data
  const table = (name: string, empty: number, of: (kind: KindName, feature: Feature) => number): string => {
    const data = new Float32Array(codes * 3).fill(empty);
    for (const kind of kindNames)
      data.set(
        features.map(feature => of(kind, feature)),
        Kind[kind] * 3,
      );
    return n('Gather', [graph.constant(`${name}_by_class`, data, [codes, 3]), code], name, { axis: 0n });
  };
  const least = table('least', -unbounded, (...of) => boundaryOf(domain, ...of)?.min ?? -unbounded);
  const greatest = table('greatest', unbounded, (...of) => boundaryOf(domain, ...of)?.max ?? unbounded);
  const perDeviation = table('per_deviation', 0, (kind, feature) => {
    const seen = domain.kinds[kind][feature];
    return seen ? 1 / (seen.std || 1) : 0;
  });
  const flags = n(
    'Concat',
    [
      graph.cast(n('Less', [x, least], 'is_below'), 'float', 'below'),
      graph.cast(n('Greater', [x, greatest], 'is_above'), 'float', 'above'),
      invalid,
    ],
    'flags',
    { axis: 2n },
  );
  // slots that no kind owns count for the event
  const some = n('ReduceSum', [kinds, graph.list(2)], 'owned', { keepdims: 1n });
  const owners = n('Concat', [kinds, n('Sub', [graph.scalar(1), some], 'unowned')], 'owners', { axis: 2n });
  const perOwner = n('MatMul', [n('Transpose', [owners], 'owners_first', { perm: [0n, 2n, 1n] }), flags], 'flagged');
  const bitsOf = (name: string, counts: string, weights: number[], shape: number[]): string =>
    n(
      'Mul',
      [
        graph.cast(n('Greater', [counts, graph.scalar(0)], `${name}_any`), 'float', `${name}_set`),
        graph.constant(`${name}_bits`, Float32Array.from(weights), shape),
      ],
      name,
    );
  const { below, above, invalid: broken } = crossedBits;
  const featureBits = n(
    'ReduceSum',
    [
      n(
        'Reshape',
        [
          bitsOf('weighted', perOwner, [below, below, below, above, above, above, broken, broken, broken], [9]),
          graph.list(0, rowsOfCrossed, 3, 3),
        ],
        'by_bit',
      ),
      graph.list(2),
    ],
    'feature_bits',
    { keepdims: 0n },
  );

  const ofKind = n('ReduceSum', [kinds, graph.list(1)], 'kind_counts', { keepdims: 0n });
  const ofAll = n('ReduceSum', [ofKind, graph.list(1)], 'event_count', { keepdims: 1n });
  const counts = n('Concat', [ofKind, ofAll], 'counts', { axis: 1n });
  const seen = [...kindNames.map(kind => domain.kinds[kind].multiplicity), domain.multiplicity];
  const row = (name: string, of: (m: Multiplicity) => number): string =>
    graph.constant(name, Float32Array.from(seen, of), [seen.length]);
  const [fewest, most] = [row('fewest', m => m.min), row('most', m => m.max)];
  const unknown = n('ReduceMax', [unknownClass], 'any_unknown', { axes: [1n], keepdims: 1n });
  const unknownBits = new Float32Array(rowsOfCrossed);
  unknownBits[kindNames.length] = broken;
  const countBits = n(
    'Add',
    [
      n(
        'Add',
        [
          graph.cast(n('Less', [counts, fewest], 'is_fewer'), 'float', 'fewer'),
          n(
            'Mul',
            [graph.cast(n('Greater', [counts, most], 'is_more'), 'float', 'more'), graph.scalar(above)],
            'more_bit',
          ),
        ],
        'count_bounds',
      ),
      n('Mul', [unknown, graph.constant('unknown_bit', unknownBits, [rowsOfCrossed])], 'unknown_bits'),
    ],
    'count_bits',
  );
  const bits = n('Concat', [featureBits, n('Unsqueeze', [countBits, graph.list(2)], 'count_column')], 'bits', {
    axis: 2n,
  });
  const inDomain = n(
    'Equal',
    [n('ReduceMax', [bits], 'worst_bits', { axes: [1n, 2n], keepdims: 0n }), graph.scalar(0)],
    'inside',
  );

  const excess = (name: string, value: string, low: string, high: string, per: string): string => {
    const beyond = n(
      'Max',
      [n('Sub', [low, value], `${name}_under`), n('Sub', [value, high], `${name}_over`), graph.scalar(0)],
      `${name}_beyond`,
    );
    return n('Mul', [beyond, per], `${name}_deviations`);
  };
  const ofFeatures = n('ReduceMax', [excess('feature', x, least, greatest, perDeviation)], 'feature_distance', {
    axes: [1n, 2n],
    keepdims: 0n,
  });
  const perCount = row('per_count', m => 1 / (deviation(m) || 1));
  const ofCounts = n('ReduceMax', [excess('count', counts, fewest, most, perCount)], 'count_distance', {
    axes: [1n],
    keepdims: 0n,
  });
  const far = n('Max', [ofFeatures, ofCounts], 'farthest');
  const distance = n('Where', [validEvent, far, graph.scalar(Infinity)], 'distance');
  return { inDomain, distance, crossed: graph.cast(bits, 'int32', 'mask') };
}

/** Standard deviation of a number of objects over the events. */
function deviation({ counts, mean }: Multiplicity): number {
  const events = counts.reduce((a, b) => a + b, 0);
  return events === 0 ? 0 : Math.sqrt(counts.reduce((sum, of, k) => sum + of * (k - mean) ** 2, 0) / events);
}
