import { kindsOf, type Domain } from '../events/domain.js';
import { codesOf, countedCodes, sumUnit } from '../events/event-sums.js';
import type { Graph } from './graph.js';
import type { ObjectValues } from './model-objects.js';

/** Rows with the sums of their events behind them: withSums of events/event-sums.ts as a graph. */
export function addSums(
  graph: Graph,
  domain: Domain,
  codes: Int32Array,
  { pt, kinds, real }: ObjectValues,
  rows: string,
): string {
  const n = graph.node.bind(graph);
  const places = Array.from(codesOf(kindsOf(domain)));
  const take = (name: string, from: string, wanted: Int32Array): string =>
    n('Gather', [from, graph.list(...Array.from(wanted, code => places.indexOf(code)))], name, { axis: 1n });
  const column = (name: string, of: string): string => n('Unsqueeze', [of, graph.list(2)], name);
  // what is no object may have any pT
  const realPt = n('Where', [real, pt, graph.scalar(0)], 'real_pt');
  const ones = n('Mul', [kinds, column('present', graph.cast(real, 'float', 'is_real'))], 'ones');
  const pts = n('Mul', [ones, column('pt_column', n('Div', [realPt, graph.scalar(sumUnit)], 'scaled'))], 'pts');
  const sum = n('ReduceSum', [pts, graph.list(1)], 'sum_of_kind', { keepdims: 0n });
  const largest = n('ReduceMax', [pts], 'largest_of_kind', { axes: [1n], keepdims: 0n });
  const counted = countedCodes(codes);
  return n(
    'Concat',
    [
      rows,
      take('numbers', n('ReduceSum', [ones, graph.list(1)], 'number_of_kind', { keepdims: 0n }), counted),
      take('largest', largest, codes),
      take('others', n('Sub', [sum, largest], 'others_of_kind'), counted),
    ],
    'rows',
    { axis: 1n },
  );
}
