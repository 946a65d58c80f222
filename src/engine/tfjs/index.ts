import { loadAddon, type Addon } from '../../addon.js';
import { augmentColumns } from '../../augment/augment.js';
import { augmentationCatalogue } from '../../augment/list.js';
import { nativeRecipe } from '../../augment/native-recipe.js';
import { resolveRecipe, type Recipe } from '../../config/recipe.js';
import { UsageError } from '../../errors.js';
import type { Kernels } from '../../ops/attention.js';
import { makeCurrent, openBackend, type BackendName } from '../../ops/backend.js';
import { pureLosses } from '../../ops/losses.js';
import tf from '../../ops/tf.js';
import type { Columns, Engine, Precision } from '../engine.js';
import { matrix, read, TfjsPerceptron, TfjsPreparation } from './perceptron.js';
import { TfjsDetector, TfjsScorer } from './scorer.js';
import { TfjsTrainer, type Surroundings } from './trainer.js';

/** The addon, or why there is none. */
function addonOrWhy(): { addon: Addon } | { why: string } {
  try {
    return { addon: loadAddon() };
  } catch (error) {
    return { why: (error as Error).message };
  }
}

export interface TfjsChoice {
  readonly backend: BackendName | 'auto';
  readonly kernels: Kernels | 'auto';
  readonly threads: number;
}

/**
 * The engine on TensorFlow.js. With native kernels the addon makes views, attention and losses inside it.
 *
 * @throws AnomalyClrError where the backend or the addon that was asked for is missing
 */
export async function tfjsEngine({ backend: wanted, kernels: asked, threads }: TfjsChoice): Promise<Engine> {
  const found = addonOrWhy();
  if (asked === 'native' && 'why' in found) throw new UsageError(`--tfjs-kernels native: ${found.why}`);
  const backend = await openBackend(wanted, threads);
  const addon = 'addon' in found ? found.addon : undefined;
  const kernels: Kernels = asked === 'auto' ? (addon && backend.nativePays ? 'native' : 'pure') : asked;
  const native = kernels === 'native' ? addon : undefined;
  native?.setThreads(threads);
  const on: Surroundings = { backend, kernels, addon: native };
  const catalogue = native ? native.augmentations() : augmentationCatalogue;
  const usesAnomalous = (loss: string): boolean | undefined =>
    native
      ? native.losses().find(({ name }) => name === loss)?.usesAnomalous
      : pureLosses[loss]?.usesAnomalous; // prettier-ignore

  const augment: Engine['augment'] = async (recipe, view, events, { seed, epoch, index, ids }) =>
    native
      ? native.augment({
          events,
          recipe: nativeRecipe(recipe, catalogue),
          view,
          seed,
          epoch,
          ...(index ? { index } : {}),
          ...(ids ? { ids } : {}),
        })
      : augmentColumns(events, resolveRecipe(recipe, catalogue), view, { seed, epoch, index, ids });

  return {
    name: 'tfjs',
    describe: () => `tfjs, ${backend.describe}, ${kernels} kernels`,
    precisions: ['f32'],
    supports: loss => usesAnomalous(loss) !== undefined,
    augmentations: () => catalogue,
    contrastive(config, recipe: Recipe) {
      checkPrecision(config.precision);
      if (config.pivotWeight) throw new UsageError('--pivot-weight: is of the native engine; add --engine native');
      const anomalous = usesAnomalous(config.loss);
      if (anomalous === undefined) throw new UsageError(`the tfjs engine has no loss ${config.loss}`);
      resolveRecipe(recipe, catalogue); // says what is wrong before the first step
      return new TfjsTrainer(on, config, anomalous ? 3 : 2, (view, events: Columns, key) =>
        augment(recipe, view, events, key),
      );
    },
    perceptron(config) {
      checkPrecision(config.precision);
      return new TfjsPerceptron(on, config);
    },
    detector(config) {
      checkPrecision(config.precision);
      return new TfjsDetector(on, config);
    },
    scorer(config) {
      checkPrecision(config.precision);
      return new TfjsScorer(on, config);
    },
    async prepare(preparation, x) {
      if (preparation.matrix === undefined || x.length === 0) return x;
      makeCurrent(backend);
      const ready = new TfjsPreparation(preparation);
      const rows = tf.tidy(() => ready.apply(matrix(x, preparation.inputs)));
      ready.dispose();
      return read(rows);
    },
    augment,
  };
}

function checkPrecision(precision: Precision): void {
  if (precision !== 'f32') throw new UsageError(`--precision ${precision}: the tfjs engine computes in f32 alone`);
}
