import { loadAddon, type Addon } from '../../src/addon.js';
import { augmentations } from '../../src/augment/list.js';
import { array, flag, number, object, text, whole, words, type Field } from './fields.js';
import * as samples from './samples.js';

/** One way into the addon: a good argument, what each part of it may be, and the call. */
export interface Call {
  good: () => any;
  fields: Record<string, Field>;
  run: (argument: any) => unknown;
}

const word = whole(0, 2 ** 32 - 1);
const seed = whole(0, Number.MAX_SAFE_INTEGER);
const eventFields: Record<string, Field> = {
  events: object,
  'events.pt': array(Float32Array, 'exact'),
  'events.eta': array(Float32Array, 'exact'),
  'events.phi': array(Float32Array, 'exact'),
  'events.kind': array(Uint8Array, 'exact'),
  'events.offsets': array(Int32Array, 'some'),
};
const doubleFields: Record<string, Field> = {
  'events.pt': array(Float64Array, 'exact'),
  'events.eta': array(Float64Array, 'exact'),
  'events.phi': array(Float64Array, 'exact'),
};
/** There may be no step at all. */
const steps: Field = { wrong: () => object.wrong({}).filter(value => !(Array.isArray(value) && value.length === 0)) };
const recipeFields: Record<string, Field> = {
  '1.0': object,
  '1.0.weight': number(1e-12, 1e12),
  '1.0.steps': steps,
  '1.0.steps.0': object,
  '1.0.steps.0.augmentation': whole(0, augmentations.length - 1),
  '1.0.steps.0.parameters': array(Float64Array),
  '2.0.steps.0.parameters': array(Float64Array, 'exact'),
};
const below = (folder: string, fields: Record<string, Field>): Record<string, Field> =>
  Object.fromEntries(Object.entries(fields).map(([path, field]) => [`${folder}.${path}`, field]));
const optimiserFields: Record<string, Field> = {
  optimiser: object,
  'optimiser.kind': text,
  'optimiser.weightDecay': number(0, 1e6, true),
  'optimiser.l2': number(0, 1e6, true),
  'optimiser.clip': number(0, 1e30, true),
  'optimiser.beta1': number(0, 0.999999999, true),
  'optimiser.beta2': number(0, 0.999999999, true),
  'optimiser.eps': number(0, 1, true),
};

const encoderFields: Record<string, Field> = {
  features: whole(7, 8), ptFeature: text, ptScale: number(1e-9, 1e9), etaScale: number(1e-6, 1e6, true),
  phiScale: number(1e-6, 1e6, true), mask: text, width: whole(1, 4096), heads: whole(1, 4096), layers: whole(0, 64), feedForward: whole(1, 4096), output: whole(1, 4096),
  headLayers: whole(0, 16), headNorm: flag, dropout: number(0, 0.99),
}; // prettier-ignore
const perceptronFields: Record<string, Field> = {
  learns: text,
  widths: array(Int32Array, 'some'),
  activation: text,
  activateBottleneck: flag,
};
const memberFields: Record<string, Field> = {
  ...perceptronFields,
  weights: array(Float32Array, 'exact'),
  logarithm: flag,
  mean: number(-1e300, 1e300),
  deviation: number(1e-300, 1e300),
};
/** Of one that learns rows. */
const noClasses: Field = { optional: true, wrong: () => [null, 0, 'x', {}, [], new Uint8Array(0), new Uint8Array(2)] };
const preparationFields: Record<string, Field> = {
  preparation: object,
  'preparation.inputs': whole(1, 65536),
  'preparation.outputs': whole(1, 65536),
  'preparation.mean': array(Float64Array, 'exact'),
  'preparation.matrix': array(Float64Array, 'exact'),
};

/** Of either precision. */
const floats: Field = {
  wrong: good => array(Float32Array, 'some').wrong(good).filter(value => !(value instanceof Float64Array)),
}; // prettier-ignore

