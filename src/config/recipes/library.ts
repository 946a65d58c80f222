import type { Recipe, Scenario, Step } from '../recipe.js';
import { reconstruction } from './reconstruction.js';

/** What is new in a scenario, before the detector sees it: its name within the family, and one to three steps. */
type Declared = readonly [name: string, ...steps: Step[]];

const step = (augmentation: string, parameters: Record<string, number> = {}): Step => ({ augmentation, ...parameters });

// Flat numbers and spectra, at least one object; the counts are the most of each kind.
const add = (max_electrons: number, max_muons: number, max_jets: number) =>
  step('add_objects', { max_electrons, max_muons, max_jets, at_least: 1 });
// Falling numbers and spectra, at least one object; the probabilities are those of one more of each kind.
const fall = (electrons: number, muons: number, jets: number, rest: Record<string, number> = {}) =>
  step('add_spectrum', { electrons, muons, jets, at_least: 1, ...rest });
const split = (max_electrons: number, max_muons: number, max_jets: number) =>
  step('split_collinear', { max_electrons, max_muons, max_jets, min_fraction: 0.15 });
const lose = (probability: number, low: number, high: number, rest: Record<string, number> = {}) =>
  step('lose_momentum', { probability, low, high, ...rest });
const turn = (kinds: readonly string[], low: number, high: number) =>
  step('turn_kinds', { met: 0, ...Object.fromEntries(kinds.map(kind => [kind, 1])), low, high });
const displace = (low: number, high: number) => step('displace_met', { low, high });
const convert = (electrons: number, low: number, high: number) =>
  step('convert_jets', { probability: 1, electrons, low, high });

const codes = { e: 2, m: 3, j: 4 } as const;
type Pair = `${keyof typeof codes}${keyof typeof codes}`;
const decay = (pair: Pair, mass_low: number, mass_high: number, rest: Record<string, number> = {}) =>
  step('add_resonance', {
    first: codes[pair[0] as keyof typeof codes],
    second: codes[pair[1] as keyof typeof codes],
    mass_low,
    mass_high,
    ...rest,
  });

// A third of the background has no jets: what acts on jets adds some first. What acts on leptons leaves one on the trigger,
// as a signal that was recorded has one.

/**
 * Families of scenarios. The order of families and of the scenarios in each is that in which subsets take them: what
 * differs most stands first.
 */
