import { asCoded, fromSlots, repeat, step, toColumns, trace, type Scenario } from '../support/augment.js';
import { quantitiesOf, type Quantities } from '../support/augment-quantities.js';
import { compare } from '../support/augment-statistics.js';
import { Golden, goldenTest } from '../support/golden.js';

// Any of 1 to 6 passes; after a change, a quantity that fails under one seed alone is the chance of one in a thousand.
const seed = 1;
const copies = 40; // of each of the 500 events

const chain = (...steps: Scenario['steps']): Scenario => ({ weight: 1, steps });
const directions = step('smear_direction');
const add = step('add_objects');
const jets = step('smear_jets', asCoded);

/** The pipelines of the golden files; smearing after another step is that of directions. */
const pipelines: Record<string, Scenario[]> = {
  rotate: [chain(step('rotate_phi'))],
  smear_direction: [chain(directions)],
  smear_jets_as_coded: [chain(jets)],
  smear_jets_delphes_like: [chain(step('smear_jets'))],
  collinear_split: [chain(step('split_collinear'))],
  collinear_split_then_smear: [chain(step('split_collinear'), directions)],
  redistribute: [chain(step('redistribute'))],
  redistribute_then_smear: [chain(step('redistribute'), directions)],
  add_objects: [chain(add)],
  add_objects_then_smear: [chain(add, directions)],
  shift: [chain(step('shift_met')), chain(step('shift_pt')), chain(step('shift_all'))],
  negative_mixture: [chain(add, directions), chain(step('redistribute'), directions)],
  negative_mixture_with_split: [chain(add, directions), chain(step('split_collinear'), directions)],
  positive_chain: [chain(step('rotate_phi'), jets, directions)],
};

/** 20,000 draws of a pipeline in float32. */
async function sample(scenarios: Scenario[]): Promise<Quantities> {
  const golden = await Golden.load('aug/events500');
  const events = toColumns(fromSlots(golden.f64('events'), golden.shape('events')));
  return quantitiesOf(await trace(repeat(events, copies), scenarios, seed));
}

describe('distributions over 20,000 draws', () => {
  for (const [name, scenarios] of Object.entries(pipelines))
    goldenTest(`aug/dist_${name}.json`, name, async () => {
      const golden = (await Golden.load(`aug/dist_${name}`)).json;
      const { failed, compared } = compare(await sample(scenarios), golden);
      expect(failed).toEqual([]);
      // 61 continuous quantities and 18 tables, 12 more where objects are new, 3 fewer where all turn together
      const news = Object.keys(golden.right.continuous).length === 73;
      expect(compared).toBe(61 + 18 + (news ? 12 : 0) - (golden.tolerance_factor > 1 ? 3 : 0));
    });

  goldenTest('aug/dist_smear_jets_delphes_like.json', 'the other jet resolution does not pass', async () => {
    const golden = (await Golden.load('aug/dist_smear_jets_delphes_like')).json;
    const { failed } = compare(await sample(pipelines['smear_jets_as_coded']), golden);
    const names = failed.map(one => one.split(':')[0]);
    // nearly the same width at 15 GeV, 1.6 times at 100
    for (const bin of ['30_50', '50_100', '100_inf']) expect(names).toContain(`j/kept_relative_pT_change_pT_${bin}`);
    expect(names.filter(one => !one.startsWith('j/') && !one.includes('vector') && !one.includes('closure'))).toEqual(
      [],
    );
  });

  goldenTest('aug/dist_index.json', 'no file is left out', async () => {
    const { json } = await Golden.load('aug/dist_index');
    expect(Object.keys(json).sort()).toEqual(Object.keys(pipelines).sort());
  });
});
