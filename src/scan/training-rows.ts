import type { EventBatch } from '../events/event-batch.js';
import type { RowSource } from '../train/rows.js';
import type { Split } from '../train/split.js';
import { AnomalyClrError, Stopped } from '../errors.js';

/** Rows of background that detectors are fitted on: more change no figure that matters. */
const mostFitted = 100_000;
/** And those that tell the scale of their scores. */
const mostHeld = 20_000;

/** Rows of features of the events of a run. */
export interface FitRows {
  /** Of events that it was trained on, evenly taken. [n, features] */
  readonly training: Float32Array;
  /** Of events that it held back; the training rows where it held back none. [m, features] */
  readonly held: Float32Array;
}

/** @throws Stopped where `signal` fired */
export function stopIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Stopped('stopped while fitting detectors', signal);
}

/** @throws Stopped where `signal` fired */
export async function fitRows(rows: RowSource, split: Split, signal?: AbortSignal): Promise<FitRows> {
  const take = async (part: 'training' | 'validation', most: number): Promise<Float32Array> => {
    const stride = Math.max(1, Math.ceil(split[part] / most));
    const parts: Float32Array[] = [];
    let before = 0;
    for (let stretch = 0; stretch + 1 < rows.first.length; stretch++) {
      stopIfAborted(signal);
      const positions = split.within(rows.first[stretch], rows.first[stretch + 1])[part];
      const index = positions.filter((_, i) => (before + i) % stride === 0);
      before += positions.length;
      if (index.length > 0) parts.push(Float32Array.from(await rows.read(stretch, index)));
    }
    return joined(parts);
  };
  const training = await take('training', mostFitted);
  if (!training.every(Number.isFinite))
    throw new AnomalyClrError('features of background are not finite; no detector can be fitted on them');
  const held = await take('validation', mostHeld);
  return { training, held: held.length > 0 ? held : training };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A function of events that remembers the last batch: several methods score the same one after another. */
export function onceABatch<T>(make: (events: EventBatch) => T): (events: EventBatch) => T {
  let last: { readonly events: EventBatch; readonly made: T } | undefined;
  return events => {
    if (last?.events !== events) last = { events, made: make(events) };
    return last.made;
  };
}
