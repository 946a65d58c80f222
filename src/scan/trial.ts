import * as z from 'zod';

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
  /** Of the encoder's training alone. */
  training: z.strictObject({
    /** s */
    seconds: z.number(),
    eventsPerSecond: z.number(),
  }),
  /** Of the trial's process, training and scoring. */
  peakMemoryMb: z.number(),
});

export type TrialFile = z.infer<typeof trialSchema>;

/** A finished trial. */
export interface TrialRecord extends TrialFile {
  /** Where its run and its scores lie. */
  readonly folder: string;
}
