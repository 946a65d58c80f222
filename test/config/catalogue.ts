import type { AugmentationInfo } from '../../src/config/recipe.js';

const params = (entries: Record<string, [standard: number, min: number, max: number, unit: string]>) =>
  Object.entries(entries).map(([name, [standard, min, max, unit]]) => ({
    name,
    default: standard,
    min,
    max,
    unit,
    help: name,
  }));

const info = (
  name: string,
  role: AugmentationInfo['role'],
  entries: Parameters<typeof params>[0] = {},
): AugmentationInfo => ({ name, role, data: 'event', help: name, source: 'test', params: params(entries) });

const objects = {
  max_electrons: [4, 0, 4, 'objects'],
  max_muons: [4, 0, 4, 'objects'],
  max_jets: [10, 0, 10, 'objects'],
} as const;
const factors = { low: [0.5, 0, 100, ''], high: [5, 0, 100, ''] } as const;
const copy = <T extends object>(o: T): any => ({ ...o });

/** A catalogue of the shape that the addon gives, with its names. */
export const catalogue: AugmentationInfo[] = [
  info('rotate_phi', 'physical'),
  info('smear_direction', 'physical', { strength: [1, 0, 100, ''] }),
  info('smear_jets', 'physical', {
    strength: [1, 0, 100, ''],
    constant: [0.05, 0, 10, ''],
    stochastic: [1.5, 0, 10, 'sqrt(GeV)'],
  }),
  info('acceptance', 'selection', { lepton_pt: [3, 0, 1000, 'GeV'], jet_pt: [15, 0, 1000, 'GeV'] }),
  info('add_objects', 'anomalous', copy(objects)),
  info('split_collinear', 'anomalous', copy(objects)),
  info('redistribute', 'anomalous'),
  info('shift_met', 'anomalous', copy(factors)),
  info('shift_pt', 'anomalous', copy(factors)),
  info('shift_all', 'anomalous', copy(factors)),
];
