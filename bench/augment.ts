import { type DoubleColumns, loadAddon, type Columns } from '../src/addon.js';
import { type Recipe, resolveRecipe } from '../src/config/recipe.js';
import type { Engine } from '../src/engine/index.js';
import { AnomalyClrError } from '../src/errors.js';
import { Draws } from '../src/events/philox.js';
import { Kind } from '../src/events/objects.js';
import { agree, type Case } from './case.js';
import { events, peerRecipe, recipe } from './setting.js';
import type { Subject } from './subjects.js';

const key = { seed: 1, epoch: 3 };
/** Stream of a step of the physical view: purpose 1, view 1, steps counted from 1. */
const stream = (step: number): number => (1 << 28) + (1 << 24) + step + 1;

/** The three views of a batch. */
function threeViews(recipe: Recipe, usual: readonly number[]): Case {
  return {
    name: 'augment',
    model: `three views, recipe ${recipe.name}`,
    batches: subject => (makesViews(subject) ? { usual, full: [1, 16, 128, 512, 2048, 4096, 16_384] } : undefined),
    async open({ batch, engine: opened }) {
      const engine = opened();
      const sample = await events(batch);
      const views = () => Promise.all(([0, 1, 2] as const).map(view => engine.augment(recipe, view, sample, key)));
      return {
        run: views,
        async check(reference) {
          const [anchor, physical, anomalous] = await views();
          for (const column of ['pt', 'eta', 'phi', 'kind', 'offsets'] as const)
            agree(`anchor ${column}`, anchor[column], sample[column], 0);
          compare(physical, physicalView(engine, recipe, sample));
          const want = await reference.augment(recipe, 2, sample, key);
          agree('anomalous view', anomalous.pt, want.pt, 1e-5);
          for (const e of [0, batch >> 1, batch - 1]) {
            const alone = await engine.augment(recipe, 2, sample, { ...key, index: Int32Array.of(e) });
            agree('anomalous view', anomalous.pt.subarray(anomalous.offsets[e], anomalous.offsets[e + 1]), alone.pt, 0);
          }
        },
      };
    },
  };
}

/** The addon, or its twin in TypeScript, which computes on no backend: one stands for all. */
const makesViews = (subject: Subject): boolean =>
  subject.engine === 'native' || subject.engine === 'cuda'
    ? subject.precision === 'f32'
    : subject.engine === 'tfjs' && subject.backend === 'cpu' && subject.kernels === 'pure';

export const augment: Case[] = [threeViews(recipe, [16, 512, 16_384]), threeViews(peerRecipe, [])];

/** The physical view in float64, from numbers that the generator in TypeScript draws. */
function physicalView(engine: Engine, recipe: Recipe, sample: Columns): DoubleColumns {
  const addon = loadAddon();
  const catalogue = engine.augmentations();
  const batch = sample.offsets.length - 1;
  const { pt, eta, phi, ...rest } = sample;
  let now: DoubleColumns = {
    pt: Float64Array.from(pt),
    eta: Float64Array.from(eta),
    phi: Float64Array.from(phi),
    ...rest,
  };
  for (const [k, step] of resolveRecipe(recipe, catalogue).physical.entries()) {
    const augmentation = catalogue.findIndex(({ name }) => name === step.augmentation);
    const parameters = Float64Array.from(catalogue[augmentation].params, ({ name }) => Number(step[name]));
    const numbers: number[] = [];
    const numberOffsets = new Int32Array(batch + 1);
    for (let e = 0; e < batch; e++) {
      const draws = new Draws(key.seed, key.epoch, e, stream(k));
      numbers.push(...numbersOf(step.augmentation, now.kind.subarray(now.offsets[e], now.offsets[e + 1]), draws));
      numberOffsets[e + 1] = numbers.length;
    }
    now = addon.augmentWithNumbers({
      events: now,
      augmentation,
      parameters,
      numbers: Float64Array.from(numbers),
      numberOffsets,
    });
  }
  return now;
}

/** The numbers that an augmentation asks for, in its order. */
function numbersOf(name: string, kinds: Uint8Array, draws: Draws): number[] {
  const normals = (): [number, number] => {
    const radius = Math.sqrt(-2 * Math.log(draws.uniform()));
    const angle = 2 * Math.PI * draws.uniform();
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  };
  if (name === 'rotate_phi') return [2 * Math.PI * draws.uniform() - Math.PI];
  if (name === 'smear_jets')
    return Array.from(
      kinds.filter(kind => kind === Kind.jet),
      () => normals()[0],
    );
  if (name === 'smear_direction')
    return Array.from(
      kinds.filter(kind => kind !== Kind.met),
      normals,
    ).flat();
  if (name === 'acceptance') return [];
  throw new AnomalyClrError(`bench/augment.ts does not know the numbers of ${name}; add them`);
}

/** Momenta to 1e-5; rounding may carry an object over a threshold in one event, and in one more of a thousand. */
function compare(got: Columns, want: DoubleColumns): void {
  const event = (from: Columns | DoubleColumns, e: number) => from.pt.subarray(from.offsets[e], from.offsets[e + 1]);
  const batch = want.offsets.length - 1;
  let moved = 0;
  for (let e = 0; e < batch; e++) {
    const [a, b] = [event(got, e), event(want, e)];
    if (a.length === b.length) agree(`physical view, event ${e}`, a, b, 1e-5);
    else moved++;
  }
  if (moved > 1 + batch / 1000) throw new AnomalyClrError(`physical view: ${moved} events have other objects`);
}
