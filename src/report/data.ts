import type { CurvePoints } from '../evaluate/curve.js';
import type { Evaluation } from '../evaluate/evaluation.js';
import type { Domain } from '../events/domain.js';
import type { KindName } from '../events/objects.js';
import type { Spectrum } from './histogram.js';

/** All that a report shows, as plain data. A part that is missing or empty leaves its section out. */
export interface ReportData {
  /** The method this run trained, for instance `anomclr+`: leads every table and chart. */
  readonly method: string;
  readonly evaluation?: Evaluation;
  /** Per signal, per method. */
  readonly curves?: Readonly<Record<string, Readonly<Record<string, CurvePoints>>>>;
  /** Score histograms, one per method; the series labelled `background` is drawn as the background. */
  readonly spectra?: readonly Spectrum[];
  readonly losses?: readonly LossHistory[];
  /** Representations projected on two components, the background among them. */
  readonly map?: readonly PointCloud[];
  /** Feature boundaries of the training data. */
  readonly domain?: Domain;
  /** The most anomalous events, most anomalous first. */
  readonly events?: readonly EventPicture[];
  /**
   * Root mean square distance of the representations of one event, turned in phi by random angles, from their mean, over
   * that of different events from theirs: 0 is perfectly invariant, 1 not at all.
   */
  readonly invariance?: { readonly before: number; readonly after: number } | null;
  /** Every option as used; nested values are shown as dotted names. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly provenance: Provenance;
}

/** One training: of the encoder, of the autoencoder. */
export interface LossHistory {
  readonly label: string;
  readonly steps: readonly { readonly step: number; readonly loss: number }[];
  readonly epochs: readonly { readonly epoch: number; readonly validation: number }[];
}

export interface PointCloud {
  /** `background` or a signal's name. */
  readonly label: string;
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
}

export interface EventPicture {
  /** Where the event is from: a file or a signal. */
  readonly label: string;
  readonly score: number;
  /** Row in its file. */
  readonly row: number;
  readonly eventId?: string | undefined;
  /** pt in GeV, phi in rad. */
  readonly objects: readonly {
    readonly kind: KindName;
    readonly pt: number;
    readonly eta: number;
    readonly phi: number;
  }[];
}

export interface Provenance {
  /** Version of this library. */
  readonly version: string;
  /** ISO date and time. */
  readonly date: string;
  /** Processor or GPU, in words. */
  readonly machine?: string;
  readonly engine?: string;
  readonly backgroundFiles: readonly string[];
  readonly signalFiles?: readonly string[];
  readonly seeds: readonly number[];
  readonly trainingSeconds?: number;
  /** Training throughput. */
  readonly eventsPerSecond?: number;
  /** Throughput of scoring. */
  readonly scoredPerSecond?: number;
}
