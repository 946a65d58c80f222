import { existsSync } from 'node:fs';
import * as z from 'zod';
import type { Floats, ScorerConfig } from '../engine/engine.js';
import { AnomalyClrError } from '../errors.js';
import { dataKind } from '../events/data-kinds.js';
import { domainSchema, type Domain } from '../events/domain.js';
import { codesOf, sumCount } from '../events/event-sums.js';
import { readJson } from '../files.js';
import { loadEncoder, type EncoderFile } from '../model/encoder-file.js';
import { runFiles } from '../model/run-folder.js';
import type { DetectorWeights } from './detector.js';
import { loadDetector } from './detector-file.js';
import { columnsOf, rowLength, type RepresentationName } from './representation.js';

const settingsSchema = z.looseObject({
  seed: z.number(),
  loss: z.string(),
  representation: z.string().regex(/^(pool|last|head[1-9])$/),
  /** Missing in runs from before there were any. */
  sums: z.boolean().default(false),
});

/** An encoder, the columns of its rows that are read, the kinds whose sums are read beside them, and the detector on both. */
export interface RunParts {
  readonly encoder: EncoderFile;
  readonly columns: readonly [from: number, to: number];
  /** Class codes, as {@link withSums} takes them. */
  readonly sums: Int32Array;
  readonly detector: DetectorWeights;
}

/** What a run's folder holds of its model. */
export interface LoadedRun {
  readonly settings: z.infer<typeof settingsSchema>;
  readonly domain: Domain;
  readonly representation: RepresentationName;
  readonly parts: RunParts;
}

/** @throws AnomalyClrError where the folder is not a complete run, or its files do not fit together */
export async function loadRun(folder: string): Promise<LoadedRun> {
  const files = runFiles(folder);
  if (!existsSync(files.config)) throw new AnomalyClrError(`${folder}: not a run; name the folder that train made`);
  if (!existsSync(files.detector))
    throw new AnomalyClrError(`${folder}: its training is not complete; finish it with train --resume`);
  const settings = await readJson(files.config, settingsSchema);
  const domain = await readJson(files.domain, domainSchema);
  const representation = settings.representation as RepresentationName;
  const reading = { representation, sums: sumsOf(settings, domain) };
  return { settings, domain, representation, parts: await loadParts(files.encoder, files.detector, reading) };
}

/** The class codes of the kinds whose sums a run's detector reads. */
export const sumsOf = ({ sums }: { readonly sums: boolean }, { data }: Pick<Domain, 'data'>): Int32Array =>
  codesOf(sums ? dataKind(data).sums : []);

/** What a detector reads of an encoder. */
export interface Reading {
  readonly representation: RepresentationName;
  readonly sums: Int32Array;
}

/** @throws AnomalyClrError where the files do not fit together */
export async function loadParts(
  encoderFile: string,
  detectorFile: string,
  { representation, sums }: Reading,
): Promise<RunParts> {
  const encoder = await loadEncoder(encoderFile);
  const columns = columnsOf(representation, encoder.config);
  if (columns[1] > rowLength(encoder.config))
    throw new AnomalyClrError(`${encoderFile}: has no representation ${representation}; it is another run's`);
  const detector = await detectorFor(detectorFile, columns[1] - columns[0] + sumCount(sums));
  return { encoder, columns, sums, detector };
}

/** The encoder as an engine reads it for the detector, its weights cast. */
export const encoderReading = (
  { encoder, columns: [from, to], sums }: RunParts,
  weights: Floats,
): NonNullable<ScorerConfig['encoder']> => ({ ...encoder.config, weights, from, to, sums });

/** A detector that reads `inputs` numbers an event. */
export async function detectorFor(file: string, inputs: number): Promise<DetectorWeights> {
  const detector = await loadDetector(file);
  if (detector.preparation.inputs !== inputs)
    throw new AnomalyClrError(
      `${file}: reads ${detector.preparation.inputs} numbers an event, not ${inputs}; it is another run's`,
    );
  return detector;
}
