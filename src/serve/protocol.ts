import type { BundleOutputs } from '../bundle/bundle.js';
import {
  type Card,
  crossedColumns,
  crossedRowsOf,
  inputName,
  type OutputName,
  outputNames,
  slotLimits,
} from '../bundle/card.js';
import { show } from '../files.js';
import { badRequest, Refusal } from './refusal.js';

/** Tensors of the Open Inference Protocol v2, as the bundle has them. */
export type Datatype = 'FP32' | 'BOOL' | 'INT32';

export interface OutputTensor {
  readonly name: OutputName;
  readonly datatype: Datatype;
  /** Of one event. */
  readonly shape: readonly number[];
}

/** An output that a request asks for. */
export interface WantedOutput extends OutputTensor {
  /** As bytes behind the JSON. */
  readonly binary: boolean;
}

/** The outputs that a bundle has. */
export function outputTensors(card: Card): OutputTensor[] {
  const tensors: Record<OutputName, Omit<OutputTensor, 'name'>> = {
    score: { datatype: 'FP32', shape: [] },
    representation: { datatype: 'FP32', shape: [card.representation.size] },
    in_domain: { datatype: 'BOOL', shape: [] },
    domain_distance: { datatype: 'FP32', shape: [] },
    crossed: { datatype: 'INT32', shape: [crossedRowsOf(card.domain).length, crossedColumns.length] },
  };
  return outputNames
    .filter(name => name !== 'score' || card.part === 'scorer')
    .map(name => ({ name, ...tensors[name] }));
}

/** The numbers of an output: Float32Array, Int32Array, or Uint8Array of 1 and 0. [events, ...shape] */
export function valuesOf(outputs: BundleOutputs, name: OutputName): Float32Array | Int32Array | Uint8Array {
  switch (name) {
    case 'score':
      return outputs.score ?? new Float32Array(0);
    case 'representation':
      return outputs.representation;
    case 'in_domain':
      return outputs.inDomain;
    case 'domain_distance':
      return outputs.distance;
    case 'crossed':
      return outputs.crossed;
  }
}

/** The JSON of an inference request, once it is known to say what it should. */
export interface InferHeader {
  readonly id: string | undefined;
  readonly events: number;
  readonly slots: number;
  /** Bytes of the input behind the JSON; undefined where `data` has the numbers. */
  readonly binarySize: number | undefined;
  readonly data: unknown;
  readonly wanted: readonly WantedOutput[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the JSON of an inference request.
 *
 * @param text - the JSON alone
 * @param maxEvents - most events that are answered at once
 * @throws Refusal: 400 naming the field that is wrong, 413 where there are too many events
 */
export function parseHeader(text: string, tensors: readonly OutputTensor[], maxEvents: number): InferHeader {
  const request = fieldsOf(parseJson(text), 'the body');
  const { id, inputs, outputs } = request;
  if (id !== undefined && typeof id !== 'string') throw badRequest(`id is ${show(id)}, expected a text`);
  const parameters = parametersOf(request, 'parameters');
  if (!Array.isArray(inputs))
    throw badRequest(`inputs is ${show(inputs)}, expected a list with the input ${inputName}`);
  if (inputs.length !== 1) throw badRequest(`inputs has ${inputs.length} tensors, expected one, named ${inputName}`);
  const { events, slots, ...input } = parseInput(inputs[0], maxEvents);
  const allBinary = parameters.binary_data_output === true;
  return { id, events, slots, ...input, wanted: parseOutputs(outputs, tensors, allBinary) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const hint = /\b(NaN|Infinity)\b/.test(text) ? '; JSON has no NaN or infinity' : '';
    throw badRequest(`the body is not valid JSON: ${message.slice(0, 120)}${hint}`);
  }
}

function parseInput(given: unknown, maxEvents: number): Pick<InferHeader, 'events' | 'slots' | 'binarySize' | 'data'> {
  const input = fieldsOf(given, 'inputs[0]');
  if (input.name !== inputName) throw badRequest(`inputs[0].name is ${show(input.name)}, expected "${inputName}"`);
  if (input.datatype !== 'FP32') throw badRequest(`${inputName}: datatype is ${show(input.datatype)}, expected "FP32"`);
  const { shape } = input;
  const whole = Array.isArray(shape) && shape.every(size => Number.isSafeInteger(size) && size >= 0);
  if (!whole || shape.length !== 3 || shape[2] !== 4)
    throw badRequest(`${inputName}: shape is ${show(shape)}, expected [events, slots, 4]`);
  const [events, slots] = shape as number[];
  if (slots < slotLimits.min || slots > slotLimits.max)
    throw badRequest(`${inputName}: ${slots} slots, expected ${slotLimits.min} to ${slotLimits.max}`);
  if (events < 1) throw badRequest(`${inputName}: shape is ${show(shape)}, which has no event`);
  if (events > maxEvents)
    throw new Refusal(413, 'too-large', `${inputName}: ${events} events, at most ${maxEvents} are taken at once`);
  const { binary_data_size: size, ...others } = parametersOf(input, `${inputName}: parameters`);
  refuseSharedMemory(others, inputName);
  if (size === undefined) return { events, slots, binarySize: undefined, data: input.data };
  const expected = events * slots * 16;
  if (size !== expected)
    throw badRequest(`${inputName}: binary_data_size is ${show(size)}, expected ${expected} for shape ${show(shape)}`);
  if (input.data !== undefined) throw badRequest(`${inputName}: has both data and binary_data_size, expected one`);
  return { events, slots, binarySize: expected, data: undefined };
}

function parseOutputs(given: unknown, tensors: readonly OutputTensor[], allBinary: boolean): WantedOutput[] {
  if (given === undefined || (Array.isArray(given) && given.length === 0))
    return tensors.map(tensor => ({ ...tensor, binary: allBinary }));
  if (!Array.isArray(given)) throw badRequest(`outputs is ${show(given)}, expected a list`);
  if (given.length > tensors.length)
    throw badRequest(`outputs has ${given.length} entries, the model has ${tensors.length}`);
  const wanted = given.map((one, i) => {
    const output = fieldsOf(one, `outputs[${i}]`);
    const tensor = tensors.find(({ name }) => name === output.name);
    if (!tensor)
      throw badRequest(
        `outputs[${i}].name is ${show(output.name)}, the model has ${tensors.map(({ name }) => name).join(', ')}`,
      );
    const parameters = parametersOf(output, `${tensor.name}: parameters`);
    refuseSharedMemory(parameters, tensor.name);
    if (Number(parameters.classification ?? 0) !== 0)
      throw badRequest(`${tensor.name}: classification is asked for, which scores do not have`);
    const { binary_data: binary = allBinary } = parameters;
    if (typeof binary !== 'boolean')
      throw badRequest(`${tensor.name}: binary_data is ${show(binary)}, expected a bool`);
    return { ...tensor, binary };
  });
  const twice = wanted.find(({ name }, i) => wanted.findIndex(other => other.name === name) !== i);
  if (twice) throw badRequest(`outputs names ${twice.name} twice`);
  return wanted;
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest(`${what} is ${show(value)}, expected a JSON object`);
  return value as Fields;
}

function parametersOf({ parameters }: Fields, what: string): Fields {
  return parameters === undefined ? {} : fieldsOf(parameters, what);
}

function refuseSharedMemory(parameters: Fields, tensor: string): void {
  if (parameters.shared_memory_region !== undefined)
    throw badRequest(`${tensor}: shared_memory_region is not supported; send the data with the request`);
}
