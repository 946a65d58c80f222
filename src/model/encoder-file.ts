import * as z from 'zod';
import type { EncoderConfig, Floats } from '../addon.js';
import { AnomalyClrError } from '../errors.js';
import { encoderLayout } from './layout.js';
import { readSafetensors, writeSafetensors } from './safetensors.js';
import { flatFrom, parseJson, tensorsOf } from './tensors.js';

const size = z.int().min(1).max(4096);
const encoderConfigSchema = z
  .object({
    features: z.union([z.literal(7), z.literal(8)]),
    ptFeature: z.enum(['linear', 'log']),
    ptScale: z.number().gt(0),
    etaScale: z.number().gt(0).optional(),
    phiScale: z.number().gt(0).optional(),
    mask: z.enum(['hard', 'continuous']),
    width: size,
    heads: size,
    layers: z.int().min(0).max(64),
    feedForward: size,
    output: size,
    headLayers: z.int().min(0).max(16),
    headNorm: z.boolean(),
    dropout: z.number().min(0).lt(1),
  })
  .refine(({ width, heads }) => width % heads === 0) satisfies z.ZodType<EncoderConfig>;

/** An encoder as it lies in `encoder.safetensors`. */
export interface EncoderFile {
  readonly config: EncoderConfig;
  readonly weights: Floats;
}

/** Writes an encoder, atomically; tensors are named as in the published PyTorch model. */
export async function saveEncoder(file: string, { config, weights }: EncoderFile): Promise<void> {
  await writeSafetensors(file, tensorsOf(encoderLayout(config), weights), {
    format: 'anomalyclr.encoder.1',
    config: JSON.stringify(encoderConfigSchema.parse(config)),
  });
}

/** @throws AnomalyClrError where the file is not an encoder, or its tensors are not those of its configuration */
export async function loadEncoder(file: string): Promise<EncoderFile> {
  const { tensors, metadata } = await readSafetensors(file);
  const config = encoderConfigSchema.safeParse(parseJson(metadata['config']));
  if (!config.success) throw new AnomalyClrError(`${file}: not an encoder of this program; train the run again`);
  return { config: config.data, weights: flatFrom(file, encoderLayout(config.data), tensors) };
}
