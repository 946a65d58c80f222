import { choice, files, optional, real, required, toggle, whole } from './option.js';

/** Options of every command. */
export const common = {
  threads: whole({ group: 'Machine', min: 0, max: 1024, default: 0, help: 'threads to compute on; 0 is all cores' }),
  config: optional({ group: 'General', argument: 'file', help: 'JSON or YAML file of options, named as the flags' }),
  seed: whole({ group: 'General', min: 0, default: 1, help: 'seed of every random draw' }),
  quiet: toggle({ group: 'General', help: 'say nothing but results and errors' }),
  debug: toggle({ group: 'General', help: 'show where in the program an error arose' }),
};

export const onBadEvent = choice({
  group: 'Events and augmentations',
  of: ['fail', 'skip'],
  default: 'fail',
  help: 'what to do with an event that breaks the rules of its format',
});
export const schema = optional({
  group: 'Events and augmentations',
  argument: 'name|file',
  help: 'how the branches of event files become objects: a schema that ships, or a YAML or JSON file',
});
/** How event files are read. */
export const reading = {
  onBadEvent,
  schema,
  cache: toggle({
    group: 'Input and output',
    default: true,
    help: 'keep packed copies of large event files, which are read much faster the next time',
  }),
  cacheFolder: optional({
    group: 'Input and output',
    argument: 'folder',
    help: "folder for them; left out it is ANOMALYCLR_CACHE or the user's own cache folder",
  }),
};
export const memory = real({
  group: 'Machine',
  min: 0.5,
  default: 2,
  unit: 'GB',
  help: 'memory that the process may take, whatever the size of the files',
});
export const shard = optional({
  group: 'Input and output',
  argument: 'i/n',
  help: 'only the i-th of n equal parts, 1/n to n/n, or auto: the place in an array of Slurm or HTCondor jobs',
});
export const model = required({
  group: 'Input and output',
  argument: 'run|bundle',
  help: 'folder of a trained run, or the ONNX file of a bundle',
});
export const runFolder = required({ group: 'Input and output', argument: 'folder', help: 'folder of a trained run' });
export const bundleFile = required({ group: 'Input and output', argument: 'file', help: 'ONNX file of a bundle' });
export const background = files({
  group: 'Input and output',
  help: 'event files of Standard Model background, globs, @lists',
});

export const run = {
  seeds: whole({
    group: 'Optimisation',
    min: 1,
    max: 100,
    default: 1,
    help: 'trainings with seeds counted up from --seed',
  }),
  epochs: whole({ group: 'Optimisation', min: 1, max: 100_000, default: 8, help: 'passes over the training events' }),
  maxEvents: whole({
    group: 'Events and augmentations',
    min: 0,
    default: 0,
    unit: 'events',
    help: 'most background events to use; 0 is all',
  }),
};

export const device = choice({
  group: 'Machine',
  of: ['auto', 'cpu', 'cuda'],
  default: 'auto',
  help: 'what the native engine computes on; auto is a GPU where one works, else the CPU',
});

export const engine = {
  engine: choice({
    group: 'Machine',
    of: ['auto', 'native', 'tfjs'],
    default: 'auto',
    help: 'what computes: the C++ engine, TensorFlow.js, or the better of those that work here',
  }),
  device,
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
export const inference = {
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
export const outOfDomain = choice({
  group: 'Events and augmentations',
  of: ['flag', 'refuse', 'nan'],
  default: 'flag',
  help: 'an event outside the training domain: score it and say so, stop, or give it the score NaN',
});
