import type { EncoderConfig, Floats } from '../addon.js';
import type { TrainOptions } from '../config/schema.js';

export type RepresentationName = TrainOptions['representation'];

/** Length of a row of all representations of an event. */
export function rowLength({ width, headLayers, output }: EncoderConfig): number {
  return width + headLayers * output;
}

/** Which level of the encoder it is: 0 the pooled vector, l the output of layer l of the head. */
export function levelOf(name: RepresentationName, { headLayers }: EncoderConfig): number {
  return name === 'pool' ? 0 : name === 'last' ? headLayers : Number(name.slice(4));
}

/** The columns [from, to) of a representation: `pool`, `head1`.. after that head layer, `last` what training contrasts. */
export function columnsOf(name: RepresentationName, config: EncoderConfig): readonly [from: number, to: number] {
  const { width, output } = config;
  const level = levelOf(name, config);
  if (level === 0) return [0, width];
  const from = width + (level - 1) * output;
  return [from, from + output];
}

/** Those columns of rows, dense. */
export function selectColumns(rows: Floats, length: number, [from, to]: readonly [number, number]): Floats {
  if (from === 0 && to === length) return rows;
  const count = rows.length / length;
  const out =
    rows instanceof Float64Array ? new Float64Array(count * (to - from)) : new Float32Array(count * (to - from));
  for (let r = 0; r < count; r++) out.set(rows.subarray(r * length + from, r * length + to), r * (to - from));
  return out;
}
