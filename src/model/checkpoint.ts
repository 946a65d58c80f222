import { existsSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import type { Floats, OptimiserState, WeightInfo } from '../addon.js';
import { AnomalyClrError } from '../errors.js';
import { readSafetensors, writeSafetensors, type Tensor } from './safetensors.js';
import { flatFrom, parseJson, tensorsOf } from './tensors.js';

const progressSchema = z.object({
  /** Steps taken in all, and steps taken in the epoch under way. */
  step: z.int().min(0),
  epoch: z.int().min(0),
  stepInEpoch: z.int().min(0),
  finished: z.boolean(),
  /** Bytes of metrics.jsonl that belong to these steps. */
  metricsBytes: z.int().min(0),
  optimiserSteps: z.int().min(0),
  bestEpoch: z.int().min(-1),
  bestLoss: z.number().nullable(),
  /** What the divergence guard remembers. */
  firstLoss: z.number().nullable(),
  smoothLoss: z.number().nullable(),
  /** Sum of the losses of this epoch's steps. */
  epochLoss: z.number(),
  seconds: z.number(),
});

/** How far a training is. */
export type Progress = z.infer<typeof progressSchema>;

/** All that a training needs to go on as if it had never stopped. */
export interface Checkpoint {
  readonly progress: Progress;
  readonly weights: Floats;
  readonly moments: OptimiserState;
  /** Weights of the best epoch so far; the current ones before the first epoch ended. */
  readonly best: Floats;
}

function fileIn(folder: string): string {
  return path.join(folder, 'checkpoint', 'encoder.safetensors');
}

/** One file, written atomically: a run killed at any moment has the checkpoint before or the one after. */
export async function saveCheckpoint(
  folder: string,
  layout: readonly WeightInfo[],
  checkpoint: Checkpoint,
): Promise<void> {
  const tensors = new Map<string, Tensor>();
  const { weights, moments, best, progress } = checkpoint;
  for (const [part, flat] of Object.entries({ weights, m: moments.m, v: moments.v, best }))
    for (const [name, tensor] of tensorsOf(layout, flat)) tensors.set(`${part}/${name}`, tensor);
  await writeSafetensors(fileIn(folder), tensors, {
    format: 'anomalyclr.checkpoint.1',
    progress: JSON.stringify(progress),
  });
}

/** The last checkpoint of a run; undefined where it has none yet. */
export async function loadCheckpoint(folder: string, layout: readonly WeightInfo[]): Promise<Checkpoint | undefined> {
  const file = fileIn(folder);
  if (!existsSync(file)) return undefined;
  const { tensors, metadata } = await readSafetensors(file);
  const progress = progressSchema.safeParse(parseJson(metadata['progress']));
  if (!progress.success) throw new AnomalyClrError(`${file}: not a checkpoint of this program; start the run anew`);
  const part = (name: string): Floats => flatFrom(file, layout, tensors, `${name}/`);
  return {
    progress: progress.data,
    weights: part('weights'),
    moments: { m: part('m'), v: part('v'), steps: progress.data.optimiserSteps },
    best: part('best'),
  };
}
