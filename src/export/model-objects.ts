import { eventKindNames, Kind, type KindName } from '../events/objects.js';
import type { Graph } from './graph.js';

/** Values of the graph about every slot of every event. */
export interface ObjectValues {
  /** [batch, slots] pT in GeV */
  readonly pt: string;
  readonly eta: string;
  readonly phi: string;
  /** [batch, slots, 3] = pT, eta, phi */
  readonly features: string;
  /** int64 [batch, slots]: class code, 0 where it is unknown. */
  readonly code: string;
  /** [batch, slots, kinds]: 1 for the object's kind. */
  readonly kinds: string;
  /** [batch, slots, 4]: the class as the encoder reads it, 1 for MET, electron, muon, jet; zeros for what is none of these. */
  readonly classes: string;
  /** bool [batch, slots]: an object that the encoder sees. */
  readonly real: string;
  /** [batch, slots, 3] 1 where pT, eta or phi breaks the rules. */
  readonly invalid: string;
  /** [batch, slots] 1 where the class is unknown. */
  readonly unknownClass: string;
  /** bool [batch] */
  readonly validEvent: string;
}

const largest = 3.4028234e38;

/**
 * Takes the input apart and finds what breaks the rules: a number that is not finite, a class that is no kind of the data, a number
 * in an empty slot, an object without positive pT (MET may have 0). Comparisons with NaN are false, hence "not good"
 * everywhere rather than "bad".
 *
 * @param kindNames - those of the data, in the order of their codes
 */
export function addObjects(graph: Graph, input: string, kindNames: readonly KindName[]): ObjectValues {
  const n = graph.node.bind(graph);
  const features = n('Slice', [input, graph.list(0), graph.list(3), graph.list(2)], 'features');
  const columns = graph.split('Split', [input], ['pt_column', 'eta_column', 'phi_column', 'class_column'], {
    axis: 2n,
  });
  const [pt, eta, phi, kind] = ['pt', 'eta', 'phi', 'class'].map((name, i) =>
    n('Squeeze', [columns[i], graph.list(2)], name),
  );
  const codes = graph.constant(
    'codes',
    Float32Array.from(kindNames, name => Kind[name]),
    [kindNames.length],
  );
  const isKind = n('Equal', [columns[3], codes], 'is_kind');
  const kinds = graph.cast(isKind, 'float', 'kinds');
  const occupied = n(
    'Greater',
    [n('ReduceMax', [kinds], 'some_kind', { axes: [2n], keepdims: 0n }), graph.scalar(0)],
    'occupied',
  );
  const empty = n('Equal', [kind, graph.scalar(0)], 'empty');
  const known = n('Or', [occupied, empty], 'class_known');
  const code = graph.cast(n('Where', [known, kind, graph.scalar(0)], 'known_class'), 'int64', 'code');

  const ofSlot = (name: string, of: string): string => n('Unsqueeze', [of, graph.list(2)], name);
  const finite = n('LessOrEqual', [n('Abs', [features], 'sizes'), graph.scalar(largest)], 'finite');
  const zero = n('Equal', [features, graph.scalar(0)], 'zero');
  const positive = n('Greater', [pt, graph.scalar(0)], 'positive');
  const isMet = n('Equal', [kind, graph.scalar(1)], 'is_met');
  const balanced = n('And', [isMet, n('Equal', [pt, graph.scalar(0)], 'no_pt')], 'balanced_met');
  const possible = n('Or', [positive, balanced], 'possible_pt');
  // of the three features only pT has a rule
  const free = graph.constant('free_features', Uint8Array.of(0, 1, 1), [3], 'bool');
  const rules = n('Or', [ofSlot('pt_rule', possible), free], 'rules');
  const objectGood = n('And', [finite, rules], 'object_good');
  const isObject = ofSlot('slot_occupied', occupied);
  const good = n(
    'Or',
    [
      n('And', [isObject, objectGood], 'object_fine'),
      n('And', [n('Not', [isObject], 'slot_empty'), zero], 'empty_fine'),
    ],
    'good',
  );
  const invalid = graph.cast(n('Not', [good], 'not_good'), 'float', 'invalid');
  const unknownClass = graph.cast(n('Not', [known], 'class_unknown'), 'float', 'unknown_class');
  const faults = n(
    'Add',
    [n('ReduceMax', [invalid], 'slot_faults', { axes: [2n], keepdims: 0n }), unknownClass],
    'faults',
  );
  const validEvent = n(
    'Equal',
    [n('ReduceMax', [faults], 'worst', { axes: [1n], keepdims: 0n }), graph.scalar(0)],
    'valid_event',
  );
  const usable = n(
    'And',
    [n('And', [occupied, positive], 'has_pt'), n('Unsqueeze', [validEvent, graph.list(1)], 'of_valid_event')],
    'real',
  );
  const classes = graph.within('classes', () => addClasses(graph, kinds, kindNames));
  return { pt, eta, phi, features, code, kinds, classes, real: usable, invalid, unknownClass, validEvent };
}

function addClasses(graph: Graph, kinds: string, kindNames: readonly KindName[]): string {
  if (kindNames.every((name, k) => name === eventKindNames[k])) return kinds;
  const columns = eventKindNames.length;
  const matrix = new Float32Array(kindNames.length * columns);
  for (const [k, name] of kindNames.entries()) {
    const column = (eventKindNames as readonly KindName[]).indexOf(name);
    if (column >= 0) matrix[k * columns + column] = 1;
  }
  return graph.node('MatMul', [kinds, graph.constant('of_kinds', matrix, [kindNames.length, columns])], 'of_slots');
}