/** A call off the event loop and its twin at once. */
const both = <const N extends string>(later: N, now: N, call: (name: N) => Call): Record<string, Call> => ({
  [later]: call(later),
  [now]: call(now),
});

/** In float32 beside others of float32. */
const single = (length: 'any' | 'exact' = 'exact', optional = false): Field => array(Float32Array, length, optional);
const rounded: Field = { ...text, optional: true };
const maybe: Field = { ...flag, optional: true };
const attentionFields: Record<string, Field> = {
  qkv: single(), offsets: array(Int32Array, 'exact'), heads: whole(1, 4096), keep: array(Uint8Array, 'exact', true),
  keepScale: number(0, 1e6, true),
}; // prettier-ignore
const lossFields: Record<string, Field> = {
  loss: text, z: single(), zPhysical: single(), zAnomalous: single(), events: whole(1, 2 ** 28), dim: whole(1, 2 ** 20),
  temperature: number(1e-9, 1e9), invarianceWeight: number(0, 1e6, true), anomalyWeight: number(0, 1e6, true),
  precision: rounded,
}; // prettier-ignore
const denseFields: Record<string, Field> = {
  x: single('any'), weight: single(), inputs: whole(1, 65536), outputs: whole(1, 65536), precision: rounded,
}; // prettier-ignore

