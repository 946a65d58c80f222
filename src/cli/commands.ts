import type { CommandName, OptionsOf } from '../config/schema.js';
import type { Output } from './output.js';
import type { Progress, ProgressOptions } from './progress.js';

/** What a command gets beside its options. */
export interface Context {
  readonly output: Output;
  /** Starts a progress display; main ends those left open. */
  readonly progress: (options: ProgressOptions) => Progress;
  /** Fires at the first Ctrl-C: finish the step, leave valid files, return. */
  readonly signal: AbortSignal;
  /** Version of this package. */
  readonly version: string;
}

/** A command: what --help says of it and where its body is, loaded only when it runs. */
interface Command<C extends CommandName> {
  readonly summary: string;
  /** Tells itself what goes on, in lines for machines that nothing else may stand between. */
  readonly logs?: true;
  readonly load: () => Promise<{ run: (options: OptionsOf<C>, context: Context) => Promise<number | void> }>;
}

/** The commands in the order of --help. A new one is a schema in config/schema.ts, a line here and its file. */
export const commands: { readonly [C in CommandName]: Command<C> } = {
  demo: { summary: 'the whole path on the sample, from events to report', load: () => import('./demo.js') },
  inspect: { summary: 'what is in event files: counts, spectra, problems', load: () => import('./inspect.js') },
  train: { summary: 'learn from background events: scale, encoder, detector', load: () => import('./train.js') },
  score: { summary: 'one anomaly score for each event', load: () => import('./score.js') },
  evaluate: { summary: 'how well a run finds given signals', load: () => import('./evaluate.js') },
  merge: { summary: 'one file of what shards of score or evaluate wrote', load: () => import('./merge.js') },
  scan: { summary: 'a study over many trainings: variants, seeds, figures', load: () => import('./scan.js') },
  export: { summary: 'one ONNX file that a stranger can use safely', load: () => import('./export.js') },
  verify: { summary: 'whether a bundle gives the scores that its maker got', load: () => import('./verify.js') },
  serve: { summary: 'scores over HTTP', logs: true, load: () => import('./serve.js') },
  bench: { summary: 'how fast each way to compute is here', load: () => import('./bench.js') },
  doctor: { summary: 'what this machine has, and what is missing', load: () => import('./doctor.js') },
};
