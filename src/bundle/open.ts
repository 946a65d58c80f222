import { AnomalyClrError } from '../errors.js';
import type { Bundle, BundleOutputs, OpenBundleOptions } from './bundle.js';
import { inputName, slotLimits, type Card, type OutputName } from './card.js';
import { SessionPool } from './pool.js';
import { cardOf, outputsOf, readBundle } from './read.js';
import { coresFor } from './session.js';
import type { Tensors } from './thread.js';

/**
 * Opens a bundle: reads its file once, checks card and signature, and starts its sessions.
 *
 * @throws AnomalyClrError in one line where it cannot be used; UsageError where the provider asked for does not work here
 * @example
 * const bundle = await openBundle('anomalyclr.onnx');
 * const { score, inDomain } = await bundle.run(objects, events, slots);
 * await bundle.dispose();
 */
export async function openBundle(file: string, options: OpenBundleOptions = {}): Promise<Bundle> {
  const { bytes, card } = await readBundle(file);
  return open(bytes, card, file, options);
}

/** Opens a bundle that lies in memory; `name` stands for its file in messages. Else as openBundle. */
export function openBundleBytes(bytes: Uint8Array, name: string, options: OpenBundleOptions = {}): Promise<Bundle> {
  return open(bytes, cardOf(bytes, name), name, options);
}

async function open(bytes: Uint8Array, card: Card, file: string, options: OpenBundleOptions): Promise<Bundle> {
  const { provider = 'auto', threads = 0, sessions = 0 } = options;
  const pool = await SessionPool.open(bytes, file, { provider, cores: coresFor(threads), sessions });
  const outputs = outputsOf(card);
  const withoutRepresentation = outputs.filter(name => name !== 'representation');
  return {
    file,
    card,
    provider: pool.provider,
    sessions: pool.sessions,
    async run(objects, events, slots, want) {
      checkObjects(file, objects, events, slots);
      if (events === 0) return gather(card, {});
      const feeds = { [inputName]: { type: 'float32', dims: [events, slots, 4], data: objects } };
      return gather(card, await pool.run(feeds, want?.representation ? outputs : withoutRepresentation));
    },
    dispose: () => pool.dispose(),
  };
}

function gather(card: Card, found: Tensors): BundleOutputs {
  const of = <T>(name: OutputName): T | undefined => found[name]?.data as T | undefined;
  return {
    score: card.part === 'scorer' ? (of('score') ?? new Float32Array(0)) : undefined,
    representation: of('representation') ?? new Float32Array(0),
    inDomain: of('in_domain') ?? new Uint8Array(0),
    distance: of('domain_distance') ?? new Float32Array(0),
    crossed: of('crossed') ?? new Int32Array(0),
  };
}

function checkObjects(file: string, objects: Float32Array, events: number, slots: number): void {
  if (!(slots >= slotLimits.min && slots <= slotLimits.max))
    throw new AnomalyClrError(`${file}: got events of ${slots} slots, allowed: ${slotLimits.min} to ${slotLimits.max}`);
  if (objects.length !== events * slots * 4)
    throw new AnomalyClrError(
      `${file}: got ${objects.length} numbers for ${events} events of ${slots} slots, expected ${events * slots * 4}`,
    );
}
