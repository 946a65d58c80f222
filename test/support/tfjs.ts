import { loadAddon, type TrainerConfig } from '../../src/addon.js';
import { TfjsTrainer, type Surroundings } from '../../src/engine/tfjs/trainer.js';
import { openBackend, type BackendName } from '../../src/ops/backend.js';
import type { Kernels } from '../../src/ops/attention.js';

/** The backend as models of the engine take it. */
export async function surroundings(name: BackendName): Promise<Surroundings> {
  return { backend: await openBackend(name, 2), kernels: 'pure', addon: loadAddon() };
}

/** A trainer whose views are given to it. */
export function trainerOn(on: Surroundings, kernels: Kernels, config: Omit<TrainerConfig, 'precision'>): TfjsTrainer {
  const views = loadAddon()
    .losses()
    .find(({ name }) => name === config.loss)?.usesAnomalous
    ? 3
    : 2;
  const noViews = () => Promise.reject(new Error('this trainer is given its views'));
  return new TfjsTrainer({ ...on, kernels }, { ...config, precision: 'f32' }, views, noViews);
}
