import { fromBinary } from '@bufbuild/protobuf';
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type ValueInfoProto,
} from 'onnx-buf';
import { existsSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { AnomalyClrError } from '../errors.js';
import { explainIssue, fileError, parseJson, show } from '../files.js';
import { cardKey, cardSchema, crossedColumns, crossedRowsOf, inputName, type Card, type OutputName } from './card.js';

/** Protocol buffers hold no more. */
const maxBytes = 2 ** 31 - 1;
const maker = 'make one with anomalyclr export';
const again = 'copy it again, or export it again';

/** A bundle read into memory, its card and its graph's signature checked. */
export interface BundleFile {
  readonly bytes: Uint8Array;
  readonly card: Card;
}

/** Whether what `--model` names is to be read as a bundle: a file, or what would be one; a run is a folder. */
export function isBundle(path: string): boolean {
  return existsSync(path) ? statSync(path).isFile() : extname(path).toLowerCase() === '.onnx';
}

/**
 * The card of a bundle.
 *
 * @throws AnomalyClrError in one line: no such file, not ONNX, no bundle, damaged, or of a later format
 * @example
 * const { domain, calibration } = await readCard('anomalyclr.onnx');
 */
export async function readCard(file: string): Promise<Card> {
  return (await readBundle(file)).card;
}

/** The whole file, read once, so that one that is replaced meanwhile is taken as it was or as it is. Errors as readCard. */
export async function readBundle(file: string): Promise<BundleFile> {
  try {
    const info = await stat(file);
    if (!info.isFile()) throw new AnomalyClrError(`${file}: is a folder or a device; name the ONNX file of a bundle`);
    if (info.size > maxBytes)
      throw new AnomalyClrError(
        `${file}: ${info.size} bytes are more than an ONNX file can have; is it the right file?`,
      );
    const bytes = await readFile(file);
    return { bytes, card: cardOf(bytes, file) };
  } catch (error) {
    throw fileError(file, error, 'read');
  }
}

/**
 * The card inside the bytes of a bundle.
 * @param name - of the bundle, for messages
 * @throws AnomalyClrError as readCard
 */
export function cardOf(bytes: Uint8Array, name: string): Card {
  const model = parse(bytes, name);
  const found = model.metadataProps.filter(({ key }) => key === cardKey);
  if (found.length === 0)
    throw new AnomalyClrError(`${name}: an ONNX file, but not a bundle of this program; ${maker}`);
  if (found.length > 1)
    throw new AnomalyClrError(`${name}: has ${found.length} cards under ${cardKey}; the file is damaged, ${again}`);
  const card = parseCard(found[0].value, name);
  if (model.graph) checkGraph(model.graph, card, name);
  return card;
}

function parse(bytes: Uint8Array, name: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch {
    throw new AnomalyClrError(`${name}: not an ONNX file, or a damaged one; ${maker}`);
  }
  if (!model.graph || model.irVersion === 0n || model.opsetImport.length === 0)
    throw new AnomalyClrError(`${name}: not an ONNX file, or a damaged one; ${maker}`);
  return model;
}

function parseCard(text: string, name: string): Card {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new AnomalyClrError(`${name}: its card is not valid JSON; the file is damaged, ${again}`);
  }
  const format = (value as { format?: unknown } | null)?.format;
  const later = typeof format === 'string' ? /^anomalyclr\.bundle\.(\d+)$/.exec(format) : null;
  if (later && Number(later[1]) > 1)
    throw new AnomalyClrError(`${name}: made by a later version of this program (${show(format)}); update anomalyclr`);
  const result = cardSchema.safeParse(value, { reportInput: true });
  if (!result.success)
    throw new AnomalyClrError(
      `${name}: its card: ${explainIssue(result.error.issues[0])}; the file is damaged, ${again}`,
    );
  const card = result.data;
  if (card.part === 'scorer' && card.reference.events.some(({ score }) => score === null))
    throw new AnomalyClrError(`${name}: its card: reference events without score; the file is damaged, ${again}`);
  if (card.reference.events.some(({ representation }) => representation.length !== card.representation.size))
    throw new AnomalyClrError(
      `${name}: its card: reference representations are not of size ${card.representation.size}; the file is damaged, ${again}`,
    );
  return card;
}

/** Outputs of a bundle, in the order of card.ts. */
export function outputsOf({ part }: Card): OutputName[] {
  return [
    ...(part === 'scorer' ? (['score'] as const) : []),
    'representation',
    'in_domain',
    'domain_distance',
    'crossed',
  ];
}

/** Element type, and lengths as numbers or, where each call chooses them, null. */
interface Signature {
  readonly type: TensorProto_DataType;
  readonly dims: readonly (number | null)[];
}

function checkGraph(graph: GraphProto, card: Card, name: string): void {
  const { FLOAT, BOOL, INT32 } = TensorProto_DataType;
  const outputs: Record<OutputName, Signature> = {
    score: { type: FLOAT, dims: [null] },
    representation: { type: FLOAT, dims: [null, card.representation.size] },
    in_domain: { type: BOOL, dims: [null] },
    domain_distance: { type: FLOAT, dims: [null] },
    crossed: { type: INT32, dims: [null, crossedRowsOf(card.domain).length, crossedColumns.length] },
  };
  const constants = new Set(graph.initializer.map(tensor => tensor.name));
  const inputs = graph.input.filter(input => !constants.has(input.name));
  check(inputs, 'input', inputName, { type: FLOAT, dims: [null, null, 4] }, name);
  if (inputs.length > 1)
    throw new AnomalyClrError(`${name}: takes ${inputs.length} inputs, not ${inputName} alone; ${maker}`);
  for (const output of outputsOf(card)) check(graph.output, 'output', output, outputs[output], name);
  if (graph.initializer.some(tensor => tensor.dataLocation === TensorProto_DataLocation.EXTERNAL))
    throw new AnomalyClrError(`${name}: keeps weights in other files, and a bundle is one file; ${maker}`);
}

function check(
  values: readonly ValueInfoProto[],
  what: 'input' | 'output',
  wanted: string,
  { type, dims }: Signature,
  name: string,
): void {
  const wrong = (got: string) =>
    new AnomalyClrError(
      `${name}: ${what} ${wanted} ${got}, expected ${TensorProto_DataType[type].toLowerCase()} ${shapeText(dims)}; ${maker}`,
    );
  const found = values.find(value => value.name === wanted)?.type?.value;
  if (!found) throw wrong('is missing');
  if (found.case !== 'tensorType') throw wrong('is no tensor');
  const shape = (found.value.shape?.dim ?? []).map(({ value }) =>
    value.case === 'dimValue' ? Number(value.value) : null,
  );
  if (found.value.elemType !== type || shape.length !== dims.length || shape.some((length, i) => length !== dims[i]))
    throw wrong(`is ${(TensorProto_DataType[found.value.elemType] ?? 'unknown').toLowerCase()} ${shapeText(shape)}`);
}

const shapeText = (dims: readonly (number | null)[]): string => `[${dims.map(length => length ?? 'any').join(', ')}]`;
