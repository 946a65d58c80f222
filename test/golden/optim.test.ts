import { loadAddon } from '../../src/addon.js';
import { learningRate } from '../../src/train/schedule.js';
import { everything, Golden, goldenTest, worst } from '../support/golden.js';
import { trajectoryTests } from '../support/golden-trajectories.js';

trajectoryTests(loadAddon(), everything);

goldenTest('optim/trajectories.json', 'the cosine schedule gives the golden learning rates', async () => {
  const { runs: all, base_lr: base, steps } = (await Golden.load('optim/trajectories')).json;
  const rates = Array.from({ length: steps }, (_, step) =>
    learningRate({ schedule: 'cosine', base, warmupSteps: 5, steps }, step),
  );
  expect(worst(rates, all['clr/adam_cosine'].lr)).toBeLessThan(1e-12);
});
