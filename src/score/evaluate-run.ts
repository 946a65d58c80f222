import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as z from 'zod';
import { type Shard, shardText } from '../config/shard.js';
import type { NamedFile } from '../config/option.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { readJson, writeAtomically } from '../files.js';
import { countEvents, type Reading } from '../read/index.js';
import type { ReportData } from '../report/data.js';
import { checkMemory, type EvaluatedRun, figuresOf } from './evaluation-figures.js';
import { manifestName, openPart, type Part, type PartManifest } from './evaluation-part.js';
import { backgroundLabel, type Sample, scorePart, type ScoringWatch } from './evaluation-scores.js';
import type { EventScorer } from './event-scorer.js';
import { differenceOf, type Identity, identityOf } from './origin.js';
import { checkReplaceable, openWorkFolder } from './work-folder.js';

export type { EvaluatedRun } from './evaluation-figures.js';

export interface EvaluateRequest extends Reading, ScoringWatch {
  readonly background: readonly string[];
  /** Several files of one name are one signal. */
  readonly signals: readonly NamedFile[];
  /** Memory that the process may take, GB. Default 2. */
  readonly memory?: number;
  /** Beside what the scores lie until the figures are worked out; left out, in the system's folder of temporary files. */
  readonly beside?: string | undefined;
  readonly warn?: (line: string) => void;
}

/** A shard of an evaluation. */
export interface ShardRequest extends EvaluateRequest {
  readonly shard: Shard;
  /** Folder that becomes the part. */
  readonly out: string;
  /** What a report shows beside the evaluation; `mergeEvaluation` gives it back. */
  readonly about?: ReportData;
  /** What else the scores depend on: shards are merged where it is the same. */
  readonly settings?: Identity['settings'];
  /** Of this program. */
  readonly version?: string;
}

/** What a report shows beside the evaluation, in the folder of a part. */
const aboutName = 'about.json';

/**
 * Scores background and signals by a model, its further seeds, its comparators and plain cuts, and works out how well
 * each finds each signal. Events are streamed and scores written to a work folder, which is gone in the end; in memory is
 * what one method gives, 4 bytes an event.
 *
 * @param scorers the model, then its further seeds; see openScorers
 * @throws AnomalyClrError, before the work begins, where the scores of one method do not fit in memory
 */
export async function evaluateRun(request: EvaluateRequest, scorers: readonly EventScorer[]): Promise<EvaluatedRun> {
  const { memory = 2, beside } = request;
  const samples = await samplesOf(request, scorers);
  checkMemory(rowsIn(samples), memory);
  const work = await openWorkFolder(
    beside === undefined ? path.join(os.tmpdir(), 'anomalyclr-evaluate') : `${beside}.scores`,
  );
  try {
    const manifest = await scorePart(work.path, samples, scorers, request, request);
    return await figuresOf([{ folder: work.path, manifest }], request);
  } finally {
    await work.discard();
  }
}

/**
 * The scores of a shard of an evaluation, as a folder under `out` that {@link mergeEvaluation} takes. Each shard has its
 * share of all rows; the folder stands there once it is whole, and another part that was there makes way.
 *
 * @throws UsageError for a scorer that cannot tell its model from others; AnomalyClrError where `out` is something else
 */
export async function evaluateShard(request: ShardRequest, scorers: readonly EventScorer[]): Promise<PartManifest> {
  const { shard, out, about, settings = {}, version } = request;
  await checkReplaceable(out, manifestName);
  const samples = await samplesOf(request, scorers);
  const identity = await identityOf({
    model: await modelOf(scorers, shard),
    data: samples.flatMap(({ files }) => files.map(({ file }) => file)),
    total: rowsIn(samples),
    schema: request.schema,
    settings: { ...settings, onBadEvent: request.onBadEvent },
    ...(version === undefined ? {} : { version }),
  });
  const work = await openWorkFolder(out);
  try {
    const manifest = await scorePart(work.path, samples, scorers, request, {
      ...request,
      shard: { ...shard, identity },
    });
    if (about) await writeAtomically(path.join(work.path, aboutName), `${JSON.stringify(about)}\n`);
    for (const { label, skipped } of manifest.samples)
      if (skipped > 0) request.warn?.(`${label}: ${skipped} bad events were left out`);
    await work.commit();
    return manifest;
  } finally {
    await work.discard();
  }
}

export interface MergeEvaluationRequest extends ScoringWatch {
  /** Folders that evaluateShard made, in any order. */
  readonly parts: readonly string[];
  /** GB. Default 2. */
  readonly memory?: number;
  readonly warn?: (line: string) => void;
}

/** An evaluation put together from its shards. */
export interface MergedEvaluation extends EvaluatedRun {
  /** What a report shows beside the evaluation, where the shards have it. */
  readonly about: ReportData | undefined;
  /** Files of the signals. */
  readonly signalFiles: readonly string[];
}

