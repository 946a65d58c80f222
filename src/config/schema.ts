import * as z from 'zod';
import {
  choice,
  custom,
  files,
  jsonOutput,
  namedFiles,
  optional,
  optionalFiles,
  optionalNamedFiles,
  path,
  real,
  required,
  toggle,
  whole,
  widths,
} from './option.js';
import { recipeSchema } from './recipe.js';

/** Options of every command. */
const common = {
  threads: whole({ group: 'Machine', min: 0, max: 1024, default: 0, help: 'threads to compute on; 0 is all cores' }),
  config: optional({ group: 'General', argument: 'file', help: 'JSON or YAML file of options, named as the flags' }),
  seed: whole({ group: 'General', min: 0, default: 1, help: 'seed of every random draw' }),
  quiet: toggle({ group: 'General', help: 'say nothing but results and errors' }),
  debug: toggle({ group: 'General', help: 'show where in the program an error arose' }),
};

const onBadEvent = choice({
  group: 'Events and augmentations',
  of: ['fail', 'skip'],
  default: 'fail',
  help: 'what to do with an event that breaks the rules of its format',
});
const model = required({
  group: 'Input and output',
  argument: 'run|bundle',
  help: 'folder of a trained run, or the ONNX file of a bundle',
});
const runFolder = required({ group: 'Input and output', argument: 'folder', help: 'folder of a trained run' });
const bundleFile = required({ group: 'Input and output', argument: 'file', help: 'ONNX file of a bundle' });
const background = files({ group: 'Input and output', help: 'event files of Standard Model background' });

const run = {
  seeds: whole({
    group: 'Optimisation',
    min: 1,
    max: 100,
    default: 1,
    help: 'trainings with seeds counted up from --seed',
  }),
  epochs: whole({ group: 'Optimisation', min: 1, max: 100_000, default: 6, help: 'passes over the training events' }),
  maxEvents: whole({
    group: 'Events and augmentations',
    min: 0,
    default: 0,
    unit: 'events',
    help: 'most background events to use; 0 is all',
  }),
};

const lossAndViews = {
  loss: choice({
    group: 'Loss',
    of: ['clr', 'anomclr', 'anomclr+', 'ntxent'],
    default: 'anomclr+',
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
    default: 3,
    help: 'weight of the term that drives an event and its anomalous view apart',
  }),
  recipe: custom(z.union([z.string().min(1), recipeSchema]).default('default'), {
    group: 'Events and augmentations',
    argument: 'name|file',
    allowed: 'a preset (default, broad, paper), a JSON or YAML file, or in a configuration file the recipe itself',
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
    of: ['phi', 'sincos'],
    default: 'sincos',
    help: 'how the encoder sees phi',
  }),
  onBadEvent,
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
  prepare: choice({
    group: 'Detector',
    of: ['none', 'standardise', 'whiten'],
    default: 'whiten',
    help: 'how representations are brought to one scale',
  }),
  bottleneck: whole({ group: 'Detector', min: 1, max: 4096, default: 10, help: 'narrowest layer of the autoencoder' }),
  detectorHidden: widths({
    group: 'Detector',
    max: 4096,
    help: 'hidden widths of the autoencoder down to the bottleneck; empty is automatic',
  }),
  detectorEpochs: whole({ group: 'Detector', min: 1, max: 100_000, default: 30, help: 'passes of the autoencoder' }),
  detectorBatch: whole({
    group: 'Detector',
    min: 1,
    max: 1_000_000,
    default: 512,
    unit: 'events',
    help: 'events of one step of the autoencoder',
  }),
  detectorLearningRate: real({
    group: 'Detector',
    above: 0,
    max: 10,
    default: 1e-3,
    help: 'learning rate of the autoencoder',
  }),
  comparators: toggle({
    group: 'Detector',
    default: true,
    help: 'train the detectors on raw data and on an untrained encoder too',
  }),
};

const engine = {
  engine: choice({
    group: 'Machine',
    of: ['auto', 'native', 'tfjs'],
    default: 'auto',
    help: 'what computes: the C++ engine, TensorFlow.js, or the better of those that work here',
  }),
  tfjsBackend: choice({
    group: 'Machine',
    of: ['auto', 'node-gpu', 'node', 'wasm', 'cpu'],
    default: 'auto',
    help: 'what TensorFlow.js computes on; auto is the fastest that is installed',
  }),
  tfjsKernels: choice({
    group: 'Machine',
    of: ['auto', 'native', 'pure'],
    default: 'auto',
    help: "views, attention and losses of the tfjs engine: the addon's kernels, or TensorFlow.js alone; auto is the faster",
  }),
};

