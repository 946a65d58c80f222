import type { NamedFile } from '../config/option.js';
import type { Step } from '../config/recipe.js';
import type { TrainOptions } from '../config/schema.js';
import type { Engine } from '../engine/engine.js';
import type { SignalFigures } from '../evaluate/evaluation.js';
import type { Reading } from '../read/index.js';
import type { EventStore } from '../read/store.js';
import type { Figure } from '../report/figure.js';
import type { Method, Scorer } from '../score/scorer.js';
import type { Split } from '../train/split.js';
import type { TrialRecord } from './trial.js';

/**
 * A question put to many trainings: which runs to train, what else to score, and how to show what came out. A study is a
 * file in studies/ and a line in studies/index.ts and one in config/options-scan.ts.
 *
 * A trial is one variant with one seed. It trains and scores in a process of its own, which looks the study up by its name
 * and calls `variants`, `samples` and `methods` again with the same request: they must not depend on anything else.
 */
export interface Study {
  /** As on the command line, and the name of what it writes: `<name>.json`, `<name>.md`, `<name>.svg`. */
  readonly name: string;
  /** What it asks, in one sentence: the head of its table. */
  readonly title: string;
  /** Seeds of each variant where `--seeds` is left out. */
  readonly seeds: number;
  /**
   * Counted up when what `methods` or a transformation in `samples` computes changes: trials of before are then not taken
   * for today's.
   */
  readonly revision?: number;
  /** In the order shown; each name once. */
  variants(request: StudyRequest): Promise<readonly Variant[]>;
  /** Samples scored beside the background and the signals of the request; each label once. */
  samples?(request: StudyRequest): Promise<readonly StudySample[]>;
  /**
   * Methods scored beside the run's own, its comparators and the cuts, fitted here, in the trial's process. Under a name of
   * those already there they are refused. They are disposed of after scoring, where they have a `dispose`.
   */
  methods?(trial: TrialModel): Promise<readonly StudyMethod[]>;
  /** Called with all trials that are there, possibly fewer than asked for where some failed. */
  present(results: StudyResults): Promise<Presentation>;
}

export type StudyMethod = Method & { dispose?(): void };

/** What was asked for. Plain data. */
export interface StudyRequest {
  readonly study: string;
  /** Files to train on. */
  readonly background: readonly string[];
  /** Files of background that no run is trained on. */
  readonly test: readonly string[];
  /** Several files of one name are one signal. */
  readonly signals: readonly NamedFile[];
  /** Files of `--shifted`: a study that has a use for them says how names are read. */
  readonly shifted: readonly NamedFile[];
  readonly seeds: readonly number[];
  /** Options of `train` that every variant begins with: those given, else the defaults. */
  readonly options: StudyOptions;
  /** Names of the options that were given on the command line or in a configuration file. */
  readonly given: readonly string[];
}

/** Options of `train` that a study may set; where a run lies and what it is trained on, trials see to. */
export type StudyOptions = Omit<
  TrainOptions,
  'background' | 'out' | 'resume' | 'seed' | 'seeds' | 'ranks' | 'config' | 'quiet' | 'debug'
>;

/** One way to train. */
export interface Variant {
  readonly name: string;
  /** What it differs in from the request's options, which it overrules. */
  readonly options: Partial<StudyOptions>;
  /** Place on the axis of a figure, such as a width. */
  readonly x?: number;
  /** For the study's own methods; plain data, part of what tells trials apart. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Events that every method of a trial scores. */
export interface StudySample {
  readonly label: string;
  readonly files: readonly string[];
  /** `background` of a study that compares with others than its own, `signal` for what counts as one. */
  readonly role: 'background' | 'signal';
  /** Augmentations that each event passes before it is scored, drawn anew per event with the same numbers in every trial. */
  readonly through?: readonly Step[];
}

/** A trained trial, for methods of a study. */
export interface TrialModel {
  readonly request: StudyRequest;
  readonly variant: Variant;
  readonly seed: number;
  /** All options that it was trained with. */
  readonly options: TrainOptions;
  /** The run, whole: loadRun, Scorer.open and loadParts take it. */
  readonly folder: string;
  readonly scorer: Scorer;
  readonly engine: Engine;
  readonly reading: Reading;
  /** The events it was trained on; closed by the caller. */
  openTraining(): Promise<EventStore>;
  /** Which of them trained, and which were held back. */
  split(store: EventStore): Split;
  readonly signal: AbortSignal | undefined;
}

/** Trials that are there, and figures from their scores. */
export interface StudyResults {
  readonly request: StudyRequest;
  /** All that were asked for, with those of which no trial is there. */
  readonly variants: readonly Variant[];
  /** In the order of variants, then seeds. */
  readonly trials: readonly TrialRecord[];
  /** All samples, the background (label `background`) first, with the events that were scored. */
  readonly samples: readonly (StudySample & { readonly events: number })[];
  /** The labels of the request's signals, in order. */
  readonly signals: readonly string[];
  /** Of one variant, in the order of its seeds. */
  trialsOf(variant: string): readonly TrialRecord[];
  /** Names of the methods of a variant, its own (named after the loss) first; none where no trial is there. */
  methodsOf(variant: string): readonly string[];
  /**
   * Figures of a method of a variant, its seeds combined; null without a trial of it.
   *
   * @param signal - label of a sample
   * @param background - label of the sample it is compared with; left out, the test background
   */
  figures(variant: string, method: string, signal: string, background?: string): Promise<SignalFigures | null>;
  /**
   * The same, averaged over signals for each seed before seeds are combined, each end of the interval too: as if what the
   * signals owe to chance were in common, which it is in part. Null where a signal's figure is.
   *
   * @param signals - labels; left out, the request's signals
   */
  means(
    variant: string,
    method: string,
    signals?: readonly string[],
    background?: string,
  ): Promise<Omit<SignalFigures, 'events'> | null>;
  /** 1/eps_b over eps_s, the mean over seeds; null as for `figures`. */
  curve(variant: string, method: string, signal: string, background?: string): Promise<MeanCurve | null>;
  /** One score an event of a sample. [events] */
  scores(trial: TrialRecord, method: string, sample: string): Promise<Float32Array>;
}

/** A ROC curve averaged over seeds. [points] each */
export interface MeanCurve {
  /** eps_s */
  readonly efficiency: readonly number[];
  /** 1/eps_b, the geometric mean over seeds. */
  readonly rejection: readonly number[];
  /** The mean over and times exp of the standard deviation of ln(1/eps_b) over seeds; the mean itself for one seed. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** Text with a head and rows of cells. */
export interface StudyTable {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** A line or more below it. */
  readonly note?: string;
}

/** What a study shows. */
export interface Presentation {
  /** Keys of its own in the JSON, after those of every study. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly tables: readonly StudyTable[];
  readonly figure: Figure;
}