/**
 * The evaluation that the parts are shards of: the same figures and the same report as of one process.
 *
 * @throws AnomalyClrError where a part is missing, there twice, damaged or of another evaluation; as {@link evaluateRun}
 * @example
 * const { evaluation } = await mergeEvaluation({ parts: ['part-1', 'part-2'] });
 */
export async function mergeEvaluation(request: MergeEvaluationRequest): Promise<MergedEvaluation> {
  const parts = await partsOf(request.parts);
  const { samples } = parts[0].manifest;
  const events = parts.flatMap(({ manifest }) => manifest.samples).reduce((n, sample) => n + sample.events, 0);
  checkMemory(events, request.memory ?? 2);
  const evaluated = await figuresOf(parts, request);
  const about = path.join(parts[0].folder, aboutName);
  return {
    ...evaluated,
    about: existsSync(about) ? ((await readJson(about, aboutSchema)) as unknown as ReportData) : undefined,
    signalFiles: samples.slice(1).flatMap(({ files }) => files),
  };
}

/** Of what this program itself wrote: enough to know it for that. */
const aboutSchema = z.looseObject({
  method: z.string(),
  provenance: z.looseObject({ version: z.string(), date: z.string(), seeds: z.array(z.number()) }),
});

/** All parts of one evaluation, in order. */
async function partsOf(folders: readonly string[]): Promise<Part[]> {
  if (folders.length === 0) throw new UsageError('no parts: name the folders that evaluate --shard made');
  const byIndex = new Map<number, Part>();
  let first: (Part & { shard: NonNullable<PartManifest['shard']> }) | undefined;
  for (const folder of folders) {
    const part = await openPart(folder);
    const { shard } = part.manifest;
    if (!shard) throw new AnomalyClrError(`${folder}: is no shard of an evaluation`);
    first ??= { ...part, shard };
    const difference = differenceBetween(part.manifest, shard, first);
    if (difference !== undefined)
      throw new AnomalyClrError(`${folder}: is of another evaluation than ${first.folder}: of ${difference}`);
    const twin = byIndex.get(shard.index);
    if (twin) throw new AnomalyClrError(`${folder}: is shard ${shardText(shard)}, and so is ${twin.folder}; give one`);
    byIndex.set(shard.index, part);
  }
  const of = first?.shard.of ?? 0;
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter(index => !byIndex.has(index));
  if (missing.length > 0) {
    const some = missing.slice(0, 8).map(index => shardText({ index, of }));
    throw new AnomalyClrError(
      `${missing.length} of ${of} shards are missing: ${some.join(', ')}${missing.length > 8 ? ', ...' : ''}`,
    );
  }
  return [...byIndex].toSorted(([a], [b]) => a - b).map(([, part]) => part);
}

function differenceBetween(
  part: PartManifest,
  shard: NonNullable<PartManifest['shard']>,
  first: Part & { shard: NonNullable<PartManifest['shard']> },
): string | undefined {
  const { manifest } = first;
  if (shard.of !== first.shard.of) return `${shard.of} shards, not ${first.shard.of}`;
  const labels = (m: PartManifest) =>
    m.samples.map(({ label, files }) => `${label} (${files.length} file${files.length === 1 ? '' : 's'})`).join(', ');
  if (labels(part) !== labels(manifest)) return `${labels(part)}, not ${labels(manifest)}`;
  const difference = differenceOf(shard.identity, first.shard.identity);
  if (difference !== undefined) return difference;
  const methods = (m: PartManifest) =>
    m.methods.map(({ name, seeds }) => `${name} (seed ${seeds.join(', ')})`).join(', ');
  if (methods(part) !== methods(manifest)) return `methods ${methods(part)}, not ${methods(manifest)}`;
  return undefined;
}

/** The background, then each signal. */
async function samplesOf(
  { background, signals, ...reading }: EvaluateRequest,
  [{ domain }]: readonly EventScorer[],
): Promise<Sample[]> {
  const files = new Map<string, string[]>([[backgroundLabel, [...background]]]);
  for (const { name, file } of signals) {
    if (name === backgroundLabel)
      throw new AnomalyClrError(`--signal ${name}=...: each signal needs a name of its own, other than ${name}`);
    files.set(name, [...(files.get(name) ?? []), file]);
  }
  const samples: Sample[] = [];
  for (const [label, of] of files) {
    const counted: { file: string; rows: number }[] = [];
    for (const file of of) counted.push({ file, rows: await countEvents(file, reading, domain) });
    samples.push({ label, files: counted });
  }
  return samples;
}

function rowsIn(samples: readonly Sample[]): number {
  return samples.flatMap(({ files }) => files).reduce((n, { rows }) => n + rows, 0);
}

/** What tells the model and its further seeds from others. */
async function modelOf(scorers: readonly EventScorer[], shard: Shard): Promise<string> {
  const prints: string[] = [];
  for (const scorer of scorers) {
    const print = await scorer.fingerprint?.();
    if (print === undefined)
      throw new UsageError(`shard ${shardText(shard)}: the scorer has no fingerprint to tell shards of one model by`);
    prints.push(print);
  }
  return prints.join(' ');
}