/** Every function of the addon that takes an object, and every method of fresh sessions. */
export function calls(addon: Addon = loadAddon()): Record<string, Call> {
  const trainer = new addon.Trainer(samples.trainerConfig());
  const perceptron = new addon.Perceptron(samples.perceptronConfig());
  const scorer = new addon.Scorer(samples.scorerConfig());
  const group = new addon.Group(samples.groupConfig());
  const [weights, codings] = [trainer.weights().length, perceptron.weights().length];
  const views = (): unknown[] => [samples.tokens(), samples.tokens(), samples.tokens()];
  const tokens: Record<string, Field> = { x: array(Float32Array, 'exact'), offsets: array(Int32Array, 'exact') };
  const rows: Record<string, Field> = { x: array(Float32Array, 'some'), index: array(Int32Array, 'some', true) };
  return {
    randomWords: {
      good: () => ({ seed: 1, epoch: 2, event: 3, stream: 4, count: 5 }),
      fields: { seed, epoch: word, event: word, stream: word, count: whole(0, 2 ** 24) },
      run: a => addon.randomWords(a),
    },
    ...both('augment', 'augmentNow', name => ({
      good: () => ({
        events: samples.events(), index: Int32Array.of(4, 0, 2), recipe: samples.recipe(), view: 2, seed: 1, epoch: 0,
      }),
      fields: {
        ...eventFields, index: array(Int32Array, 'any', true), recipe: object, ...below('recipe', recipeFields),
        view: whole(0, 2), seed, epoch: word,
      },
      run: a => addon[name](a),
    })),
    augmentWithNumbers: {
      good: () => ({
        events: samples.doubles(samples.events()), augmentation: 0, parameters: new Float64Array(0),
        numbers: Float64Array.of(0.1, 0.2, 0.3, 0.4, 0.5), numberOffsets: Int32Array.of(0, 1, 2, 3, 4, 5),
      }),
      fields: {
        ...eventFields, ...doubleFields, augmentation: whole(0, 9), parameters: array(Float64Array), numbers: array(Float64Array, 'some'),
        numberOffsets: array(Int32Array, 'exact'),
      },
      run: a => addon.augmentWithNumbers(a),
    },
    peak: {
      good: () => ({ precision: 'f32', seconds: 0.002 }),
      fields: { precision: text, seconds: number(1e-3, 10) },
      run: a => addon.peak(a),
    },
    ...both('contrastiveLoss', 'contrastiveLossNow', name => ({
      good: () => ({
        loss: 'anomclr', z: samples.rows(), zPhysical: samples.rows(), zAnomalous: samples.rows(), events: 6, dim: 4,
        temperature: 0.1, ...(name === 'contrastiveLossNow' ? { gradients: true } : {}),
      }),
      fields: { ...lossFields, ...(name === 'contrastiveLossNow' ? { gradients: maybe } : {}) },
      run: a => addon[name](a),
    })),
    attention: {
      good: () => ({ ...samples.attention(), keyBias: samples.rows(1) }),
      fields: { ...attentionFields, keyBias: single('exact', true) },
      run: a => addon.attention(a),
    },
    attentionBackward: {
      good: () => ({ ...samples.attention(), probs: new Float32Array(64).fill(0.3), dout: samples.rows(4) }),
      fields: { ...attentionFields, probs: single(), dout: single() },
      run: a => addon.attentionBackward(a),
    },
    dense: {
      good: () => ({ ...samples.dense(), bias: samples.rows(1), relu: true, precision: 'bf16' }),
      fields: { ...denseFields, bias: single('exact', true), relu: maybe },
      run: a => addon.dense(a),
    },
    denseBackward: {
      good: () => ({ ...samples.dense(), dy: samples.rows(6) }),
      fields: { ...denseFields, dy: single() },
      run: a => addon.denseBackward(a),
    },
    adam: {
      good: () => ({
        weights: samples.rows(), m: samples.rows(), v: samples.rows().fill(1), gradient: samples.rows(), steps: 3, rate: 1e-3,
        optimiser: { kind: 'adam' },
      }),
      fields: {
        weights: single(), m: single(), v: single(), gradient: single(), steps: seed, rate: number(0, 1e6), ...optimiserFields,
      },
      run: a => addon.adam(a),
    },
    dropoutKeep: {
      good: () => ({
        seed: 1, epoch: 2, stream: 3, ids: Uint32Array.of(7, 0, 9), counts: Int32Array.of(5, 0, 40), threshold: 26,
      }),
      fields: {
        seed, epoch: word, stream: word, ids: array(Uint32Array, 'exact'), counts: array(Int32Array, 'exact'),
        threshold: whole(0, 256),
      },
      run: a => addon.dropoutKeep(a),
    },
    'new Trainer': {
      good: samples.trainerConfig,
      fields: {
        precision: text, ...encoderFields, loss: text,
        temperature: number(1e-6, 1e6), invarianceWeight: number(0, 1e6, true), anomalyWeight: number(0, 1e6, true),
        pivotWeight: number(0, 1e6, true), pivotLevel: whole(0, 2, true), pivotScaling: { ...text, optional: true }, ...optimiserFields,
      },
      run: a => new addon.Trainer(a).dispose(),
    },
    'new Perceptron': {
      good: samples.perceptronConfig,
      fields: { precision: text, ...perceptronFields, ...optimiserFields },
      run: a => new addon.Perceptron(a).dispose(),
    },
    'new Scorer': {
      good: samples.scorerConfig,
      fields: {
        precision: text, encoder: { ...object, optional: true }, ...below('encoder', encoderFields),
        'encoder.weights': array(Float32Array, 'exact'), 'encoder.from': whole(0, 2 ** 20), 'encoder.to': whole(0, 2 ** 20),
        ...preparationFields, members: object, 'members.0': object,
        ...below('members.0', memberFields), ...below('members.1', memberFields),
      },
      run: a => new addon.Scorer(a).dispose(),
    },
    'new Group': {
      good: samples.groupConfig,
      fields: {
        rank: whole(0, 0), ranks: whole(1, 65536), address: words, port: whole(1, 65535), token: array(Uint8Array, 'exact'),
        seconds: number(1e-3, 1e6), patience: number(1e-3, 1e6), hint: words,
      },
      run: a => new addon.Group(a).dispose(),
    },
    'group.gather': {
      good: () => ({ bytes: Uint8Array.of(1, 2, 3) }),
      fields: { bytes: array(Uint8Array) },
      run: a => group.gather(a),
    },
    prepare: {
      good: () => ({ preparation: samples.preparation(), x: samples.rows(), index: Int32Array.of(5, 0) }),
      fields: { ...preparationFields, ...rows, x: floats },
      run: a => addon.prepare(a),
    },
    'trainer.setWeights': {
      good: () => ({ weights: new Float32Array(weights) }),
      fields: { weights: array(Float32Array, 'exact') },
      run: a => trainer.setWeights(a),
    },
    'trainer.setState': {
      good: () => ({ m: new Float32Array(weights), v: new Float32Array(weights), steps: 3 }),
      fields: { m: array(Float32Array, 'exact'), v: array(Float32Array, 'exact'), steps: seed },
      run: a => trainer.setState(a),
    },
    'trainer.setRecipe': { good: samples.recipe, fields: recipeFields, run: a => trainer.setRecipe(a) },
    'trainer.step': {
      good: () => ({
        events: samples.events(), index: Int32Array.of(4, 0, 2), ids: Int32Array.of(7, -1, 0), seed: 1, epoch: 0,
        rate: 1e-3, update: true, next: { events: samples.events(), index: Int32Array.of(1, 3), seed: 1, epoch: 0 },
      }),
      fields: {
        ...eventFields, index: array(Int32Array, 'exact'), ids: array(Int32Array, 'exact', true), seed, epoch: word,
        rate: number(0, 1e6), update: flag, next: { ...object, optional: true }, ...below('next', { ...eventFields, seed, epoch: word }),
        'next.index': array(Int32Array, 'some', true),
      },
      run: a => trainer.step(a),
    },
    'trainer.stepOnViews': {
      good: () => ({ views: views(), rate: 1e-3, update: true }),
      fields: {
        views: object, 'views.0': object, ...below('views.1', tokens), ...below('views.2', tokens),
        rate: number(0, 1e6), update: flag,
      },
      run: a => trainer.stepOnViews(a),
    },
    'trainer.embed': {
      good: () => ({ events: samples.events(), index: Int32Array.of(1, 4) }),
      fields: { ...eventFields, index: array(Int32Array, 'any', true) },
      run: a => trainer.embed(a),
    },
    'trainer.reps': { good: samples.tokens, fields: tokens, run: a => trainer.reps(a) },
    'trainer.gradients': {
      good: () => ({ ...samples.tokens(), dreps: new Float32Array(3 * 18).fill(1) }),
      fields: { ...tokens, dreps: array(Float32Array, 'exact') },
      run: a => trainer.gradients(a),
    },
    'perceptron.setWeights': {
      good: () => ({ weights: new Float32Array(codings) }),
      fields: { weights: array(Float32Array, 'exact') },
      run: a => perceptron.setWeights(a),
    },
    'perceptron.step': {
      good: () => ({ x: samples.rows(), index: Int32Array.of(5, 0), rate: 1e-3 }),
      fields: { ...rows, classes: noClasses, rate: number(0, 1e6) },
      run: a => perceptron.step(a),
    },
    'perceptron.score': {
      good: () => ({ x: samples.rows(), index: Int32Array.of(1, 1, 2) }), fields: rows, run: a => perceptron.score(a),
    },
    'perceptron.gradients': {
      good: () => ({ x: samples.rows(), index: Int32Array.of(3) }), fields: { ...rows, classes: noClasses },
      run: a => perceptron.gradients(a),
    },
    ...Object.fromEntries(
      (['score', 'scoreNow', 'embed'] as const).map(method => [
        `scorer.${method}`,
        {
          good: () => ({ events: samples.events(), index: Int32Array.of(1, 4) }),
          fields: { ...eventFields, index: array(Int32Array, 'any', true) },
          run: (a: any) => scorer[method](a),
        },
      ]),
    ),
  }; // prettier-ignore
}
