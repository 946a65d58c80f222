import type { BundleOutputs } from '../bundle/bundle.js';
import { readJsonTensor, writeJsonTensor } from './protocol-json.js';
import { type InferHeader, type OutputTensor, parseHeader, valuesOf, type WantedOutput } from './protocol.js';
import { badRequest } from './refusal.js';

/** The header that says where the JSON ends and the bytes of the tensors begin. */
export const lengthHeader = 'inference-header-content-length';

export interface InferRequest {
  readonly id: string | undefined;
  /** [events, slots, 4] = pT [GeV], eta, phi [rad], class */
  readonly objects: Float32Array;
  readonly events: number;
  readonly slots: number;
  readonly wanted: readonly WantedOutput[];
}

/**
 * Reads an inference request, in JSON or with its tensor behind the JSON.
 *
 * @param headerLength - value of {@link lengthHeader}
 * @throws Refusal: 400 naming what is wrong, 413 where there are too many events
 */
export function parseInfer(
  body: Buffer,
  headerLength: string | undefined,
  tensors: readonly OutputTensor[],
  maxEvents: number,
): InferRequest {
  const length = headerLength === undefined ? body.length : Number(headerLength);
  if (headerLength !== undefined && (!/^\d{1,15}$/.test(headerLength) || length > body.length || length === 0))
    throw badRequest(
      `Inference-Header-Content-Length is ${headerLength.slice(0, 40)}, expected 1 to the ${body.length} bytes of the body`,
    );
  const header = parseHeader(body.toString('utf8', 0, length), tensors, maxEvents);
  const { id, events, slots, wanted } = header;
  return { id, events, slots, wanted, objects: inputOf(body, length, header) };
}

function inputOf(body: Buffer, from: number, { binarySize, data, events, slots }: InferHeader): Float32Array {
  const behind = body.length - from;
  if (binarySize === undefined) {
    if (behind > 0) throw badRequest(`${behind} bytes follow the JSON, but objects has no binary_data_size`);
    return readJsonTensor(data, events, slots);
  }
  if (behind !== binarySize)
    throw badRequest(`${behind} bytes follow the JSON, expected the ${binarySize} of objects' binary_data_size`);
  const at = body.byteOffset + from;
  // floats in memory begin at a multiple of 4; where the JSON leaves them elsewhere they are copied
  if (at % 4 === 0) return new Float32Array(body.buffer, at, binarySize / 4);
  const copy = new Float32Array(binarySize / 4);
  new Uint8Array(copy.buffer).set(body.subarray(from));
  return copy;
}

/** An answer as it goes out. */
export interface InferAnswer {
  readonly body: Buffer;
  /** Length of the JSON where bytes follow it. */
  readonly headerLength: number | undefined;
}

/** Writes the outputs that a request asked for, each in JSON or as bytes. */
export function writeInfer(
  { id, events, wanted }: InferRequest,
  outputs: BundleOutputs,
  model: { readonly name: string; readonly version: string },
): InferAnswer {
  const binary: Uint8Array[] = [];
  const tensors = wanted.map(({ name, datatype, shape, binary: asBytes }) => {
    const values = valuesOf(outputs, name);
    const tensor = { name, datatype, shape: [events, ...shape] };
    if (!asBytes) return { ...tensor, data: writeJsonTensor(values, datatype === 'BOOL') };
    binary.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return { ...tensor, parameters: { binary_data_size: values.byteLength } };
  });
  const json = JSON.stringify({ model_name: model.name, model_version: model.version, id, outputs: tensors });
  if (binary.length === 0) return { body: Buffer.from(json), headerLength: undefined };
  const headerLength = Buffer.byteLength(json);
  const body = Buffer.allocUnsafe(binary.reduce((sum, { length }) => sum + length, headerLength));
  let at = body.write(json);
  for (const bytes of binary) {
    body.set(bytes, at);
    at += bytes.length;
  }
  return { body, headerLength };
}
