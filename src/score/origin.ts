import { createHash } from 'node:crypto';
import * as z from 'zod';
import { shardText } from '../config/shard.js';
import { show } from '../files.js';
import { fingerprintOf, schemaHash } from '../read/cache/fingerprint.js';
import type { EventSchema } from '../read/schema/schema.js';

/** The attribute of an HDF5 file, or the key of a Parquet file, that holds the {@link Origin} of a shard's scores as JSON. */
export const originKey = 'anomalyclr_shard';

/** All that the numbers of some scores depend on, so that two processes can tell whether theirs belong together. */
export const identitySchema = z.strictObject({
  /** Of this program. */
  version: z.string(),
  /** Fingerprint of the model's files. */
  model: z.string(),
  /** Fingerprint of the data files, one after another. */
  data: z.string(),
  files: z.int(),
  /** Rows of all files, bad ones and those that a schema cuts too. */
  total: z.int(),
  /** Of the schema that the data are read by; empty without one. */
  schema: z.string(),
  /** How it is computed, as asked for: engine, precision and the like. */
  settings: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});
export type Identity = z.infer<typeof identitySchema>;

/**
 * @param about - `model`: its fingerprint; `data`: the files; `total`: their rows
 * @throws AnomalyClrError where a file cannot be read
 */
export async function identityOf(about: {
  readonly model: string;
  readonly data: readonly string[];
  readonly total: number;
  readonly schema?: EventSchema | undefined;
  readonly settings?: Identity['settings'];
  readonly version?: string;
}): Promise<Identity> {
  const { model, data, total, schema, settings = {}, version = '' } = about;
  const hash = createHash('sha256');
  for (const file of data) {
    // by content alone: a copy on another machine is the same file
    const { size, sample } = await fingerprintOf(file, undefined);
    hash.update(`${size} ${sample}\n`);
  }
  return { version, model, data: hash.digest('hex'), files: data.length, total, schema: schemaHash(schema), settings };
}

export const originSchema = z.strictObject({
  format: z.literal('anomalyclr.shard.1'),
  identity: identitySchema,
  /** What stands for events outside the domain: their score, or NaN. */
  outside: z.literal(['score', 'nan']),
  shard: z.strictObject({ index: z.int().min(1), of: z.int().min(1) }),
  /** Place of its first row among those of all files. */
  first: z.int().min(0),
  rows: z.int().min(0),
});
/** What the scores of a shard are of. */
export type Origin = z.infer<typeof originSchema>;

/**
 * How another request differs from this one, in words that go after "of"; undefined where it does not.
 *
 * @example
 * differenceOf(before, now) // `precision "auto", not "bf16"`
 */
export function differenceOf(other: Identity, ours: Identity): string | undefined {
  if (other.model !== ours.model) return 'another model';
  if (other.files !== ours.files) return `${counted(other.files)}, not ${ours.files}`;
  if (other.total !== ours.total) return `${other.total} events, not ${ours.total}`;
  if (other.data !== ours.data) return 'other data';
  if (other.schema !== ours.schema) return 'another schema';
  for (const name of new Set([...Object.keys(other.settings), ...Object.keys(ours.settings)]))
    if (other.settings[name] !== ours.settings[name])
      return `${name} ${show(other.settings[name])}, not ${show(ours.settings[name])}`;
  if (other.version !== ours.version) return `anomalyclr ${other.version}, not ${ours.version}`;
  return undefined;
}

const counted = (files: number): string => `${files} data file${files === 1 ? '' : 's'}`;

/** `shard 3/8`, or `the whole`. */
export const shardWords = (shard: Origin['shard'] | undefined): string =>
  shard ? `shard ${shardText(shard)}` : 'the whole';
