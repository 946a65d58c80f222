import * as z from 'zod';
import type { StudyRequest } from './study.js';

/** What is kept of a finished trial, in `trial.json` of its folder beside its scores. */
export const trialSchema = z.strictObject({
  format: z.literal('anomalyclr.trial.1'),
  /** Hash of all that its figures depend on. */
  key: z.string(),
  study: z.string(),
  variant: z.string(),
  seed: z.int(),
  /** What the variant sets. */
  options: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
  x: z.number().nullable(),
  machine: z.string(),
  engine: z.string(),
  date: z.string(),
  /** From beginning to end, s; of a trial that was interrupted, of its last part alone. */
  seconds: z.number(),
  /** Of its process on all cores, s: what it would take on an idle core. */
  cpuSeconds: z.number(),
  /** Of the encoder's training alone. */
  training: z.strictObject({
    /** s */
    seconds: z.number(),
    eventsPerSecond: z.number(),
    /** Of its process, when it was done. */
    peakMemoryMb: z.number(),
  }),
  /** Of the trial's process, training and scoring. */
  peakMemoryMb: z.number(),
});

export type TrialFile = z.infer<typeof trialSchema>;

/** A finished trial. */
export interface TrialRecord extends TrialFile {
  /** Where its scores lie. */
  readonly folder: string;
  /** Where its run lies, whole but for checkpoints. */
  readonly run: string;
}

export const trialName = 'trial.json';

/** Asks a process to be a trial. Plain data: the process looks the study up itself. */
export interface TrialOrder {
  readonly request: StudyRequest;
  readonly variant: string;
  readonly seed: number;
  /** As the one who asks knows it; the trial checks that it comes to the same. */
  readonly key: string;
  readonly out: string;
  readonly version: string;
}

/** What a trial's process says. */
export type TrialNews =
  | { readonly kind: 'progress'; /** 0 to 1 */ readonly share: number }
  | { readonly kind: 'warning'; readonly line: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly message: string }
  /** It was asked to stop, and its run goes on from its checkpoint. */
  | { readonly kind: 'stopped' };
