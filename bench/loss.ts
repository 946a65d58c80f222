import { loadAddon, type Floats } from '../src/addon.js';
import { Draws } from '../src/events/philox.js';
import { agree, doubles, type Case } from './case.js';

const dim = 160;

/** Value and gradients of a loss. */
function loss(name: string, events: number, long = false): Case {
  return {
    ...(long ? { long } : {}),
    name: `loss-${name}`,
    batch: events,
    model: `${dim} dimensions`,
    open() {
      const addon = loadAddon();
      // an event and its physical view lie close together, as in training
      const [z, noise, zAnomalous] = [1, 2, 3].map(stream => random(events * dim, stream));
      const zPhysical = z.map((value, i) => value + 0.3 * noise[i]);
      const call = (cast: (x: Float32Array) => Floats) =>
        addon.contrastiveLoss({
          loss: name,
          z: cast(z),
          zPhysical: cast(zPhysical),
          zAnomalous: cast(zAnomalous),
          events,
          dim,
          temperature: 0.1,
        });
      return Promise.resolve({
        // cosines twice, and the gradient's product: 2N x 2N x dim each
        ...(name === 'anomclr' || name === 'clr' ? { flop: 3 * 2 * (2 * events) ** 2 * dim } : {}),
        run: () => call(x => x),
        async check() {
          const [got, want] = [await call(x => x), await call(doubles)];
          agree('loss', [got.loss], [want.loss], 1e-5);
          got.gradients.forEach((gradient, view) =>
            agree(`gradient of view ${view}`, gradient, want.gradients[view], 1e-5),
          );
        },
      });
    },
  };
}

function random(count: number, stream: number): Float32Array {
  const draws = new Draws(1, 0, 0, stream);
  return Float32Array.from({ length: count }, () => draws.uniform() - 0.5);
}

export const losses = (): Case[] =>
  loadAddon()
    .losses()
    .flatMap(({ name }) => [512, 4096].map(events => loss(name, events)))
    .concat(loss('anomclr', 65_536, true));
