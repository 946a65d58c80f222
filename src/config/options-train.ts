import * as z from 'zod';
import { choice, custom, path, real, required, toggle, whole, widths } from './option.js';
import { common, memory, reading, background, run, engine } from './options-shared.js';
import { presetNames } from './presets.js';
import { recipeSchema } from './recipe.js';

const lossAndViews = {
  loss: choice({
    group: 'Loss',
    of: ['clr', 'anomclr', 'anomclr+', 'ntxent'],
    default: 'anomclr',
    help: 'contrastive loss',
  }),
  temperature: real({ group: 'Loss', above: 0, max: 1000, default: 0.1, help: 'temperature of the similarities' }),
  invarianceWeight: real({
    group: 'Loss',
    min: 0,
    default: 1,
    help: 'weight of the term that draws an event and its physical view together',
  }),
  anomalyWeight: real({
    group: 'Loss',
    min: 0,
    default: 0.3,
    help: 'weight of the term that drives an event and its anomalous view apart',
  }),
  pivotWeight: real({
    group: 'Loss',
    min: 0,
    max: 1e6,
    default: 0,
    help: 'weight of the term that makes the representations of anchors and of physical views alike as populations; 0 is none',
  }),
  recipe: custom(z.union([z.string().min(1), recipeSchema]).default('default'), {
    group: 'Events and augmentations',
    argument: 'name|file',
    allowed: 'a preset (default, broad, paper, jet), a JSON or YAML file, or in a configuration file the recipe itself',
    help: 'augmentations that make the views of an event',
  }),
  validation: real({
    group: 'Events and augmentations',
    min: 0,
    max: 0.5,
    default: 0.1,
    help: 'fraction of the background kept from training, for the validation loss',
  }),
  ptFeature: choice({
    group: 'Events and augmentations',
    of: ['linear', 'log'],
    default: 'log',
    help: 'how the encoder sees pt',
  }),
  angles: choice({
    group: 'Events and augmentations',
    of: ['auto', 'phi', 'sincos'],
    default: 'auto',
    help: 'how the encoder sees phi; auto is sincos for collisions and phi for jets',
  }),
};

const optimisation = {
  ...run,
  batch: whole({
    group: 'Optimisation',
    min: 2,
    max: 1_000_000,
    default: 512,
    unit: 'events',
    help: 'events of one step',
  }),
  optimiser: choice({ group: 'Optimisation', of: ['adam', 'adamw'], default: 'adamw', help: 'rule of the updates' }),
  learningRate: real({ group: 'Optimisation', above: 0, max: 10, default: 1e-3, help: 'highest learning rate' }),
  weightDecay: real({ group: 'Optimisation', min: 0, max: 1, default: 0.01, help: 'weight decay of adamw' }),
  warmup: real({
    group: 'Optimisation',
    min: 0,
    max: 1,
    default: 0.05,
    help: 'fraction of the steps over which the learning rate rises',
  }),
  schedule: choice({
    group: 'Optimisation',
    of: ['cosine', 'constant'],
    default: 'cosine',
    help: 'course of the learning rate after the warm-up',
  }),
  clip: real({ group: 'Optimisation', min: 0, default: 1, help: 'largest norm of the whole gradient; 0 is no limit' }),
  patience: whole({
    group: 'Optimisation',
    min: 0,
    default: 5,
    unit: 'epochs',
    help: 'epochs without a better validation loss before training stops; 0 is never',
  }),
  checkpointEvery: whole({
    group: 'Optimisation',
    min: 1,
    default: 200,
    unit: 'steps',
    help: 'steps between checkpoints',
  }),
};

const encoder = {
  width: whole({ group: 'Encoder', min: 1, max: 4096, default: 64, help: 'size of an object inside the encoder' }),
  heads: whole({ group: 'Encoder', min: 1, max: 256, default: 4, help: 'attention heads; must divide the width' }),
  layers: whole({ group: 'Encoder', min: 1, max: 64, default: 3, help: 'transformer layers' }),
  feedForward: whole({ group: 'Encoder', min: 1, max: 16_384, default: 64, help: 'hidden width of each layer' }),
  output: whole({ group: 'Encoder', min: 1, max: 4096, default: 64, help: 'size of what the head gives' }),
  headLayers: whole({ group: 'Encoder', min: 0, max: 9, default: 4, help: 'layers of the head after pooling' }),
  headNorm: toggle({ group: 'Encoder', help: 'normalise between the layers of the head' }),
  dropout: real({
    group: 'Encoder',
    min: 0,
    max: 0.9,
    default: 0,
    help: 'fraction of activations dropped in training',
  }),
  mask: choice({
    group: 'Encoder',
    of: ['hard', 'continuous'],
    default: 'hard',
    help: 'attention and pooling: all objects alike, or weighted by pt',
  }),
};

