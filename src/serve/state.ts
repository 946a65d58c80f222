import type { Logger } from 'pino';
import type { ServeOptions } from '../config/schema.js';
import type { Batcher } from './batcher.js';
import type { Budget } from './body.js';
import type { Metrics } from './metrics.js';
import type { Loaded, ModelSlot } from './model-slot.js';
import { Refusal } from './refusal.js';

/** What the routes of a server share. */
export interface ServerState {
  readonly options: ServeOptions;
  /** Of this library. */
  readonly version: string;
  readonly slot: ModelSlot;
  readonly batcher: Batcher;
  readonly metrics: Metrics;
  readonly budget: Budget;
  readonly log: Logger;
  /** Loads the bundle again. Errors as ModelSlot.load. */
  readonly reload: () => Promise<void>;
  /** No more requests are taken. */
  stopping: boolean;
  /** Requests under way. */
  underWay: number;
}

/**
 * The model that an address names.
 *
 * @throws Refusal: 404 where there is none of the name or version, 503 before the first is ready
 */
export function currentModel(
  { options, slot }: ServerState,
  { name, version }: { readonly name?: string; readonly version?: string },
): Loaded {
  if (name !== undefined && name !== options.name)
    throw new Refusal(404, 'not-found', `no model "${name.slice(0, 60)}" here; this server has "${options.name}"`);
  const model = slot.current;
  if (!model) throw new Refusal(503, 'not-ready', 'the model is not ready yet; try again', 1);
  if (version !== undefined && version !== model.version)
    throw new Refusal(404, 'not-found', `no version ${version.slice(0, 60)}; the model is at version ${model.version}`);
  return model;
}
