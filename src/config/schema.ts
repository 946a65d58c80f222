import * as z from 'zod';
import { choice, files, jsonOutput, namedFiles, optional, real, required, toggle, whole } from './option.js';
import { exportOptions, serve, verify } from './options-bundle.js';
import {
  common,
  model,
  background,
  engine,
  inference,
  memory,
  outOfDomain,
  reading,
  schema,
  shard,
} from './options-shared.js';
import { scan } from './options-scan.js';
import { demo, train } from './options-train.js';

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
  restart: toggle({
    group: 'Input and output',
    help: 'throw away what an interrupted score of something else left for this --out',
  }),
  ...reading,
  shard,
  memory,
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
  out: optional({
    group: 'Input and output',
    argument: 'folder',
    help: 'folder for the part of an evaluation that --shard asks for; anomalyclr merge makes figures of all',
  }),
  ...reading,
  shard,
  memory,
  ...inference,
  ...engine,
  ...common,
});

const merge = z.strictObject({
  parts: files({
    group: 'Input and output',
    positional: true,
    help: 'score files, or folders of evaluations, of all shards in any order; names may have * and ?',
  }),
  out: optional({
    group: 'Input and output',
    argument: 'file',
    help: 'scores of all, in the format of its suffix: h5, csv, parquet; not for evaluations',
  }),
  json: jsonOutput({ group: 'Input and output', file: true, help: 'figures as JSON, printed or in a file' }),
  report: optional({ group: 'Input and output', argument: 'file', help: 'HTML file of a merged evaluation' }),
  memory,
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
  schema,
  ...common,
});

const doctor = z.strictObject({
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print as JSON' }),
  ...common,
});

const bench = z.strictObject({
  device: choice({
    group: 'Machine',
    of: ['cpu', 'cuda'],
    default: 'cpu',
    help: 'cuda: a GPU beside the processor, and PyTorch on it where ANOMALYCLR_PYTHON names a Python that has it',
  }),
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
  merge,
  scan,
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
export type MergeOptions = OptionsOf<'merge'>;
export type ScanOptions = OptionsOf<'scan'>;
export type InspectOptions = OptionsOf<'inspect'>;
export type DemoOptions = OptionsOf<'demo'>;
export type ExportOptions = OptionsOf<'export'>;
export type VerifyOptions = OptionsOf<'verify'>;
export type ServeOptions = OptionsOf<'serve'>;
export type BenchOptions = OptionsOf<'bench'>;
export type DoctorOptions = OptionsOf<'doctor'>;
/** What every command gets. */
export type CommonOptions = DoctorOptions;
