import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { cardKey } from '../../../../src/bundle/card.js';
import { readCard } from '../../../../src/bundle/read.js';
import { cardText } from '../../../../src/export/card-text.js';
import { tritonConfig } from '../../../../src/export/triton.js';
import { readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { demand, nothingLeft, scratchFile, tried } from '../oracle.js';

const whole = readBase('bundle.onnx');
const card = readBase('card.json');
const bare = fromBinary(ModelProtoSchema, whole);
bare.metadataProps = [];
const model = Buffer.from(toBinary(ModelProtoSchema, bare));

/** Bundles. Byte 0: 0 the file is changed, 1 its card is, or with bit 7 follows whole; 2 and 3 the same with two cards or a later one. */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  const next = (base: Buffer): Buffer => (kind & 128 ? choices.rest() : changed(base, choices));
  const cards = [0, 1, 2][(kind & 127) % 3];
  const bytes =
    cards === 0 ? next(whole) : Buffer.concat([model, ...Array.from({ length: cards }, () => property(next(card)))]);
  const file = scratchFile('bundle.onnx', bytes);
  const read = await tried(() => readCard(file), file);
  if (read) {
    demand(
      read.reference.events.every(one => one.representation.length === read.representation.size),
      'other sizes',
    );
    demand(cardText(read, { file, sha256: '', bytes: 1 }).length > 0 && tritonConfig(read).length > 0, 'no words');
  }
  nothingLeft();
}

/** metadata_props, field 14 of ModelProto: a message of key (1) and value (2). */
function property(value: Buffer): Buffer {
  const key = Buffer.from(cardKey);
  const inner = Buffer.concat([field(1, key), field(2, value)]);
  return field(14, inner);
}

function field(number: number, bytes: Buffer): Buffer {
  const length: number[] = [];
  for (let left = bytes.length; length.length === 0 || left > 0; left = Math.floor(left / 128))
    length.push((left % 128) + (left >= 128 ? 128 : 0));
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}
