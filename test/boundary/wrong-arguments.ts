import assert from 'node:assert/strict';
import { loadAddon, type NativeScorerConfig } from '../../src/addon.js';
import { calls, type Call } from './calls.js';
import type { Scenarios } from './child.js';
import { array, detached, object, replace, told, valueAt } from './fields.js';
import * as samples from './samples.js';

/** What came of a call: 'error' where it threw or its promise was rejected, with an Error either way. */
export async function outcome(run: () => unknown): Promise<'error' | 'value'> {
  try {
    await run();
    return 'value';
  } catch (error) {
    assert.ok(error instanceof Error && error.message.length > 0, `threw ${told(error)}`);
    return 'error';
  }
}

export async function refused(what: string, run: () => unknown): Promise<void> {
  assert.equal(await outcome(run), 'error', `${what} was taken`);
}

/** The good argument is taken, before and after all that is wrong. */
export async function meet(call: Call): Promise<void> {
  assert.equal(await outcome(() => call.run(call.good())), 'value');
  await refused('nothing', () => (call.run as () => unknown)());
  for (const wrong of object.wrong({})) await refused(told(wrong), () => call.run(wrong));
  for (const [path, field] of Object.entries(call.fields))
    for (const wrong of field.wrong(valueAt(call.good(), path)))
      if (!(field.optional && wrong === undefined))
        await refused(`${path} = ${told(wrong)}`, () => call.run(replace(call.good(), path, wrong)));
  assert.equal(await outcome(() => call.run(call.good())), 'value');
}

async function onCalls(names: string[], change: (argument: any) => unknown, what: string): Promise<void> {
  const all = calls();
  for (const name of names) {
    const argument = all[name].good();
    change(argument);
    await refused(`${what} of ${name}`, () => all[name].run(argument));
  }
}
const takeEvents = [
  'augment', 'augmentNow', 'augmentWithNumbers', 'trainer.step', 'trainer.embed', 'scorer.score', 'scorer.scoreNow',
  'scorer.embed',
]; // prettier-ignore
const takeTokens = ['trainer.reps', 'trainer.gradients', 'attention', 'attentionBackward'];
const takeRows = ['perceptron.step', 'perceptron.score', 'perceptron.gradients', 'prepare'];

const byCall: Scenarios = Object.fromEntries(
  [
    'randomWords', 'augment', 'augmentNow', 'augmentWithNumbers', 'peak', 'contrastiveLoss', 'contrastiveLossNow',
    'attention', 'attentionBackward', 'dense', 'denseBackward', 'adam', 'dropoutKeep', 'new Trainer', 'new Perceptron',
    'trainer.setWeights', 'trainer.setState', 'trainer.setRecipe', 'trainer.step', 'trainer.stepOnViews',
    'trainer.embed', 'trainer.reps', 'trainer.gradients', 'perceptron.setWeights', 'perceptron.step',
    'perceptron.score', 'perceptron.gradients', 'new Scorer', 'prepare', 'scorer.score', 'scorer.scoreNow',
    'scorer.embed', 'new Group', 'group.gather',
  ].map(name => [`${name}: wrong types, lengths and ranges`, () => meet(calls()[name])]),
); // prettier-ignore

