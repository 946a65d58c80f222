import type { EncoderConfig } from '../addon.js';
import { directionScales } from '../augment/features.js';
import type { Graph } from './graph.js';
import type { ObjectValues } from './model-objects.js';

/**
 * Where the encoder's objects are. Dense layers see rows, one an object; attention and pooling see the objects of each
 * event in so many places.
 */
export interface Rows {
  /** [rows, features], or [batch, slots, features] where every slot is a row. */
  readonly features: string;
  /** bool [batch, places] */
  readonly filled: string;
  /** int64 [1]: the number of places. */
  readonly places: string;
  /** [batch, places, width] of rows of this width. */
  toPlaces(x: string, name: string): string;
  /** [heads, batch, places, size] of rows of heads * size numbers. */
  toHeads(x: string, heads: number, size: number, name: string): string;
  /** The way back. */
  fromHeads(x: string, heads: number, size: number, name: string): string;
}

/** The features of every slot, [batch, slots, features], as featureRows of augment/features.ts makes them. */
export function addFeatures(graph: Graph, config: EncoderConfig, { pt, eta, phi, classes }: ObjectValues): string {
  const n = graph.node.bind(graph);
  const { features, ptFeature, ptScale } = config;
  const { etaScale, phiScale } = directionScales(config);
  const log = ptFeature === 'log';
  const scaled = log ? n('Log', [n('Add', [pt, graph.scalar(1)], 'one_more')], 'log_pt') : pt;
  const factor = Math.fround(1 / Math.fround(log ? Math.log1p(Math.fround(ptScale)) : ptScale));
  const angles =
    features === 8
      ? [n('Sin', [phi], 'sin_phi'), n('Cos', [phi], 'cos_phi')]
      : [n('Div', [phi, graph.scalar(phiScale)], 'phi_share')];
  const columns = [
    n('Mul', [scaled, graph.scalar(factor)], 'pt_scaled'),
    n('Mul', [eta, graph.scalar(1 / etaScale)], 'eta_scaled'),
    ...angles,
  ];
  const wide = columns.map(column =>
    n('Unsqueeze', [column, graph.list(2)], `${column.slice(column.lastIndexOf('/') + 1)}_column`),
  );
  return n('Concat', [...wide, classes], 'of_slots', { axis: 2n });
}

/** Every slot is a row; no shape depends on data. */
export function paddedRows(graph: Graph, features: string, real: string): Rows {
  const n = graph.node.bind(graph);
  const slots = n('Shape', [real], 'slots', { start: 1n, end: 2n });
  return {
    features,
    filled: real,
    places: slots,
    toPlaces: x => x,
    toHeads: (x, heads, size, name) =>
      n('Transpose', [n('Reshape', [x, graph.list(0, 0, heads, size)], `${name}_split`)], name, {
        perm: [2n, 0n, 1n, 3n],
      }),
    fromHeads: (x, heads, size, name) =>
      n(
        'Reshape',
        [n('Transpose', [x], `${name}_turned`, { perm: [1n, 2n, 0n, 3n] }), graph.list(0, 0, heads * size)],
        name,
      ),
  };
}

/**
 * Rows for real objects alone, and after them one of zeros that fills the empty places; so many places as the fullest
 * event of the batch needs. An event of the sample has 3 objects in 19 slots: dense layers do a sixth of the work.
 */
export function packedRows(graph: Graph, featuresOfSlots: string, real: string, featureCount: number): Rows {
  const n = graph.node.bind(graph);
  const where = n('Transpose', [n('NonZero', [real], 'places_of_objects')], 'slots_of_rows', { perm: [1n, 0n] });
  const objects = n('GatherND', [featuresOfSlots, where], 'of_objects');
  const zeros = graph.constant('filler', new Float32Array(featureCount), [1, featureCount]);
  const features = n('Concat', [objects, zeros], 'of_rows', { axis: 0n });

  const counts = n('ReduceSum', [graph.cast(real, 'int64', 'ones'), graph.list(1)], 'counts', { keepdims: 0n });
  const ends = n('CumSum', [counts, graph.index(0)], 'ends');
  const starts = n('Sub', [ends, counts], 'starts');
  const total = n('ReduceSum', [counts, graph.list(0)], 'total', { keepdims: 1n });
  const places = n('Max', [n('ReduceMax', [counts], 'fullest', { axes: [0n], keepdims: 1n }), graph.list(1)], 'places');
  const scalarPlaces = n('Squeeze', [places], 'places_number');
  const place = n('Range', [graph.index(0), scalarPlaces, graph.index(1)], 'place');
  const column = (of: string, name: string): string => n('Unsqueeze', [of, graph.list(1)], name);
  const filled = n('Less', [place, column(counts, 'counts_column')], 'filled');
  const within = n('Add', [column(starts, 'starts_column'), place], 'row_if_filled');
  const rowOfPlace = n('Where', [filled, within, total], 'row_of_place');

  // back: row r of event e stands in place r - start(e) of places * e, the filler in any
  const event = n(
    'Squeeze',
    [n('Slice', [where, graph.list(0), graph.list(1), graph.list(1)], 'event_column'), graph.list(1)],
    'event_of_row',
  );
  const row = n('Range', [graph.index(0), n('Squeeze', [total], 'total_number'), graph.index(1)], 'row');
  const before = n(
    'Sub',
    [n('Mul', [event, places], 'first_place'), n('Gather', [starts, event], 'start_of_row', { axis: 0n })],
    'shift',
  );
  const placeOfRow = n('Concat', [n('Add', [row, before], 'place_of_object'), graph.list(0)], 'place_of_row', {
    axis: 0n,
  });
  return {
    features,
    filled,
    places,
    toPlaces: (x, name) => n('Gather', [x, rowOfPlace], name, { axis: 0n }),
    toHeads: (x, heads, size, name) => {
      const split = n('Reshape', [x, graph.list(-1, heads, size)], `${name}_split`);
      return n('Gather', [n('Transpose', [split], `${name}_rows`, { perm: [1n, 0n, 2n] }), rowOfPlace], name, {
        axis: 1n,
      });
    },
    fromHeads: (x, heads, size, name) => {
      const flat = n('Reshape', [x, graph.list(heads, -1, size)], `${name}_flat`);
      const rows = n('Gather', [flat, placeOfRow], `${name}_rows`, { axis: 1n });
      return n(
        'Reshape',
        [n('Transpose', [rows], `${name}_turned`, { perm: [1n, 0n, 2n] }), graph.list(-1, heads * size)],
        name,
      );
    },
  };
}