/** How a bundle is run. */
const inference = {
  provider: choice({
    group: 'Machine',
    of: ['auto', 'cpu', 'cuda', 'tensorrt'],
    default: 'auto',
    help: 'what ONNX Runtime computes a bundle on; auto is the fastest that works here',
  }),
  sessions: whole({
    group: 'Machine',
    min: 0,
    max: 256,
    default: 0,
    help: 'sessions of ONNX Runtime side by side for a bundle; 0 is as many as pay',
  }),
};
const outOfDomain = choice({
  group: 'Events and augmentations',
  of: ['flag', 'refuse', 'nan'],
  default: 'flag',
  help: 'an event outside the training domain: score it and say so, stop, or give it the score NaN',
});

const machine = {
  ...engine,
  device: choice({ group: 'Machine', of: ['auto', 'cpu'], default: 'auto', help: 'where it computes' }),
  precision: choice({
    group: 'Machine',
    of: ['f32', 'bf16', 'f64'],
    default: 'f32',
    help: 'numbers it computes with; bf16: factors of matrix products alone, the rest is f32',
  }),
};

const train = z
  .strictObject({
    background,
    out: required({ group: 'Input and output', argument: 'folder', help: 'folder for the run' }),
    resume: toggle({ group: 'Input and output', help: 'go on with the run in --out from its last checkpoint' }),
    ...lossAndViews,
    ...optimisation,
    ...encoder,
    ...detector,
    ...machine,
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
  });

const score = z.strictObject({
  model,
  data: files({ group: 'Input and output', help: 'event files to score' }),
  out: required({
    group: 'Input and output',
    argument: 'file',
    help: 'scores, in the format of its suffix: h5, csv, parquet',
  }),
  batch: whole({
    group: 'Machine',
    min: 1,
    max: 1_000_000,
    default: 4096,
    unit: 'events',
    help: 'events scored at once',
  }),
  precision: choice({
    group: 'Machine',
    of: ['auto', 'bf16'],
    default: 'auto',
    help: "numbers a run computes with: its own, or bf16 factors in the encoder's matrix products",
  }),
  onBadEvent,
  outOfDomain,
  ...inference,
  ...engine,
  ...common,
});

const evaluate = z.strictObject({
  model,
  background,
  signal: namedFiles({ group: 'Input and output', help: 'event file of a signal under its name; repeat for more' }),
  json: jsonOutput({ group: 'Input and output', file: true, help: 'figures as JSON, printed or in a file' }),
  report: optional({ group: 'Input and output', argument: 'file', help: 'HTML file for tables and plots' }),
  onBadEvent,
  ...inference,
  ...engine,
  ...common,
});

const exportOptions = z.strictObject({
  model: runFolder,
  out: required({ group: 'Input and output', argument: 'file', help: 'ONNX file for the bundle' }),
  background: optionalFiles({
    group: 'Input and output',
    help: 'event files of background that set the thresholds; none is the events that training held back',
  }),
  signal: optionalNamedFiles({
    group: 'Input and output',
    help: 'event file of a signal under its name, to tell what another precision than f32 changes; repeat for more',
  }),
  triton: optional({ group: 'Input and output', argument: 'folder', help: 'folder for a Triton model repository too' }),
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print the model card as JSON' }),
  part: choice({
    group: 'Detector',
    of: ['scorer', 'encoder'],
    default: 'scorer',
    help: 'the whole way to a score, or to the representation alone',
  }),
  inputRate: real({
    group: 'Detector',
    min: 0,
    default: 0,
    unit: 'kHz',
    help: 'rate of events that reach the model, to give thresholds as trigger rates; 0 is unknown',
  }),
  name: path({
    group: 'Input and output',
    argument: 'text',
    default: 'anomalyclr',
    help: 'name of the model, for its card and for servers',
  }),
  licence: path({
    group: 'Input and output',
    argument: 'text',
    default: 'not stated',
    help: 'licence of the model, for its card',
  }),
  precision: choice({
    group: 'Machine',
    of: ['f32', 'f16', 'bf16', 'int8'],
    default: 'f32',
    help: 'numbers of the encoder: f16 computes in them, bf16 stores weights in them, int8 both in matrix products',
  }),
  layout: choice({
    group: 'Machine',
    of: ['packed', 'padded'],
    default: 'packed',
    help: 'dense layers over real objects alone, or over every slot, for compilers that want fixed shapes',
  }),
  onBadEvent,
  ...engine,
  ...common,
});

const verify = z.strictObject({
  bundles: files({ group: 'Input and output', positional: true, help: 'ONNX files of bundles' }),
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print as JSON' }),
  ...inference,
  ...common,
});

