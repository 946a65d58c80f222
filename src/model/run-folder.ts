import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { AnomalyClrError, UsageError } from '../errors.js';
import { fileError, makeFolder, readJson, removeStaleTemporaries, show, writeAtomically } from '../files.js';

/** Where everything of a run lies. */
export function runFiles(folder: string) {
  const at = (...parts: string[]) => path.join(folder, ...parts);
  return {
    folder,
    config: at('config.json'),
    provenance: at('provenance.json'),
    domain: at('domain.json'),
    metrics: at('metrics.jsonl'),
    encoder: at('encoder.safetensors'),
    detector: at('autoencoder.safetensors'),
    report: at('report.html'),
    checkpoint: at('checkpoint'),
    comparators: at('comparators'),
    /** Beginning of the name of representations that are too many for memory; they go when they are not needed. */
    representations: at('representations'),
    untrainedEncoder: at('comparators', 'untrained-encoder.safetensors'),
    comparatorDetector: (name: string) => at('comparators', `${name}.safetensors`),
  };
}
export type RunFiles = ReturnType<typeof runFiles>;

export const provenanceSchema = z.object({
  version: z.string(),
  engine: z.string(),
  machine: z.string(),
  started: z.string(),
  files: z.array(z.object({ file: z.string(), events: z.number(), sha256: z.string() })),
  /** SHA-256 of the schema that they were read by; missing without one. */
  schema: z.string().optional(),
  skipped: z.number(),
  /** Filled in when the run is done. */
  trainingSeconds: z.number().optional(),
  eventsPerSecond: z.number().optional(),
  peakMemoryMb: z.number().optional(),
  invariance: z.object({ representation: z.string(), before: z.number(), after: z.number() }).array().optional(),
});
export type RunProvenance = z.infer<typeof provenanceSchema>;

/**
 * Options that may differ between a run and its resumption: they change no result, or as the engine does, no more of it
 * than rounding.
 */
export const freeOptions: ReadonlySet<string> = new Set(
  'out resume threads ranks quiet debug json config engine device tfjsBackend tfjsKernels cache cacheFolder'.split(' '),
);

/**
 * Makes the folder of a new run, or checks that an old one is resumed with the options and the data it was begun with.
 *
 * @returns whether the run is already complete
 * @throws UsageError where the folder is in use, or an option or a file differs
 */
export async function beginRun(
  folder: string,
  resume: boolean,
  config: Record<string, unknown>,
  provenance: RunProvenance,
): Promise<boolean> {
  const files = runFiles(folder);
  const exists =
    existsSync(folder) &&
    (await readdir(folder).catch((e: unknown) => Promise.reject(fileError(folder, e, 'read')))).length > 0;
  if (exists && !resume)
    throw new UsageError(`${folder}: already holds something; name another --out, or go on with --resume`);
  const plain = JSON.parse(JSON.stringify(config)) as Record<string, unknown>;
  if (exists) await clearTemporaries(files);
  if (resume && existsSync(files.config) && existsSync(files.provenance)) {
    const old = await readJson(files.config, z.record(z.string(), z.unknown()));
    for (const name of new Set([...Object.keys(old), ...Object.keys(plain)]))
      if (!freeOptions.has(name) && JSON.stringify(old[name]) !== JSON.stringify(plain[name]))
        throw new UsageError(
          `${folder}: was begun with ${name} = ${show(old[name])}, now ${show(plain[name])}; resume with the same options or start another run`,
        );
    const before = await readJson(files.provenance, provenanceSchema);
    before.files.forEach((file, i) => {
      if (provenance.files[i]?.sha256 !== file.sha256)
        throw new AnomalyClrError(
          `${file.file}: has changed since ${folder} was begun; a run cannot be resumed on other data`,
        );
    });
    if (before.schema !== provenance.schema)
      throw new AnomalyClrError(
        `${show(plain['schema'])}: this schema has changed since ${folder} was begun; a run cannot be resumed on other events`,
      );
    await makeFolder(files.checkpoint);
    return existsSync(files.report);
  }
  await makeFolder(folder);
  await writeAtomically(files.config, `${JSON.stringify(plain, null, 2)}\n`);
  await writeAtomically(files.provenance, `${JSON.stringify(provenance, null, 2)}\n`);
  await makeFolder(files.checkpoint);
  return false;
}

/** A run is of one training at a time, whose last one may have been on another machine. Other files are others'. */
async function clearTemporaries(files: RunFiles): Promise<void> {
  const own = new Set(Object.values(files).flatMap(file => (typeof file === 'string' ? [path.basename(file)] : [])));
  await removeStaleTemporaries(files.folder, name => own.has(name));
  for (const folder of [files.checkpoint, files.comparators]) await removeStaleTemporaries(folder, () => true);
}

/** The folders of a run's seeds: its own, then those of further seeds. */
export async function seedFolders(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((e: unknown) => Promise.reject(fileError(folder, e, 'read')));
  const further = names
    .map(name => /^seed-(\d+)$/.exec(name))
    .filter(match => match !== null)
    .sort((a, b) => Number(a[1]) - Number(b[1]));
  return [folder, ...further.map(match => path.join(folder, match[0]))];
}
