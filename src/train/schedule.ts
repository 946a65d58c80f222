/** How the learning rate runs: linear warm-up to `base`, then constant or a half cosine down to 0 at `steps`. */
export interface Schedule {
  readonly schedule: 'cosine' | 'constant';
  readonly base: number;
  readonly warmupSteps: number;
  readonly steps: number;
}

/**
 * Learning rate of a step, counted from 0.
 *
 * warm-up: base (t+1)/w for t < w; cosine: base (1 + cos(pi (t-w)/(steps-w)))/2 after it.
 */
export function learningRate({ schedule, base, warmupSteps, steps }: Schedule, step: number): number {
  if (step < warmupSteps) return (base * (step + 1)) / warmupSteps;
  if (schedule === 'constant') return base;
  const done = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return base * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, done)));
}