const serve = z.strictObject({
  model: bundleFile,
  name: path({ group: 'Server', argument: 'text', default: 'anomalyclr', help: 'name of the model in addresses' }),
  host: path({ group: 'Server', argument: 'address', default: '127.0.0.1', help: 'address to listen on' }),
  port: whole({ group: 'Server', min: 0, max: 65_535, default: 8000, help: 'port to listen on; 0 is any free one' }),
  maxBatch: whole({
    group: 'Server',
    min: 1,
    max: 65_536,
    default: 512,
    unit: 'events',
    help: 'most events of several requests that are scored together',
  }),
  latencyBudget: real({
    group: 'Server',
    min: 0,
    max: 1000,
    default: 0.5,
    unit: 'ms',
    help: 'how long a request may wait for others to be scored with it, where nothing else holds it up',
  }),
  queue: whole({
    group: 'Server',
    min: 1,
    default: 16_384,
    unit: 'events',
    help: 'most events that wait; a request beyond gets 503',
  }),
  maxEvents: whole({
    group: 'Server',
    min: 1,
    max: 1_000_000,
    default: 8192,
    unit: 'events',
    help: 'most events of one request',
  }),
  maxRequest: real({ group: 'Server', above: 0, max: 2000, default: 32, unit: 'MB', help: 'largest request body' }),
  timeout: real({
    group: 'Server',
    above: 0,
    max: 3600,
    default: 10,
    unit: 'seconds',
    help: 'how long a request may take to arrive, and how long to be answered',
  }),
  grace: real({
    group: 'Server',
    min: 0,
    max: 3600,
    default: 10,
    unit: 'seconds',
    help: 'how long a stop waits for requests under way',
  }),
  tokenFile: optional({
    group: 'Server',
    argument: 'file',
    help: 'file with the bearer token that requests must carry',
  }),
  tlsCert: optional({ group: 'Server', argument: 'file', help: 'certificate (PEM), to serve HTTPS; with --tls-key' }),
  tlsKey: optional({ group: 'Server', argument: 'file', help: 'its private key (PEM)' }),
  watch: toggle({ group: 'Server', help: 'load the bundle again whenever its file changes' }),
  logLevel: choice({
    group: 'Server',
    of: ['info', 'debug', 'warn', 'error', 'silent'],
    default: 'info',
    help: 'least severe line of the log; debug has one for each request',
  }),
  outOfDomain,
  ...inference,
  ...common,
});

const inspect = z.strictObject({
  files: files({ group: 'Input and output', positional: true, help: 'event files' }),
  model: optional({
    group: 'Input and output',
    argument: 'run|bundle',
    help: 'run or bundle whose training domain the files are compared with, feature by feature',
  }),
  report: optional({ group: 'Input and output', argument: 'file', help: 'HTML file for that comparison' }),
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print as JSON' }),
  onBadEvent: choice({
    group: 'Events and augmentations',
    of: ['fail', 'skip'],
    default: 'skip',
    help: 'stop at an event that breaks the rules of its format, or count it',
  }),
  ...common,
});

const demo = z.strictObject({
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
  ...common,
});

const doctor = z.strictObject({
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print as JSON' }),
  ...common,
});

const bench = z.strictObject({
  filter: optional({
    group: 'Input and output',
    argument: 'text',
    help: 'only cases with these words in name or subject, or with this name and batch (train-step-512)',
  }),
  full: toggle({ group: 'Input and output', help: 'every case at every batch, which takes hours' }),
  seconds: real({
    group: 'Machine',
    above: 0,
    max: 3600,
    default: 1,
    unit: 'seconds',
    help: 'how long each case is timed; 5 calls are the least',
  }),
  json: jsonOutput({ group: 'Input and output', file: true, help: 'figures as JSON, printed or in a file' }),
  html: optional({ group: 'Input and output', argument: 'file', help: 'HTML file for bars and scaling curves' }),
  compare: optional({
    group: 'Input and output',
    argument: 'file',
    help: 'JSON of an earlier run to compare with; exit code 1 where a case is slower past --limit',
  }),
  limit: real({
    group: 'Input and output',
    min: 0,
    max: 100,
    default: 10,
    unit: 'percent',
    help: 'throughput that a case may lose against --compare',
  }),
  ...common,
});

/** Every command's options: the one home of names, defaults, ranges, units and help. */
export const commandSchemas = {
  demo,
  inspect,
  train,
  score,
  evaluate,
  export: exportOptions,
  verify,
  serve,
  bench,
  doctor,
} as const;

export type CommandName = keyof typeof commandSchemas;
/** The options of a command, checked, with defaults filled in. */
export type OptionsOf<C extends CommandName> = z.output<(typeof commandSchemas)[C]>;
export type TrainOptions = OptionsOf<'train'>;
export type ScoreOptions = OptionsOf<'score'>;
export type EvaluateOptions = OptionsOf<'evaluate'>;
export type InspectOptions = OptionsOf<'inspect'>;
export type DemoOptions = OptionsOf<'demo'>;
export type ExportOptions = OptionsOf<'export'>;
export type VerifyOptions = OptionsOf<'verify'>;
export type ServeOptions = OptionsOf<'serve'>;
export type BenchOptions = OptionsOf<'bench'>;
export type DoctorOptions = OptionsOf<'doctor'>;
/** What every command gets. */
export type CommonOptions = DoctorOptions;
