import type { Scenario, Step } from '../recipe.js';

/**
 * What leaves an event the same event: its rotation about the beam, the detector's resolution in jet momentum and in
 * direction, and the selection again, as smearing moves objects across its limits.
 *
 * @param resolution parameters of the jet smearing that differ from the native core's defaults
 */
export function reconstruction(resolution: Record<string, number> = {}): Step[] {
  return [
    { augmentation: 'rotate_phi' },
    { augmentation: 'smear_jets', ...resolution },
    { augmentation: 'smear_direction' },
    { augmentation: 'acceptance' },
  ];
}

/** One anomalous change, seen by the same detector: the encoder must not tell the views apart by their smearing. */
export function scenario(name: string, step: Step, seen: Step[]): Scenario {
  return { name, weight: 1, steps: [step, ...seen] };
}