const detector = {
  representation: choice({
    group: 'Detector',
    of: ['pool', 'head1', 'head2', 'head3', 'head4', 'head5', 'head6', 'head7', 'head8', 'head9', 'last'],
    default: 'pool',
    help: 'where the representation is read: before the head, after one of its layers, or its end',
  }),
  sums: toggle({
    group: 'Detector',
    default: true,
    help: 'give the detector number, largest pt and sum of pt of objects of each kind beside the representation',
  }),
  detector: choice({
    group: 'Detector',
    of: ['autoencoder', 'ratio', 'combined'],
    default: 'combined',
    help: 'what gives the score: the error of an autoencoder, the ratio of densities of anomalous views and background, or both',
  }),
  prepare: choice({
    group: 'Detector',
    of: ['none', 'standardise', 'whiten'],
    default: 'whiten',
    help: 'how representations are brought to one scale',
  }),
  bottleneck: whole({ group: 'Detector', min: 1, max: 4096, default: 8, help: 'narrowest layer of the autoencoder' }),
  detectorHidden: widths({
    group: 'Detector',
    max: 4096,
    default: [64, 32],
    help: 'hidden widths of the autoencoder down to the bottleneck; empty is automatic',
  }),
  detectorEpochs: whole({ group: 'Detector', min: 1, max: 100_000, default: 30, help: 'passes of the autoencoder' }),
  detectorBatch: whole({
    group: 'Detector',
    min: 1,
    max: 1_000_000,
    default: 512,
    unit: 'events',
    help: 'events of one step of the detector',
  }),
  detectorLearningRate: real({
    group: 'Detector',
    above: 0,
    max: 10,
    default: 1e-3,
    help: 'learning rate of the detector',
  }),
  ratioHidden: widths({
    group: 'Detector',
    max: 4096,
    default: [64, 64],
    help: 'hidden widths of the network for the ratio',
  }),
  ratioEpochs: whole({
    group: 'Detector',
    min: 1,
    max: 100_000,
    default: 12,
    help: 'passes of the network for the ratio',
  }),
  ratioRecipe: custom(z.union([z.string().min(1), recipeSchema]).optional(), {
    group: 'Detector',
    argument: 'name|file',
    allowed: 'as for recipe',
    help: 'its anomalous scenarios are what the ratio tells background from; left out it is the recipe',
  }),
  comparators: toggle({
    group: 'Detector',
    default: true,
    help: 'train the detectors on raw data and on an untrained encoder too',
  }),
};

const machine = {
  ...engine,
  ranks: choice({
    group: 'Machine',
    of: ['auto', 'off'],
    default: 'auto',
    help: 'train with the other processes that mpirun, srun or torchrun started, if any, or in this one alone',
  }),
  precision: choice({
    group: 'Machine',
    of: ['f32', 'bf16', 'f64'],
    default: 'f32',
    help: 'numbers it computes with; bf16: factors of matrix products alone, the rest is f32',
  }),
};

const preset = choice({
  group: 'General',
  of: presetNames,
  default: 'standard',
  help: "settings that stand where nothing else is given: those of this program, or the published paper's",
});

export const train = z
  .strictObject({
    background,
    out: required({ group: 'Input and output', argument: 'folder', help: 'folder for the run' }),
    resume: toggle({ group: 'Input and output', help: 'go on with the run in --out from its last checkpoint' }),
    ...lossAndViews,
    ...optimisation,
    ...encoder,
    ...detector,
    ...reading,
    memory,
    ...machine,
    preset,
    ...common,
  })
  .refine(o => o.width % o.heads === 0, {
    path: ['heads'],
    error: issue => {
      const { width, heads } = issue.input as { width: number; heads: number };
      return `got ${heads}, which does not divide the width ${width}`;
    },
  })
  .refine(o => Number(/^head(\d)$/.exec(o.representation)?.[1] ?? 0) <= o.headLayers, {
    path: ['representation'],
    error: issue => {
      const { representation, headLayers } = issue.input as { representation: string; headLayers: number };
      return `got ${representation}, but the head has headLayers = ${headLayers}`;
    },
  })
  .refine(o => o.pivotWeight === 0 || !o.sums, {
    path: ['pivotWeight'],
    error: 'makes a representation alike under both detectors, but not the sums that are read beside it: add --no-sums',
  });

export const demo = z.strictObject({
  out: path({ group: 'Input and output', argument: 'folder', default: 'runs/demo', help: 'folder for the run' }),
  ...run,
  // three trainings are the fewest that say how much a figure owes to chance
  seeds: whole({
    group: 'Optimisation',
    min: 0,
    max: 100,
    default: 0,
    help: 'trainings with seeds counted up from --seed; 0 is three, or one where only a slower engine works',
  }),
  batch: optimisation.batch,
  loss: lossAndViews.loss,
  recipe: lossAndViews.recipe,
  ...engine,
  preset,
  ...common,
});
