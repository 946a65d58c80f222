import type { Addon, EncoderConfig } from '../../addon.js';
import { dropoutKeep, dropoutScale, dropoutStream, dropoutThreshold } from '../../augment/dropout.js';
import { paddedKeys } from '../../ops/attention.js';
import type { TokenLayout } from '../../ops/layout.js';
import type { LayerDropout } from './encoder.js';

/** Where the random numbers of dropout come from: those of the native engine, bit for bit. */
export interface DropoutKey {
  readonly seed: number;
  readonly epoch: number;
  /** Key of each event of a view; all views have the same events. */
  readonly ids: Int32Array;
}

/**
 * What dropout keeps in every layer, or undefined where nothing is dropped.
 *
 * @param offsets [views * events + 1]: the objects of the events, view after view
 * @param addon draws faster, where there is one
 */
export function drawDropout(
  config: EncoderConfig,
  layout: TokenLayout,
  offsets: Int32Array,
  key: DropoutKey,
  addon: Addon | undefined,
): LayerDropout[] | undefined {
  const threshold = dropoutThreshold(config.dropout);
  if (threshold === 0) return undefined;
  const scale = dropoutScale(threshold);
  const events = key.ids.length;
  const views = layout.counts.length / events;
  const ids = Uint32Array.from(key.ids);
  const objects = (e: number): number => offsets[e + 1] - offsets[e];

  /** Bytes of a site of a layer, `unitsOf` as many for each event. */
  const draw = (layer: number, site: 0 | 1 | 2 | 3, unitsOf: (e: number) => number) => {
    const parts = Array.from({ length: views }, (_, view) => {
      const counts = Int32Array.from({ length: events }, (__, i) => unitsOf(view * events + i));
      const stream = dropoutStream(view, layer, site);
      return addon
        ? addon.dropoutKeep({ seed: key.seed, epoch: key.epoch, stream, ids, counts, threshold })
        : dropoutKeep({ seed: key.seed, epoch: key.epoch, stream }, ids, counts, threshold);
    });
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  };
  /** What is kept of the rows of a matrix of `width` columns. */
  const rows = (layer: number, site: 1 | 2 | 3, width: number): Uint8Array => {
    const bytes = draw(layer, site, e => objects(e) * width);
    const keep = new Uint8Array(layout.rows * width);
    layout.rowOf.forEach((row, object) => keep.set(bytes.subarray(object * width, (object + 1) * width), row * width));
    return keep;
  };
  const pairs = (e: number): number => config.heads * objects(e) * paddedKeys(objects(e));
  const starts = new Int32Array(layout.counts.length + 1);
  for (let e = 0; e < layout.counts.length; e++) starts[e + 1] = starts[e] + pairs(e);
  /** Probabilities in the order of the layout. */
  const probabilities = (layer: number): Uint8Array => {
    const bytes = draw(layer, 0, pairs);
    const keep = new Uint8Array(bytes.length);
    let at = 0;
    for (const e of layout.order) {
      keep.set(bytes.subarray(starts[e], starts[e + 1]), at);
      at += pairs(e);
    }
    return keep;
  };
  return Array.from({ length: config.layers }, (_, layer) => ({
    probabilities: { keep: probabilities(layer), scale },
    attention: rows(layer, 1, config.width),
    hidden: rows(layer, 2, config.feedForward),
    output: rows(layer, 3, config.width),
  }));
}