const families: Readonly<Record<string, readonly Declared[]>> = {
  multiplicity: [
    ['few-mixed', add(1, 1, 2)],
    ['few-leptons', add(2, 2, 0)],
    ['jets', add(0, 0, 4)],
    ['falling', fall(0.4, 0.4, 0.6)],
    ['split-leptons', step('shift_all', { low: 1.5, high: 4 }), split(2, 2, 0)],
    ['many-jets', add(0, 0, 8)],
    ['split-jets', add(0, 0, 1), split(0, 0, 4)],
    ['leptons', add(4, 4, 0)],
    ['falling-jets', fall(0, 0, 0.7, { balanced: 0 })],
    ['dealt-anew', add(0, 0, 2), step('redistribute')],
    ['one-lepton', add(1, 1, 0)],
    ['all', add(4, 4, 10)],
  ],
  resonance: [
    ['ee-mm-10-200', decay('ee', 10, 200), decay('mm', 10, 200)],
    ['mm-10-80', decay('mm', 10, 80)],
    ['jj-50-500', decay('jj', 50, 500)],
    ['ee-10-80', decay('ee', 10, 80)],
    ['ej-100-800', decay('ej', 100, 800)],
    ['em-20-200', decay('em', 20, 200)],
    ['mm-80-800', decay('mm', 80, 800)],
    ['mj-100-800', decay('mj', 100, 800)],
    ['ee-80-800', decay('ee', 80, 800)],
    ['ee-boosted', decay('ee', 2, 40, { pt: 150 })],
    ['mm-boosted', decay('mm', 2, 40, { pt: 150 })],
    ['jj-boosted', decay('jj', 20, 200, { pt: 300 })],
  ],
  missing: [
    ['any', lose(0.8, 0, 1)],
    ['leptons', lose(1, 0.2, 0.8, { jets: 0 })],
    ['most-of-all', lose(1, 0.4, 0.9)],
    ['jets', add(0, 0, 1), lose(1, 0.3, 1, { leptons: 0 })],
    ['a-little', lose(1, 0.05, 0.3)],
    ['of-new-leptons', add(1, 1, 0), lose(1, 0.5, 1, { jets: 0 })],
    ['of-new-jets', add(0, 0, 3), lose(1, 0.3, 0.9, { leptons: 0 })],
    ['of-new-all', fall(0.4, 0.4, 0.6), lose(0.7, 0, 1)],
  ],
  energy: [
    ['soft', step('rescale')],
    ['all-up', step('shift_all', { low: 1.2, high: 4 })],
    ['visible-up', step('shift_pt', { low: 1.2, high: 4 })],
    ['met-up', step('shift_met', { low: 1.5, high: 5 })],
    ['met-down', step('shift_met', { low: 0.02, high: 0.6 })],
    ['soft-met-down', step('rescale'), step('shift_met', { low: 0.02, high: 0.6 })],
    ['all-far-up', step('shift_all', { low: 3, high: 12 })],
    ['visible-a-little-up', step('shift_pt', { low: 1.1, high: 1.8 })],
    ['met-far-up', step('shift_met', { low: 4, high: 15 })],
  ],
  angular: [
    ['met', turn(['met'], 0.5, Math.PI)],
    ['leptons', turn(['electrons', 'muons'], 0.5, Math.PI)],
    ['met-near', turn(['met'], 0.2, 0.8)],
    ['electrons-met', turn(['electrons', 'met'], 0.5, Math.PI)],
    ['met-opposite', turn(['met'], 2, Math.PI)],
    ['leptons-near', turn(['electrons', 'muons'], 0.2, 0.8)],
    ['muons-met', turn(['muons', 'met'], 0.5, Math.PI)],
    ['leptons-opposite', turn(['electrons', 'muons'], 2, Math.PI)],
  ],
  met: [
    ['displaced', displace(10, 200)],
    ['displaced-little', displace(5, 30)],
    ['displaced-far', displace(100, 1000)],
    ['displaced-20-60', displace(20, 60)],
    ['displaced-50-120', displace(50, 120)],
    ['displaced-200-500', displace(200, 500)],
  ],
  sharing: [
    ['all', step('jitter_pt')],
    ['leptons', step('jitter_pt', { jets: 0 })],
    ['wide', step('jitter_pt', { sigma: 1 })],
    ['narrow', step('jitter_pt', { sigma: 0.25 })],
    ['jets', add(0, 0, 2), step('jitter_pt', { sigma: 0.8, leptons: 0 })],
    ['leptons-wide', step('jitter_pt', { sigma: 0.9, jets: 0 })],
  ],
  conversion: [
    ['jets-to-leptons', add(0, 0, 2), convert(0.5, 0.1, 0.7)],
    ['tau-muon', add(0, 0, 1), convert(0, 0.1, 0.6)],
    ['tau-electron', add(0, 0, 1), convert(1, 0.1, 0.6)],
    ['soft', add(0, 0, 2), convert(0.5, 0.05, 0.3)],
    ['hard', add(0, 0, 2), convert(0.5, 0.5, 1)],
    ['falling', fall(0, 0, 0.6), convert(0.5, 0.1, 0.7)],
    ['half', add(0, 0, 3), step('convert_jets', { probability: 0.5, low: 0.1, high: 0.9 })],
  ],
  correlated: [
    ['leptons-and-met', add(1, 1, 0), displace(20, 150)],
    ['jets-and-met', add(0, 0, 3), displace(50, 300)],
    ['lepton-jet-pairs', decay('ej', 100, 600), decay('mj', 100, 600)],
    ['soft-and-more', step('rescale'), fall(0.5, 0.5, 0.5, { top: 0.8 })],
    ['hard-and-more', step('shift_all', { low: 1.5, high: 4 }), fall(0.3, 0.3, 0.6)],
    ['taus-and-met', add(0, 0, 2), convert(0.5, 0.1, 0.6), displace(20, 100)],
    ['missing-and-turned', lose(1, 0.1, 0.6), turn(['met'], 0.5, Math.PI)],
    ['pair-and-missing', decay('em', 20, 200), lose(1, 0.1, 0.6, { jets: 0 })],
    ['split-and-shared', add(0, 0, 1), split(0, 0, 4), step('jitter_pt')],
    ['four-muons', decay('mm', 10, 120), decay('mm', 10, 120)],
    ['four-electrons', decay('ee', 10, 120), decay('ee', 10, 120)],
    ['shared-and-displaced', step('jitter_pt'), displace(10, 100)],
  ],
};

/** Numbers of scenarios of the nested subsets. */
export const librarySizes = [4, 8, 16, 40, 80] as const;

// What the detector does to each: default.ts has the same.
const seen: Step[] = [step('smear_direction'), step('acceptance')];

/**
 * The declared scenarios in the order in which subsets take them: the first of every family, the second of every family,
 * and so on. So each subset holds the smaller ones and spans the families as evenly as its number allows.
 */
export const library: readonly Scenario[] = inTurn(
  Object.entries(families).map(([family, declared]) =>
    declared.map(([name, ...steps]) => ({ name: `${family}/${name}`, weight: 1, steps: [...steps, ...seen] })),
  ),
);

function inTurn<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...lists.map(list => list.length));
  return Array.from({ length: longest }, (_, round) => lists.flatMap(list => list.slice(round, round + 1))).flat();
}

/** The recipe `library4`, `library8`, ... of the first `count` scenarios; one is drawn per event. */
export function libraryRecipe(count: number): Recipe {
  return { name: `library${count}`, anchor: [], physical: reconstruction(), anomalous: library.slice(0, count) };
}

/** The family of a scenario of the library, the part of its name before the slash. */
export function familyOf(scenario: string): string {
  return scenario.slice(0, scenario.indexOf('/'));
}
