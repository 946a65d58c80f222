import * as z from 'zod';
import { AnomalyClrError } from '../errors.js';
import { perceptronLayout } from '../model/layout.js';
import { readSafetensors, writeSafetensors, type Tensor } from '../model/safetensors.js';
import { flatFrom, parseJson, tensorsOf } from '../model/tensors.js';
import type { DetectorMember, DetectorWeights } from './detector.js';
import type { Preparation } from './prepare.js';

const network = {
  widths: z.array(z.int().min(1)).min(2),
  activation: z.enum(['relu', 'leaky_relu', 'elu']),
};
const preparation = z.enum(['none', 'standardise', 'whiten']);
const members = z
  .array(
    z.object({
      kind: z.enum(['autoencoder', 'ratio']),
      ...network,
      mean: z.number().min(-1e300).max(1e300),
      deviation: z.number().min(1e-300).max(1e300),
    }),
  )
  .min(1)
  .max(2);
/** Of an autoencoder alone, or of members that are added up. */
const metadataSchema = z.union([
  z.object({ preparation, members }),
  z.object({ preparation, ...network, widths: network.widths.min(3) }).transform(({ preparation: kind, ...alone }) => ({
    preparation: kind,
    members: [{ kind: 'autoencoder' as const, ...alone }],
  })),
]);

/** What the names of a member's tensors begin with; those of the autoencoder stand as in files of it alone. */
const prefixOf = (kind: DetectorMember['kind']): string => (kind === 'ratio' ? 'ratio.' : '');

/** Writes a detector, atomically. */
export async function saveDetector(file: string, detector: DetectorWeights): Promise<void> {
  const { preparation: prepared } = detector;
  const tensors = new Map<string, Tensor>();
  for (const { kind, widths, weights } of detector.members)
    for (const [name, tensor] of tensorsOf(perceptronLayout(widths), weights))
      tensors.set(prefixOf(kind) + name, tensor);
  tensors.set('preparation.mean', { dtype: 'F64', shape: [prepared.inputs], data: prepared.mean });
  if (prepared.matrix)
    tensors.set('preparation.matrix', {
      dtype: 'F64',
      shape: [prepared.outputs, prepared.inputs],
      data: prepared.matrix,
    });
  const [{ widths, activation, standard }] = detector.members;
  await writeSafetensors(file, tensors, {
    format: standard ? 'anomalyclr.detector.1' : 'anomalyclr.autoencoder.1',
    config: JSON.stringify(
      standard
        ? { preparation: prepared.kind, members: detector.members.map(describe) }
        : { widths, activation, preparation: prepared.kind },
    ),
  });
}

const describe = ({ kind, widths, activation, standard }: DetectorMember) => ({
  kind,
  widths,
  activation,
  ...standard,
});

/** @throws AnomalyClrError where the file is not a detector */
export async function loadDetector(file: string): Promise<DetectorWeights> {
  const { tensors, metadata } = await readSafetensors(file);
  const config = metadataSchema.safeParse(parseJson(metadata['config']));
  if (!config.success || tensors.get('preparation.mean')?.dtype !== 'F64')
    throw new AnomalyClrError(`${file}: not a detector of this program; train the run again`);
  const { members: described, preparation: kind } = config.data;
  const damaged = (what: string): never => {
    throw new AnomalyClrError(`${file}: ${what}; the file is damaged`);
  };
  if (new Set(described.map(one => one.kind)).size < described.length) damaged('has two members of one kind');
  const prepared = preparationOf(kind, tensors, described[0].widths[0]) ?? damaged('its preparation does not fit it');
  return {
    preparation: prepared,
    members: described.map(({ kind: of, widths, activation, ...rest }): DetectorMember => {
      const last = of === 'ratio' ? 1 : widths[0];
      if (widths[0] !== prepared.outputs || widths.at(-1) !== last || (of === 'autoencoder' && widths.length < 3))
        damaged(`the widths of its ${of} do not fit`);
      const weights = flatFrom(file, perceptronLayout(widths), tensors, prefixOf(of));
      const standard = 'mean' in rest ? { standard: { mean: rest.mean, deviation: rest.deviation } } : {};
      return { kind: of, widths, activation, weights, ...standard };
    }),
  };
}

/** The preparation whose outputs the networks read; undefined where the tensors make none. */
function preparationOf(
  kind: Preparation['kind'],
  tensors: ReadonlyMap<string, Tensor>,
  outputs: number,
): Preparation | undefined {
  const mean = tensors.get('preparation.mean');
  const matrix = tensors.get('preparation.matrix');
  const inputs = mean?.shape[0];
  if (inputs === undefined) return undefined;
  const fits =
    kind === 'none'
      ? inputs === outputs
      : matrix?.dtype === 'F64' && matrix.shape[0] === outputs && matrix.shape[1] === inputs;
  if (!fits) return undefined;
  return {
    kind,
    inputs,
    outputs,
    mean: mean?.data as Float64Array,
    matrix: matrix?.data as Float64Array | undefined,
  };
}