export const scenarios: Scenarios = {
  ...byCall,
  // that none of what is exported was: places.ts
  'no call of the table was forgotten': async () => {
    const met = Object.keys(byCall).map(name => name.split(':')[0]);
    assert.deepEqual(met.toSorted(), Object.keys(calls()).toSorted());
  },
  'setThreads: wrong values': async () => {
    const addon = loadAddon() as unknown as { setThreads: (this: void, ...given: unknown[]) => number };
    const { setThreads } = addon;
    for (const wrong of [...object.wrong({}).filter(value => value !== 0 && !Object.is(value, -0)), 1025, 0.5, -1, [1]])
      await refused(told(wrong), () => setThreads(wrong));
    await refused('nothing', () => setThreads());
    assert.equal(setThreads(3), 3);
    assert.ok(setThreads(0) >= 1);
  },
  'functions without arguments do not look at any': async () => {
    const addon = loadAddon();
    for (const name of ['info', 'augmentations', 'losses'] as const)
      for (const given of object.wrong({}))
        assert.deepEqual((addon[name] as (...a: unknown[]) => unknown)(given), addon[name]());
  },
  'offsets that fall or point outside': async () => {
    const bad: [string, number[]][] = [
      ['fall', [0, 3, 2, 5, 6, 10]],
      ['begin below 0', [-1, 3, 3, 5, 6, 10]],
      ['end outside', [0, 3, 3, 5, 6, 11]],
      ['go far outside', [0, 2147483647, 2147483647, 2147483647, 2147483647, 2147483647]],
      ['go far below', [-2147483648, 0, 3, 5, 6, 10]],
      ['jump out and back', [0, 1000000, 3, 5, 6, 10]],
    ];
    for (const [what, offsets] of bad)
      await onCalls(
        takeEvents,
        a => {
          a.events.offsets = Int32Array.from(offsets);
          if (a.index) a.index = Int32Array.of(0, 1, 2, 3, 4);
        },
        `offsets that ${what}`,
      );
    for (const offsets of [
      [],
      [0],
      [0, 0],
      [0, 1, 1, 2147483647],
      [0, 2147483647, 1, 4],
      [0, -2147483648, 1, 4],
      [1, 1, 1, 4],
      [0, 5, 1, 4],
      [0, 1, 1, 3],
      [0, 1, 1, 5],
      [-4, 0, 0, 4],
      [0, -1, -1, 4],
    ])
      await onCalls(takeTokens, a => (a.offsets = Int32Array.from(offsets)), offsets.join());
    for (const offsets of [
      [0, 2, 1, 3, 4, 5],
      [-1, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 6],
      [0, 1, 2, 3, 4, 2147483647],
    ])
      await onCalls(
        ['augmentWithNumbers'],
        a => (a.numberOffsets = Int32Array.from(offsets)),
        `numbers ${offsets.join()}`,
      );
  },
  'kinds that there are not': async () => {
    for (const kind of [0, 6, 128, 255])
      for (const at of [0, 2, 9])
        await onCalls(takeEvents, a => { a.events.kind[at] = kind; delete a.index; }, `an object of kind ${kind}`); // prettier-ignore
  },
  'places that there are not': async () => {
    for (const i of [-1, 5, 6, 2147483647, -2147483648])
      await onCalls(takeEvents, a => (a.index = Int32Array.of(0, i)), `event ${i}`);
    for (const i of [-1, 6, 2147483647, -2147483648])
      await onCalls(takeRows, a => (a.index = Int32Array.of(0, i)), `row ${i}`);
  },
  'rows of other widths': async () => {
    for (const length of [1, 3, 5, 23, 25])
      await onCalls(takeRows, a => (a.x = new Float32Array(length)), `${length} numbers`);
  },
  'events of more than 64 objects': async () => {
    await onCalls(takeEvents, a => {
      const many = { ...samples.manyEvents(4), offsets: Int32Array.of(0, 65) };
      a.events = a.events.pt instanceof Float64Array ? samples.doubles(many) : many;
      a.index = Int32Array.of(0);
    }, 'an event of 65'); // prettier-ignore
    await onCalls(['trainer.reps', 'trainer.stepOnViews'], a => {
      const big = { x: new Float32Array(7 * 65).fill(1), offsets: Int32Array.of(0, 65) };
      Object.assign(a, big, { views: [big, big, big] });
    }, 'an event of 65'); // prettier-ignore
    const all = calls();
    for (const [n, taken] of [[64, 'value'], [65, 'error']] as const) {
      const [pairs, offsets] = [2 * n * 72, Int32Array.of(0, 0, n)];
      const layer = { qkv: new Float32Array(n * 12), offsets, heads: 2 };
      assert.equal(await outcome(() => all['attention'].run(layer)), taken);
      const back = { ...layer, probs: new Float32Array(n === 64 ? 2 * 64 * 64 : pairs), dout: new Float32Array(n * 4) };
      assert.equal(await outcome(() => all['attentionBackward'].run(back)), taken);
    } // prettier-ignore
  },
  'kernels whose sizes do not fit': async () => {
    for (const name of ['attention', 'attentionBackward'])
      for (const change of [
        { heads: 3 }, { heads: 4096 }, { qkv: new Float32Array(0) }, { qkv: new Float32Array(47) }, { qkv: samples.rows(9) },
        { offsets: Int32Array.of(0, 1, 1, 3) }, { keep: new Uint8Array(63) }, { keep: new Uint8Array(65) },
        { qkv: new Float32Array(4 * 3 * 65538), offsets: Int32Array.of(0, 4) },
      ])
        await onCalls([name], a => Object.assign(a, change), Object.keys(change).join()); // prettier-ignore
    for (const name of ['dense', 'denseBackward'])
      for (const change of [
        { inputs: 4 },
        { outputs: 3 },
        { inputs: 65536, outputs: 65536 },
        { x: new Float32Array(17) },
      ])
        await onCalls([name], a => Object.assign(a, change), JSON.stringify(change));
    await onCalls(['dense', 'contrastiveLossNow'], a => {
      for (const key of Object.keys(a)) if (a[key] instanceof Float32Array) a[key] = Float64Array.from(a[key]);
      a.precision = 'bf16';
    }, 'bf16 of float64'); // prettier-ignore
    for (const counts of [[5, -1, 40], [-2147483648, 0, 0], [2 ** 28, 0, 1], [2147483647, 2147483647, 2147483647]])
      await onCalls(['dropoutKeep'], a => (a.counts = Int32Array.from(counts)), counts.join()); // prettier-ignore
  },
  'an optimiser does not write to memory that is shared, nor twice to the same': async () => {
    const call = calls()['adam'];
    const shared = new Float32Array(new SharedArrayBuffer(96));
    for (const key of ['weights', 'm', 'v']) await onCalls(['adam'], a => (a[key] = shared), `shared ${key}`);
    assert.equal(await outcome(() => call.run({ ...call.good(), gradient: shared })), 'value');
    const memory = new Float32Array(40);
    for (const [one, other] of [['weights', 'm'], ['m', 'v'], ['v', 'weights'], ['gradient', 'v'], ['weights', 'gradient']])
      await onCalls(['adam'], a => {
        a[one] = memory.subarray(0, 24);
        a[other] = memory.subarray(16, 40);
      }, `${one} over ${other}`); // prettier-ignore
    const side = new Float32Array(48);
    assert.equal(
      await outcome(() => call.run({ ...call.good(), m: side.subarray(0, 24), v: side.subarray(24) })),
      'value',
    );
  },
  'recipes of other shapes': async () => {
    const [, [turn], anomalies] = samples.recipe();
    const step = turn.steps[0];
    const holes = (length: number): unknown[] => Object.assign([], { length });
    const many = (n: number): unknown[] => Array.from({ length: n }, () => turn);
    const bad: unknown[] = [
      [], [[], []], [[], [], [], []], [[], [turn]], [null, [], []], [[], 'x', []], [[], [[]], []], [[], {}, []],
      [[], [{ ...turn, weight: 0 }], []], [[], [{ ...turn, weight: -1 }], []], [[], [{ ...turn, weight: NaN }], []],
      [[], [{ weight: 1 }], []], [[], [{ ...turn, steps: [null] }], []], [[], [{ ...turn, steps: holes(1e9) }], []],
      [[], holes(10), []], [[], many(100001), []],
      [[], [{ ...turn, steps: [{ ...step, parameters: Float64Array.of(1) }] }], []],
      [[], [{ ...turn, steps: [{ augmentation: 7, parameters: Float64Array.of(0.5, NaN) }] }], []],
      [[], [{ ...turn, steps: [{ augmentation: 7, parameters: Float64Array.of(0.5, 1e9) }] }], []],
    ]; // prettier-ignore
    const all = calls();
    for (const recipe of bad) {
      await refused('a recipe', () => all['trainer.setRecipe'].run(recipe));
      await refused('a recipe', () => all['augment'].run({ ...all['augment'].good(), recipe }));
    }
    assert.equal(await outcome(() => all['trainer.setRecipe'].run([anomalies, many(1000), []])), 'value');
  },
  'configurations that cannot be': async () => {
    const { Trainer, Perceptron } = loadAddon();
    for (const change of [{ width: 9 }, { heads: 3 }, { heads: 16 }, { dropout: 1 }, { loss: 'clr ' }, { features: 9 }])
      await refused(JSON.stringify(change), () => new Trainer(samples.trainerConfig(change as object)));
    for (const widths of [
      [4],
      [4, 4],
      [4, 2, 3],
      [4, 0, 4],
      [4, -1, 4],
      [65537, 1, 65537],
      Array.from({ length: 65 }, () => 2),
    ])
      await refused(widths.join(), () => new Perceptron(samples.perceptronConfig({ widths: Int32Array.from(widths) })));
  },
  'scorers whose parts do not fit': async () => {
    const { Scorer } = loadAddon();
    const { encoder, preparation, members } = samples.scorerConfig() as Required<NativeScorerConfig>;
    const [error, ratio] = members;
    const widths = Int32Array.of(4, 2, 4);
    for (const change of [
      { encoder: { ...encoder, from: 1 } },
      { encoder: { ...encoder, from: 8 } },
      { encoder: { ...encoder, to: 6 } },
      { encoder: { ...encoder, sums: Int32Array.of(1) } },
      { encoder: { ...encoder, sums: Int32Array.of(3, 4) } },
      { encoder: { ...encoder, sums: Int32Array.of(6) } },
      { encoder: { ...encoder, sums: Int32Array.of(0) } },
      { encoder: { ...encoder, to: 2, sums: Int32Array.of(4, 4) } },
      { encoder: { ...encoder, sums: [4] as unknown as Int32Array } },
      { encoder: { ...encoder, from: 14, to: 19 } },
      { encoder: { ...encoder, headLayers: 1 } },
      { preparation: samples.preparation(4) },
      { preparation: { ...preparation, matrix: undefined } },
      { preparation: { ...preparation, inputs: 3 } },
      { preparation: { ...preparation, outputs: 8 } },
      { members: [{ ...error, widths }] },
      { members: [{ ...error, widths, weights: new Float32Array(22) }, ratio] },
      { members: [error, { ...ratio, logarithm: true }] },
      { members: [error, { ...ratio, learns: 'row' as const }] },
      { members: [{ ...error, learns: 'class' as const }] },
      { members: [error, { ...ratio, widths: Int32Array.of(3) }] },
      { members: [] },
      { members: Array.from({ length: 65 }, () => ratio) },
    ])
      // prettier-ignore
      await refused(JSON.stringify(change), () => new Scorer(samples.scorerConfig(change)));
    // the same numbers of weights, but what is read lies elsewhere
    new Scorer(samples.scorerConfig({ encoder: { ...encoder, from: 10, to: 15 } }));
  },
  'a perceptron that learns classes takes one for each row': async () => {
    const { Perceptron } = loadAddon();
    const classifier = new Perceptron(samples.perceptronConfig({ learns: 'class', widths: Int32Array.of(4, 3, 1) }));
    const x = samples.rows(3);
    const good = { x, classes: Uint8Array.of(0, 1, 1), rate: 0.1 };
    assert.ok(Math.abs((await classifier.step(good)) - Math.log(2)) < 1e-6); // of weights that are 0
    assert.equal(
      (await classifier.gradients({ x, index: Int32Array.of(2), classes: Uint8Array.of(1) })).weights.length,
      19,
    );
    for (const classes of [undefined, ...array(Uint8Array, 'exact').wrong(good.classes), Uint8Array.of(0, 1, 2)])
      for (const method of ['step', 'gradients'] as const)
        await refused(told(classes), () => classifier[method]({ ...good, classes: classes as Uint8Array }));
    for (const widths of [[4], [4, 2], [4, 3, 4], [4, 0, 1]])
      await refused(
        widths.join(),
        () => new Perceptron(samples.perceptronConfig({ learns: 'class', widths: Int32Array.from(widths) })),
      );
  },
  'a scorer without an encoder takes rows, and no events': async () => {
    const { encoder: _, ...config } = samples.scorerConfig({ preparation: samples.preparation(4) });
    const scorer = new (loadAddon().Scorer)(config);
    const x = samples.rows(64);
    const want = await scorer.score({ x });
    assert.equal(want.length, 64);
    assert.deepEqual(scorer.scoreNow({ x }), want);
    assert.deepEqual(scorer.scoreNow({ x, index: Int32Array.of(7, 0) }), Float32Array.of(want[7], want[0]));
    await refused('embed', () => scorer.embed({ events: samples.events() }));
    for (const method of ['score', 'scoreNow'] as const) {
      await refused('events', () => scorer[method]({ events: samples.events() }));
      for (const wrong of array(Float32Array, 'some').wrong(x))
        await refused(told(wrong), () => scorer[method]({ x: wrong as Float32Array }));
      for (const length of [1, 3, 5]) await refused(`${length}`, () => scorer[method]({ x: new Float32Array(length) }));
      await refused('row 64', () => scorer[method]({ x, index: Int32Array.of(64) }));
    }
    await refused('65 rows', () => scorer.scoreNow({ x: samples.rows(65) }));
  },
  'scoreNow takes 64 events and no more': async () => {
    const scorer = new (loadAddon().Scorer)(samples.scorerConfig());
    const events = samples.manyEvents(65);
    const want = await scorer.score({ events });
    assert.throws(() => scorer.scoreNow({ events }), /scoreNow takes at most 64 events, was given 65; use score/);
    const index = Int32Array.from({ length: 64 }, (_, i) => i);
    assert.deepEqual(scorer.scoreNow({ events, index }), want.slice(0, 64));
    assert.equal(scorer.scoreNow({ events, index: new Int32Array(0) }).length, 0);
  },
  'models too large for any memory': async () => {
    const { Trainer, Perceptron } = loadAddon();
    const huge = { width: 4096, feedForward: 4096, output: 4096, layers: 64 };
    for (const precision of ['f32', 'f64'] as const) {
      await refused('a trainer', () => new Trainer(samples.trainerConfig({ ...huge, precision })));
      for (const length of [3, 64]) {
        const widths = new Int32Array(length).fill(65536);
        await refused('a perceptron', () => new Perceptron(samples.perceptronConfig({ widths, precision })));
      }
    }
  },
  'results too large for any memory': async () => {
    const { Trainer } = loadAddon();
    const trainer = new Trainer(samples.trainerConfig({ width: 2, feedForward: 1, output: 4096, headLayers: 16 }));
    const offsets = new Int32Array(2 ** 22 + 1); // events without objects: 1 TB of representations
    const none = {
      pt: new Float32Array(0),
      eta: new Float32Array(0),
      phi: new Float32Array(0),
      kind: new Uint8Array(0),
    };
    await refused('embed', () => trainer.embed({ events: { ...none, offsets } }));
    await refused('reps', () => trainer.reps({ x: new Float32Array(0), offsets }));
    await refused('gradients', () =>
      trainer.gradients({ x: new Float32Array(0), offsets, dreps: new Float32Array(1) }),
    );
    assert.equal((await trainer.embed({ events: samples.events() })).length, 5 * (2 + 16 * 4096));
  },
  'views of different numbers of events': async () => {
    const all = calls();
    const call = all['trainer.stepOnViews'];
    const other = { x: new Float32Array(7).fill(1), offsets: Int32Array.of(0, 1) };
    const one = samples.tokens();
    for (const views of [[one, other, one], [one, one, other], [one, one], [one], [], [other, one, one]])
      await refused('views', () => call.run({ views, rate: 0.1, update: true }));
  },
  'numbers that are not finite give results that are not, and no more': async () => {
    const all = calls();
    for (const bad of [NaN, Infinity, -Infinity, 3e38, -3e38, 1e-45])
      for (const name of takeEvents)
        for (const column of ['pt', 'eta', 'phi']) {
          const argument = all[name].good();
          argument.events[column].fill(bad);
          if (name !== 'augmentWithNumbers') assert.equal(await outcome(() => all[name].run(argument)), 'value');
        }
    for (const [name, key] of [
      ['trainer.reps', 'x'],
      ['trainer.gradients', 'x'],
      ['trainer.gradients', 'dreps'],
      ['perceptron.score', 'x'],
      ['prepare', 'x'],
      ['contrastiveLoss', 'z'],
      ['contrastiveLossNow', 'z'],
      ['attention', 'qkv'],
      ['attention', 'keyBias'],
      ['attentionBackward', 'qkv'],
      ['attentionBackward', 'probs'],
      ['attentionBackward', 'dout'],
      ['dense', 'x'],
      ['denseBackward', 'dy'],
      ['adam', 'gradient'],
      ['adam', 'weights'],
    ])
      for (const bad of [NaN, Infinity, 3e38]) {
        const argument = all[name].good();
        argument[key].fill(bad);
        assert.equal(await outcome(() => all[name].run(argument)), 'value');
      }
  },
  'events full to the last place': async () => {
    // 64 objects of any kinds leave no place for what augmentations would add, MET included
    const addon = loadAddon();
    const base = samples.manyEvents(64);
    for (const kind of [1, 2, 3, 4, 5, 0])
      for (const { name, params } of addon.augmentations()) {
        const events = {
          ...base,
          kind: base.kind.map((_, i) => kind || 2 + (i % 3)),
          offsets: Int32Array.from({ length: 19 }, (_, i) => i * 64),
        };
        const step = {
          augmentation: addon.augmentations().findIndex(a => a.name === name),
          parameters: Float64Array.from(params, p => p.default),
        };
        const recipe = [[{ weight: 1, steps: [step, step] }], [], []];
        const out = await addon.augment({ events, recipe, view: 0, seed: 1, epoch: 0 });
        for (let e = 0; e < 18; e++) assert.ok(out.offsets[e + 1] - out.offsets[e] <= 64, name);
      }
  },
  'detached, shared and offset arrays': async () => {
    const all = calls();
    for (const [name, call] of Object.entries(all)) {
      if (/^new|set/.test(name) || name === 'randomWords' || name === 'peak') continue;
      const want = await call.run({ ...call.good(), update: false, rate: 0 });
      const remade = (make: (a: any) => unknown): unknown => {
        const walk = (value: any): any => {
          if (ArrayBuffer.isView(value)) return make(value);
          if (Array.isArray(value)) return value.map(walk);
          if (typeof value !== 'object' || value === null) return value;
          return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, walk(v)]));
        };
        return walk({ ...call.good(), update: false, rate: 0 });
      };
      const shared = remade((a: any) => {
        const out = new a.constructor(new SharedArrayBuffer(a.byteLength));
        out.set(a);
        return out;
      });
      const within = remade((a: any) => {
        const out = new a.constructor(new ArrayBuffer(a.byteLength + 64), 24, a.length);
        out.set(a);
        return out;
      });
      if (name !== 'adam') assert.deepEqual(await call.run(shared), want, name);
      assert.deepEqual(await call.run(within), want, name);
      if (name === 'group.gather') continue; // nothing is right to hand in
      await refused(`${name}: detached arrays`, () => call.run(remade((a: any) => detached(a.slice()))));
    }
  },
};
