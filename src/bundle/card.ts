import * as z from 'zod';
import { falsePositiveRates } from '../evaluate/summary.js';
import { domainSchema, kindsOf, type Domain } from '../events/domain.js';
import type { KindName } from '../events/objects.js';

/** Under this key of the file's metadata_props lies the {@link Card} as JSON. */
export const cardKey = 'anomalyclr.card';

/** Slots that an event of the input may have; objects stand in any of them, in any order. */
export const slotLimits = { min: 1, max: 64 } as const;

/**
 * The graph's input and outputs.
 *
 *     objects          float32 [batch, slots, 4]    pT [GeV], eta, phi [rad], class; zeros in an empty slot
 *     score            float32 [batch]              higher is more anomalous; NaN for an event that breaks the rules
 *     representation   float32 [batch, size]
 *     in_domain        bool    [batch]
 *     domain_distance  float32 [batch]              0 within the domain, inf for an event that breaks the rules
 *     crossed          int32   [batch, kinds + 1, 4]  rows {@link crossedRowsOf}, columns {@link crossedColumns}, bits
 *                                                   {@link crossedBits}
 *
 * `domain_distance` is the farthest that a feature lies beyond its boundary, in standard deviations of that feature over
 * the training sample. A bundle of the encoder alone has no `score`.
 */
export const inputName = 'objects';
export const outputNames = ['score', 'representation', 'in_domain', 'domain_distance', 'crossed'] as const;
export type OutputName = (typeof outputNames)[number];

/**
 * The kinds of the data; then `event`: of all kinds together, where only the count means something, and objects of unknown
 * class.
 */
export const crossedRowsOf = (domain: Pick<Domain, 'data'>): readonly (KindName | 'event')[] => [
  ...kindsOf(domain),
  'event',
];
/** `count`: how many objects of the kind. */
export const crossedColumns = ['pt', 'eta', 'phi', 'count'] as const;
/** `invalid`: not finite, of unknown class, in an empty slot, or a pT that cannot be; such an event gets no score. */
export const crossedBits = { below: 1, above: 2, invalid: 4 } as const;
export const crossedSizeOf = (domain: Pick<Domain, 'data'>): number =>
  crossedRowsOf(domain).length * crossedColumns.length;

const count = z.int().nonnegative();
const interval = z.strictObject({ value: z.number(), low: z.number(), high: z.number() });
const sourceFile = z.strictObject({ file: z.string(), events: count, sha256: z.string() });

/** A share of some events with its 95 % interval. */
const share = z.strictObject({ events: count, passed: count, efficiency: interval });

const thresholdSchema = z.strictObject({
  /** Background efficiency that it was set for. */
  rate: z.enum(falsePositiveRates),
  /** Events with score >= threshold pass. */
  threshold: z.number(),
  /** On the half of the background that set it. */
  calibration: share,
  /** On the other half: what it is worth on events that it has not seen. */
  check: share,
  /** kHz, where the input rate was given. */
  triggerRate: interval.nullable(),
});

const calibrationSchema = z.strictObject({
  files: z.array(sourceFile),
  /** The events are those of the run's own files that its training held back. */
  heldBack: z.boolean(),
  events: count,
  /** kHz */
  inputRate: z.number().positive().nullable(),
  thresholds: z.array(thresholdSchema),
  /** Rates without a threshold, and why. */
  missing: z.array(z.strictObject({ rate: z.enum(falsePositiveRates), reason: z.string() })),
});

/** What another precision than f32 changes, on the calibration background and on the signals that were given. */
const precisionChangeSchema = z.strictObject({
  background: count,
  /** Of the scores, relative to the f32 score. */
  scoreChange: z.strictObject({ median: z.number(), largest: z.number() }),
  /** Background events that pass the f32 threshold in one precision and not in the other. */
  decisions: z.array(z.strictObject({ rate: z.enum(falsePositiveRates), changed: count, events: count })),
  signals: z.array(
    z.strictObject({
      name: z.string(),
      events: count,
      auc: z.strictObject({ f32: z.number(), here: z.number() }),
      decisions: z.array(z.strictObject({ rate: z.enum(falsePositiveRates), changed: count, events: count })),
    }),
  ),
});

const referenceEventSchema = z.strictObject({
  /** [objects][4] = pT [GeV], eta, phi [rad], class */
  objects: z.array(z.array(z.number()).length(4)).max(slotLimits.max),
  /** Null in a bundle without score. */
  score: z.number().nullable(),
  representation: z.array(z.number()),
  inDomain: z.boolean(),
  distance: z.number(),
  /** [rows, columns] */
  crossed: z.array(z.int()),
});

/** All that a stranger needs to use the bundle safely, as it lies inside the file and beside it as JSON and Markdown. */
export const cardSchema = z
  .strictObject({
    format: z.literal('anomalyclr.bundle.1'),
    name: z.string().min(1),
    /** Of this library. */
    version: z.string(),
    /** ISO date and time. */
    created: z.string(),
    part: z.enum(['encoder', 'scorer']),
    precision: z.enum(['f32', 'f16', 'bf16', 'int8']),
    /** `packed`: real objects alone go through the dense layers; `padded`: every slot does, without data-dependent shapes. */
    layout: z.enum(['packed', 'padded']),
    representation: z.strictObject({ name: z.string(), size: z.int().positive() }),
    /** What input and outputs mean, in words, by name. */
    signature: z.record(z.string(), z.string()),
    /** Cuts of the training sample, in words. */
    selection: z.array(z.string()),
    domain: domainSchema,
    training: z.strictObject({
      loss: z.string(),
      seed: z.number(),
      /** Every option as used, the augmentation recipe among them; names of files without their folders. */
      options: z.record(z.string(), z.unknown()),
      files: z.array(sourceFile),
      skipped: count,
      engine: z.string(),
      machine: z.string(),
      started: z.string(),
    }),
    calibration: calibrationSchema.nullable(),
    precisionChange: precisionChangeSchema.nullable(),
    nuisances: z.array(z.string()),
    licence: z.string(),
    citation: z.array(z.string()),
    reference: z.strictObject({
      /** Largest difference of a recomputed score, relative to it, and of a representation, relative to its largest number. */
      tolerance: z.strictObject({ score: z.number().positive(), representation: z.number().positive() }),
      /**
       * Differences of smaller scores are relative to this: 1 where members of a detector are added up in standard
       * deviations, so that scores lie on both sides of 0.
       */
      scoreScale: z.number().positive().optional(),
      events: z.array(referenceEventSchema),
    }),
  })
  .superRefine(({ domain, reference }, context) => {
    const wanted = crossedSizeOf(domain);
    for (const [i, { crossed }] of reference.events.entries())
      if (crossed.length !== wanted)
        context.addIssue({
          code: 'custom',
          path: ['reference', 'events', i, 'crossed'],
          message: `has ${crossed.length} numbers, expected ${wanted}`,
        });
  });

export type Card = z.infer<typeof cardSchema>;
export type Calibration = z.infer<typeof calibrationSchema>;
export type Threshold = z.infer<typeof thresholdSchema>;
export type PrecisionChange = z.infer<typeof precisionChangeSchema>;
export type Tolerance = Card['reference']['tolerance'];
export type ReferenceEvent = z.infer<typeof referenceEventSchema>;

/** How far a score is from what it should be, relative to that or to the scale of scores. */
export const scoreDifference = (found: number, expected: number, scale = Number.MIN_VALUE): number =>
  found === expected ? 0 : Math.abs(found - expected) / Math.max(Math.abs(expected), scale);
