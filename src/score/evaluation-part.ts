import { open, stat } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { AnomalyClrError } from '../errors.js';
import { kindNames } from '../events/objects.js';
import { fileError, readJson, writeAtomically } from '../files.js';
import type { EventPicture } from '../report/data.js';
import { identitySchema } from './origin.js';

/** JSON knows neither NaN nor infinities, and scores may be any of them. */
const score = z.union([z.number(), z.literal(['NaN', 'Infinity', '-Infinity'])]).transform(Number);
const scoreText = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

const picture = z.strictObject({
  label: z.string(),
  score,
  row: z.int(),
  eventId: z.string().optional(),
  objects: z.array(z.strictObject({ kind: z.literal(kindNames), pt: z.number(), eta: z.number(), phi: z.number() })),
});

const manifestSchema = z.strictObject({
  format: z.literal('anomalyclr.evaluation.1'),
  /** Of which evaluation it is a part, and which one; null for all of it. */
  shard: z.strictObject({ index: z.int().min(1), of: z.int().min(1), identity: identitySchema }).nullable(),
  /** The model's own name among the methods. */
  method: z.string(),
  /** Numbers of a representation. */
  representationSize: z.int().min(1),
  /** Seeds of the model and its further trainings. */
  seeds: z.array(z.number()).min(1),
  methods: z.array(z.strictObject({ name: z.string(), seeds: z.array(z.number()).min(1) })).min(1),
  /** The background first, then each signal: what of it is in this part. */
  samples: z
    .array(
      z.strictObject({
        label: z.string(),
        files: z.array(z.string()).min(1),
        events: z.int().min(0),
        /** Bad events left out. */
        skipped: z.int().min(0),
        /** The most anomalous events, most anomalous first. */
        top: z.array(picture),
      }),
    )
    .min(1),
  /** Events through the model's own encoder and detector, and how long they took. */
  timed: z.strictObject({ events: z.int().min(0), seconds: z.number().min(0) }),
});

/** What `manifest.json` of a part says. */
export type PartManifest = z.output<typeof manifestSchema>;

/**
 * A part of an evaluation: a folder with `manifest.json` and flat files of float32, little-endian. `scores-I-J-SEED.f32`
 * holds the scores of the events of sample I by method J, both counted from 0 in the order of the manifest; `map-I.f32`
 * the representations of its first events, row by row.
 */
export interface Part {
  readonly folder: string;
  readonly manifest: PartManifest;
}

export const manifestName = 'manifest.json';
export const scoresFile = (sample: number, method: number, seed: number): string =>
  `scores-${sample}-${method}-${seed}.f32`;
export const mapFile = (sample: number): string => `map-${sample}.f32`;

export async function writeManifest(folder: string, manifest: PartManifest): Promise<void> {
  const pictures = (top: readonly EventPicture[]) => top.map(one => ({ ...one, score: scoreText(one.score) }));
  const samples = manifest.samples.map(sample => ({ ...sample, top: pictures(sample.top) }));
  await writeAtomically(path.join(folder, manifestName), `${JSON.stringify({ ...manifest, samples }, null, 2)}\n`);
}

/** @throws AnomalyClrError where the folder is no part of an evaluation, or its scores are not as many as it says */
export async function openPart(folder: string): Promise<Part> {
  const found = await stat(folder).catch((error: unknown) => Promise.reject(fileError(folder, error, 'read')));
  if (!found.isDirectory())
    throw new AnomalyClrError(`${folder}: no part of an evaluation; name the folders that evaluate --shard made`);
  const manifest = await readJson(path.join(folder, manifestName), manifestSchema);
  for (const [m, { seeds }] of manifest.methods.entries())
    for (const seed of seeds)
      for (const [s, { events }] of manifest.samples.entries()) {
        const file = path.join(folder, scoresFile(s, m, seed));
        checkSize(file, await sizeOf(file), 4 * events);
      }
  return { folder, manifest };
}

function checkSize(file: string, size: number, expected: number): void {
  if (size !== expected)
    throw new AnomalyClrError(`${file}: ${size} bytes, not ${expected}; the part is damaged, make it again`);
}

async function sizeOf(file: string): Promise<number> {
  const { size } = await stat(file).catch((error: unknown) => Promise.reject(fileError(file, error, 'read')));
  return size;
}

/**
 * Fills `into` with the numbers of a file that has just as many.
 *
 * @throws AnomalyClrError where it is another length, which only a damaged part has
 */
export async function readFloats(file: string, into: Float32Array): Promise<void> {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  try {
    const handle = await open(file);
    try {
      const { size } = await handle.stat();
      checkSize(file, size, bytes.length);
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, Math.min(2 ** 26, bytes.length - at), at);
        if (bytesRead === 0) throw new AnomalyClrError(`${file}: ended while it was read; the part is being changed`);
        at += bytesRead;
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(file, error, 'read');
  }
}

/** How many float32 are in a file. */
export const countFloats = async (file: string): Promise<number> => Math.floor((await sizeOf(file)) / 4);
