import type { EventBatch } from './event-batch.js';
import { Kind, type KindName } from './objects.js';

type Floats = Float32Array | Float64Array;

/** GeV; sums of pT count in it, so that they are about as large as a representation. */
export const sumUnit = 100;

/** The class codes of kinds, as engines take them. */
export const codesOf = (kinds: readonly KindName[]): Int32Array => Int32Array.from(kinds, name => Kind[name]);

/** No sums at all. */
export const noKinds = new Int32Array(0);

/** The codes of kinds of which an event may have several. */
export const countedCodes = (codes: Int32Array): Int32Array => codes.filter(code => code !== Kind.met);

/** Numbers that {@link withSums} adds to a row. */
export const sumCount = (codes: Int32Array): number => codes.length + 2 * countedCodes(codes).length;

/**
 * Rows with the sums of their events behind them: the number of objects of each kind but MET, the largest pT of each kind, and
 * the sum of pT of the others of each kind but MET; pT in units of {@link sumUnit}, linear. An encoder whose features have log pT
 * and whose layers normalise says little of how hard an event is; these do. native/core/sums.h makes the same, to the bit.
 *
 * @param rows [events, any]
 * @param codes - of the kinds, each once; none gives the rows as they are
 */
export function withSums(
  rows: Floats,
  { pt, kind, offsets }: Pick<EventBatch, 'pt' | 'kind' | 'offsets'>,
  codes: Int32Array,
): Floats {
  if (codes.length === 0) return rows;
  const events = offsets.length - 1;
  const width = rows.length / Math.max(1, events);
  const counted = countedCodes(codes);
  const length = width + sumCount(codes);
  const out = rows instanceof Float64Array ? new Float64Array(events * length) : new Float32Array(events * length);
  const [number, sum, largest] = [0, 1, 2].map(() => new Float64Array(256));
  for (let e = 0; e < events; e++) {
    for (const byCode of [number, sum, largest]) byCode.fill(0);
    for (let o = offsets[e]; o < offsets[e + 1]; o++) {
      if (!(pt[o] > 0)) continue; // a MET that balances
      number[kind[o]]++;
      sum[kind[o]] += pt[o];
      largest[kind[o]] = Math.max(largest[kind[o]], pt[o]);
    }
    let at = e * length;
    out.set(rows.subarray(e * width, (e + 1) * width), at);
    at += width;
    for (const code of counted) out[at++] = number[code];
    for (const code of codes) out[at++] = largest[code] / sumUnit;
    // with the largest in it the two would be nearly one number, whose difference is what tells
    for (const code of counted) out[at++] = (sum[code] - largest[code]) / sumUnit;
  }
  return out;
}
