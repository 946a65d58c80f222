import { philoxInto } from '../events/philox.js';
import { Purpose, streamId } from './numbers.js';

/**
 * Dropout in steps of 1/256, as one random byte decides: bytes from the threshold on keep their unit.
 *
 * @param rate share that goes, 0 <= rate < 1
 */
export function dropoutThreshold(rate: number): number {
  return Math.min(255, Math.round(rate * 256));
}

/** Factor on what stays, float32: exact for the share that really goes. */
export function dropoutScale(threshold: number): number {
  return Math.fround(256 / (256 - threshold));
}

/**
 * The stream of one site of a layer.
 *
 * @param site 0 attention probabilities, 1 attention output, 2 hidden units, 3 output
 */
export function dropoutStream(view: number, layer: number, site: 0 | 1 | 2 | 3): number {
  return streamId(Purpose.dropout, view, layer * 4 + site);
}

const { imul } = Math;
const words = new Uint32Array(4);

/**
 * Which units stay, as the native encoder decides: unit i of an event goes by byte i of the event's stream, the bytes of
 * a word from the lowest.
 *
 * @param key seed as for `Draws`, epoch, and {@link dropoutStream}
 * @param ids [events] key of each event
 * @param counts [events] how many units each has
 * @param threshold 0 .. 256; 256 keeps none
 * @returns [sum of counts], event after event: 1 stays, 0 goes
 */
export function dropoutKeep(
  key: { readonly seed: number; readonly epoch: number; readonly stream: number },
  ids: ArrayLike<number>,
  counts: ArrayLike<number>,
  threshold: number,
): Uint8Array {
  const { seed, epoch, stream } = key;
  const key0 = seed >>> 0;
  const key1 = Math.floor(seed / 2 ** 32) >>> 0;
  let total = 0;
  for (let e = 0; e < counts.length; e++) total += counts[e];
  // Whole blocks are written, each event over what the one before wrote too much.
  const keep = new Uint8Array(total + 15);
  const view = new DataView(keep.buffer); // its words need no alignment
  let start = 0;
  for (let e = 0; e < counts.length; e++) {
    const id = ids[e];
    const end = start + counts[e];
    for (let at = start, block = 0; at < end; at += 16, block++) {
      philoxInto(words, 0, block, stream, id, epoch, key0, key1);
      for (let w = 0; w < 4; w++) view.setUint32(at + 4 * w, keptBytes(words[w], threshold), true);
    }
    start = end;
  }
  return keep.subarray(0, total);
}

/**
 * byte >= threshold, as four bytes of 0 or 1, for the four bytes of a word at once: two bytes lie in lanes of 16 bits,
 * each with bit 8 set, and that bit outlives the threshold's subtraction where the byte is not below it.
 */
function keptBytes(word: number, threshold: number): number {
  const thresholds = imul(threshold, 0x00010001);
  const even = ((word & 0x00ff00ff) | 0x01000100) - thresholds;
  const odd = (((word >>> 8) & 0x00ff00ff) | 0x01000100) - thresholds;
  return ((even >>> 8) & 0x00010001) | (odd & 0x01000100);
}
