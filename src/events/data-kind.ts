import type { EventBatch } from './event-batch.js';
import type { KindName } from './objects.js';

/** All that the house has to know of a kind of data. An "event" of it is one entry of a file, whatever it is. */
export interface DataKind {
  /** The kinds of object that an event is made of, in the order of their class codes. */
  readonly kinds: readonly KindName[];
  /** What an event and its objects are called in text. */
  readonly words: { readonly one: string; readonly many: string; readonly object: string; readonly objects: string };
  /** Places of the plain data that an autoencoder reads: those of each kind, filled by its objects in their order. */
  readonly raw: {
    readonly slots: number;
    readonly places: Readonly<Partial<Record<KindName, { readonly firstSlot: number; readonly capacity: number }>>>;
  };
  /** What eta and phi are divided by, in the encoder and in the plain data: about the widest that occurs. */
  readonly etaScale: number;
  /** rad */
  readonly phiScale: number;
  /** Whether phi is all round a circle, so that a boundary in it means nothing; else it has two ends as eta has. */
  readonly roundPhi: boolean;
  /** How the encoder sees phi where `--angles` says nothing else. */
  readonly angles: 'phi' | 'sincos';
  /** The preset that `--recipe default` stands for. */
  readonly recipe: string;
  /** The kinds whose sums (event-sums.ts) a detector reads beside the representation. */
  readonly sums: readonly KindName[];
  /** The augmentation whose effect on the trained representation the report tells, and what it does, in words. */
  readonly symmetry: { readonly augmentation: string; readonly words: string };
  /** The cuts a person would try first, in words. */
  readonly cuts: Readonly<Record<string, string>>;
  /** Their values for event `e`, in the order of `cuts`: larger is more anomalous. */
  readonly cutsOf: (batch: EventBatch, e: number) => readonly number[];
  /** Quantities of a whole event, in GeV, whose spectra `inspect` shows. */
  readonly quantities: Readonly<
    Record<string, { readonly label: string; readonly of: (batch: EventBatch, e: number) => number }>
  >;
  /** Selection of the training files, in words, for the card of a bundle. */
  readonly selection: readonly string[];
}
