import { loadAddon, type Columns } from '../../src/addon.js';
import { Draws } from '../../src/events/philox.js';
import { Kind } from '../../src/events/objects.js';
import { augment, fromSlots, repeat, step, toColumns, type Scenario } from '../support/augment.js';
import { Golden, goldenTest } from '../support/golden.js';

const addon = loadAddon();
const seed = 7;
const epoch = 3;

afterAll(() => {
  addon.setThreads(0);
});

/** `copies` of each of the 500 golden events. */
async function batch(copies: number): Promise<Columns> {
  const golden = await Golden.load('aug/events500');
  return repeat(toColumns(fromSlots(golden.f64('events'), golden.shape('events'))), copies);
}

const seen = [step('rotate_phi'), step('smear_jets'), step('smear_direction'), step('acceptance')];

/**
 * `n` scenarios of unequal weights 1 .. n. Each leaves its mark first, in the MET of the event: MET 1 GeV becomes
 * `mark(k)` GeV; the rest is drawn, by different augmentations in neighbouring scenarios.
 */
function scenarios(n: number): Scenario[] {
  const drawn = [step('split_collinear'), step('redistribute'), step('shift_pt')];
  return Array.from({ length: n }, (_, k) => ({
    weight: k + 1,
    steps: [step('shift_met', { low: mark(k), high: mark(k) }), drawn[k % drawn.length], ...seen],
  }));
}
const mark = (k: number) => 1 + k / 4;

function withUnitMet(events: Columns): Columns {
  return { ...events, pt: events.pt.map((pt, o) => (events.kind[o] === Kind.met ? 1 : pt)) };
}

/** Event e as one string of bits. */
function bits({ pt, eta, phi, kind, offsets }: Columns, e: number): string {
  const [from, to] = [offsets[e], offsets[e + 1]];
  return [pt, eta, phi, kind].map(column => Buffer.from(column.slice(from, to).buffer).toString('hex')).join(' ');
}

const all = (events: Columns) => Array.from({ length: events.offsets.length - 1 }, (_, e) => bits(events, e));
const needs = 'aug/events500.safetensors';

describe('the draws of an event', () => {
  goldenTest(needs, 'are the same for any number of threads', async () => {
    const events = await batch(10);
    const results: string[][] = [];
    for (const threads of [1, 2, 3]) {
      expect(addon.setThreads(threads)).toBe(threads);
      results.push(all(await augment(events, scenarios(5), seed, epoch)));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  goldenTest(needs, 'are the same in any order and any company', async () => {
    const events = await batch(10);
    const n = events.offsets.length - 1;
    const whole = all(await augment(events, scenarios(5), seed, epoch));
    const orders = [
      Array.from({ length: n }, (_, i) => n - 1 - i),
      Array.from({ length: n }, (_, i) => (i * 1237) % n),
      [4321, 0, 7, 4999, 7],
      [1024],
    ];
    for (const order of orders) {
      const got = all(await augment(events, scenarios(5), seed, epoch, Int32Array.from(order)));
      expect(got).toEqual(order.map(i => whole[i]));
    }
  });

  goldenTest(needs, 'differ with the seed, the epoch, the event and the view', async () => {
    const events = await batch(2); // events 2 i and 2 i + 1 are the same
    const run = async (s: number, t: number, view: 0 | 1 | 2) =>
      all(
        await addon.augment({
          events,
          view,
          seed: s,
          epoch: t,
          recipe: Array.from({ length: 3 }, () => [{ weight: 1, steps: [step('rotate_phi')] }]),
        }),
      );
    const base = await run(seed, epoch, 1);
    const others = [await run(seed + 1, epoch, 1), await run(seed + 2 ** 32, epoch, 1), await run(seed, epoch + 1, 1)];
    others.push(await run(seed, epoch, 0), await run(seed, epoch, 2));
    for (const other of others) expect(other.filter((one, e) => one === base[e])).toEqual([]);
    expect(base.filter((one, e) => e % 2 === 1 && one === base[e - 1])).toEqual([]);
    expect(await run(seed, epoch, 1)).toEqual(base);
  });

  goldenTest(needs, 'of a step do not depend on the steps before or after it', async () => {
    const events = await batch(1);
    const shifted = async (...steps: Scenario['steps']) => {
      const { pt } = await augment(events, [{ weight: 1, steps }], seed, epoch);
      return Array.from(pt, (p, o) => p / events.pt[o]);
    };
    const idle = step('shift_pt', { low: 1, high: 1 });
    const second = await shifted(idle, step('shift_all'));
    // rotation draws one number and the smearing of directions many: neither moves those of the next step
    expect(await shifted(step('rotate_phi'), step('shift_all'))).toEqual(second);
    expect(await shifted(idle, step('shift_all'), step('rotate_phi'))).toEqual(second);
    expect(await shifted(step('shift_all'))).not.toEqual(second);
  });

  goldenTest(needs, 'leave the events that were passed as they were', async () => {
    const events = await batch(1);
    const before = structuredClone(events);
    await augment(events, scenarios(5), seed, epoch);
    expect(events).toEqual(before);
  });
});

describe.each([3, 40])('a recipe of %i scenarios', n => {
  /** Which scenario each event was given, by its mark. */
  const chosenOf = ({ pt, kind, offsets }: Columns): number[] =>
    Array.from(offsets.subarray(1), (_, e) => (pt[kind.indexOf(Kind.met, offsets[e])] - 1) * 4);

  goldenTest(needs, 'chooses by weight, with the numbers that the key gives', async () => {
    const events = withUnitMet(await batch(40));
    const draws = events.offsets.length - 1;
    const chosen = chosenOf(await augment(events, scenarios(n), seed, epoch));
    const counts = Array.from({ length: n }, () => 0);
    for (const k of chosen) counts[k]++;
    const total = (n * (n + 1)) / 2;
    const far = counts.flatMap((count, k) => {
      const p = (k + 1) / total;
      const sigma = Math.sqrt(draws * p * (1 - p));
      return Math.abs(count - draws * p) < 4.5 * sigma ? [] : [`scenario ${k}: ${count}, expected ${draws * p}`];
    });
    expect(far).toEqual([]);
    const chooser = 0x11000000; // augmentation, view 1, step 0
    const wanted = chosen.map((_, event) => {
      const u = new Draws(seed, epoch, event, chooser).uniform();
      return Math.ceil((Math.sqrt(1 + 8 * u * total) - 1) / 2) - 1; // smallest k with (k+1)(k+2)/2 >= u total
    });
    expect(chosen).toEqual(wanted);
  });

  goldenTest(needs, 'does to an event what the chosen scenario alone does', async () => {
    const events = withUnitMet(await batch(4));
    const mixed = await augment(events, scenarios(n), seed, epoch);
    const chosen = chosenOf(mixed);
    expect(new Set(chosen).size).toBeGreaterThan(n * 0.9);
    const got = all(mixed);
    for (const [k, scenario] of scenarios(n).entries()) {
      const alone = all(await augment(events, [scenario], seed, epoch));
      const mine = Array.from(chosen.keys()).filter(e => chosen[e] === k);
      expect(mine.map(e => got[e])).toEqual(mine.map(e => alone[e]));
    }
  });
});
