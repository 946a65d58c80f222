import { learningRate, type Schedule } from '../../src/train/schedule.js';

const rates = (schedule: Schedule, steps = schedule.steps): number[] =>
  Array.from({ length: steps }, (_, step) => learningRate(schedule, step));

test('warm-up rises in equal steps to the base, then half a cosine falls towards 0', () => {
  const got = rates({ schedule: 'cosine', base: 2, warmupSteps: 4, steps: 12 });
  expect(got.slice(0, 5)).toEqual([0.5, 1, 1.5, 2, 2]);
  expect(got[8]).toBeCloseTo(1, 12); // half way down
  got.slice(5).forEach((rate, i) => expect(rate).toBeLessThan(got[i + 4]));
  expect(got[11]).toBeGreaterThan(0);
  expect(learningRate({ schedule: 'cosine', base: 2, warmupSteps: 4, steps: 12 }, 12)).toBe(0);
});

test('constant stays at the base after the warm-up', () => {
  expect(rates({ schedule: 'constant', base: 3, warmupSteps: 3, steps: 6 })).toEqual([1, 2, 3, 3, 3, 3]);
});

test('at the edges: no warm-up, nothing but warm-up, one step, past the end', () => {
  expect(learningRate({ schedule: 'cosine', base: 1, warmupSteps: 0, steps: 10 }, 0)).toBe(1);
  expect(rates({ schedule: 'cosine', base: 1, warmupSteps: 4, steps: 4 })).toEqual([0.25, 0.5, 0.75, 1]);
  expect(rates({ schedule: 'cosine', base: 1, warmupSteps: 0, steps: 1 })).toEqual([1]);
  expect(learningRate({ schedule: 'cosine', base: 1, warmupSteps: 4, steps: 4 }, 4)).toBe(1);
  expect(learningRate({ schedule: 'cosine', base: 1, warmupSteps: 0, steps: 10 }, 1000)).toBe(0);
});
