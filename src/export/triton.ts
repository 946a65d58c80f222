import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { cardKey, crossedColumns, crossedRowsOf, inputName, type Card } from '../bundle/card.js';
import { AnomalyClrError, UsageError } from '../errors.js';
import { dataKind } from '../events/data-kinds.js';
import { checkWritable, fileError, makeFolder, readText, writeAtomically } from '../files.js';
import { openWorkFolder } from '../score/work-folder.js';

/** Most events of one execution; a request has at most as many. */
const maxBatch = 1024;

/** @throws UsageError for a name that cannot stand in an address and as a folder */
export function checkTritonName(name: string): void {
  if (!/^[A-Za-z0-9][\w.-]{0,99}$/.test(name))
    throw new UsageError(
      `--name: got ${name}, allowed: at most 100 letters, digits, _, . and -, a letter or digit first`,
    );
}

/**
 * Whether a model can go to repository `dir`, which is made where it is not there.
 * @throws AnomalyClrError where it cannot, or another model than a bundle's is there under that name
 */
export async function checkTritonPlace(dir: string, name: string): Promise<void> {
  const model = path.join(dir, name);
  if (!existsSync(dir)) return checkWritable(dir);
  if (!(await stat(dir)).isDirectory()) throw new AnomalyClrError(`${dir}: is a file, not a folder for models`);
  await checkWritable(path.join(dir, `.${name}.new`)); // as what becomes the model is called at first
  if (!existsSync(model)) return;
  const config = path.join(model, 'config.pbtxt');
  if (!existsSync(config) || !(await readText(config)).startsWith(title))
    throw new AnomalyClrError(`${model}: is there and was not made by export; name another --name or --triton`);
}

/**
 * Writes `DIR/<name>/config.pbtxt` and `DIR/<name>/1/model.onnx`. The folder is filled under a temporary name and
 * renamed, so a server never meets half a model: an old one is whole until it is moved aside, just before.
 *
 * @returns the model's folder
 * @throws AnomalyClrError where it cannot be written; what was there before is there then
 */
export async function writeTriton(dir: string, bytes: Uint8Array, card: Card): Promise<string> {
  const model = path.join(dir, card.name);
  await makeFolder(dir);
  // hidden folders are no models for Triton
  const work = await openWorkFolder(model, `.${card.name}`);
  try {
    await mkdir(path.join(work.path, '1'));
    await writeAtomically(path.join(work.path, '1', 'model.onnx'), bytes);
    await writeAtomically(path.join(work.path, 'config.pbtxt'), tritonConfig(card));
    await work.commit();
    return model;
  } catch (error) {
    throw fileError(model, error, 'write');
  } finally {
    await work.discard().catch(() => undefined);
  }
}

const title = '# Model configuration for Triton Inference Server, by anomalyclr export.';

/** The model's `config.pbtxt`. The batch is no dimension of its own where max_batch_size stands. */
export function tritonConfig({ name, part, representation, domain }: Card): string {
  const { slots } = dataKind(domain.data).raw;
  const output = (of: string, type: string, dims: readonly number[]) =>
    dims.length === 0
      ? `  {\n    name: "${of}"\n    data_type: ${type}\n    dims: [ 1 ]\n    reshape: { shape: [ ] }\n  }`
      : `  {\n    name: "${of}"\n    data_type: ${type}\n    dims: [ ${dims.join(', ')} ]\n  }`;
  const outputs = [
    ...(part === 'scorer' ? [output('score', 'TYPE_FP32', [])] : []),
    output('representation', 'TYPE_FP32', [representation.size]),
    output('in_domain', 'TYPE_BOOL', []),
    output('domain_distance', 'TYPE_FP32', []),
    output('crossed', 'TYPE_INT32', [crossedRowsOf(domain).length, crossedColumns.length]),
  ];
  return `${title}
# Input and outputs in words, thresholds and boundaries: the card in 1/model.onnx (metadata ${cardKey}).

name: "${name}"
platform: "onnxruntime_onnx"
max_batch_size: ${maxBatch}

input [
  {
    # pT [GeV], eta, phi [rad], class in as many slots as you like, 1 to 64
    name: "${inputName}"
    data_type: TYPE_FP32
    dims: [ -1, 4 ]
  }
]

# Outputs with one number an event reach the client as [batch, 1].
output [
${outputs.join(',\n')}
]

# Requests are run together where they have the same number of slots: have clients send ${slots} always.
dynamic_batching {
  preferred_batch_size: [ 64, 256, ${maxBatch} ]
  max_queue_delay_microseconds: 500
}

# On GPUs: kind: KIND_GPU, count for each of them.
instance_group [
  {
    count: 1
    kind: KIND_CPU
  }
]

parameters { key: "intra_op_thread_count" value: { string_value: "0" } }

# For TensorRT inside ONNX Runtime, on a GPU, with a bundle made with --layout padded:
# optimization {
#   execution_accelerators {
#     gpu_execution_accelerator: [
#       {
#         name: "tensorrt"
#         parameters { key: "precision_mode" value: "FP16" }
#         parameters { key: "max_workspace_size_bytes" value: "1073741824" }
#       }
#     ]
#   }
# }

# The first requests find a model that has run: one event and a full batch.
model_warmup [
${[1, maxBatch].map(batch => warmup(batch, slots)).join(',\n')}
]
`;
}

function warmup(batch: number, slots: number): string {
  return `  {
    name: "batch_of_${batch}"
    batch_size: ${batch}
    inputs {
      key: "${inputName}"
      value: { data_type: TYPE_FP32 dims: [ ${slots}, 4 ] zero_data: true }
    }
  }`;
}
