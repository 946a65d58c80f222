import * as z from 'zod';

const interval = z
  .object({ value: z.number(), low: z.number(), high: z.number(), spread: z.number().optional() })
  .nullable();
const atRates = z.object({ '1e-2': interval, '1e-3': interval, '1e-4': interval, '1e-5': interval });
const measures = {
  auc: interval,
  'rejection_at_eff_0.3': interval,
  efficiency_at_fpr: atRates,
  sic_at_fpr: atRates,
};

/** The figures of a method of a variant, as studies give them under `figures`. */
export const entryFiguresSchema = z.object({
  name: z.string(),
  variant: z.string(),
  method: z.string(),
  /** Of the trials that are there. */
  seeds: z.array(z.int()),
  signals: z.record(z.string(), z.object({ events: z.int().positive(), ...measures }).nullable()),
  /** Over the signals. */
  mean: z.object(measures).nullable(),
});

/** What the JSON of every study begins with; its own keys follow. */
export const studyFileSchema = z.looseObject({
  format: z.literal('anomalyclr.study.1'),
  study: z.string(),
  title: z.string(),
  version: z.string(),
  machine: z.string(),
  date: z.iso.datetime(),
  /** Options of `train` that variants begin with, and the files. */
  settings: z.record(z.string(), z.unknown()),
  seeds: z.array(z.int()).min(1),
  variants: z.array(
    z.object({ name: z.string(), x: z.number().nullable(), options: z.record(z.string(), z.unknown()) }),
  ),
  /** Everything that was scored, the background first. */
  samples: z.array(
    z.object({
      label: z.string(),
      role: z.enum(['background', 'signal']),
      files: z.array(z.string()).min(1),
      events: z.int().min(0),
      /** Augmentations that its events passed. */
      through: z.array(z.record(z.string(), z.union([z.string(), z.number()]))).optional(),
    }),
  ),
  /** Those that are there. */
  trials: z.array(
    z.object({
      variant: z.string(),
      seed: z.int(),
      /** From the file of the study to its scores and its run. */
      folder: z.string(),
      run: z.string(),
      machine: z.string(),
      engine: z.string(),
      date: z.iso.datetime(),
      seconds: z.number(),
      cpuSeconds: z.number(),
      training: z.object({ seconds: z.number(), eventsPerSecond: z.number(), peakMemoryMb: z.number() }),
      peakMemoryMb: z.number(),
    }),
  ),
  /** Those that failed, and why. Empty in a complete study. */
  failed: z.array(z.object({ variant: z.string(), seed: z.int(), message: z.string() })),
});

export type StudyFile = z.infer<typeof studyFileSchema>;
