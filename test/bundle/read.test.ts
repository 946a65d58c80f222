import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { ModelProtoSchema, type ModelProto } from 'onnx-buf';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { cardKey } from '../../src/bundle/card.js';
import { cardOf, isBundle, readCard } from '../../src/bundle/read.js';
import { AnomalyClrError } from '../../src/errors.js';
import { temporaryFolder } from '../read/craft.js';
import { runtimeInstalled, needsRuntime, smallBundle, type SmallBundle } from '../support/bundle.js';

const at = temporaryFolder();
let small: SmallBundle;
beforeAll(async () => {
  if (!runtimeInstalled) return;
  small = await smallBundle();
  writeFileSync(at('small.onnx'), small.bytes);
});

/** The small bundle with something changed in its protobuf. */
function changed(change: (model: ModelProto) => void): Uint8Array {
  const model = fromBinary(ModelProtoSchema, small.bytes);
  change(model);
  return toBinary(ModelProtoSchema, model);
}
const cardChanged = (text: (card: string) => string) =>
  changed(model => {
    for (const entry of model.metadataProps) if (entry.key === cardKey) entry.value = text(entry.value);
  });
const tensorOf = (model: ModelProto, name: string) => {
  const value = [...model.graph!.input, ...model.graph!.output].find(one => one.name === name)!.type!.value;
  if (value.case !== 'tensorType') throw new Error(`${name} is no tensor`);
  return value.value;
};

needsRuntime('the card comes back as it was written, out of the file and out of its bytes', async () => {
  expect(await readCard(at('small.onnx'))).toEqual(small.card);
  expect(cardOf(small.bytes, 'x')).toEqual(small.card);
});

test('what is a bundle and what a run', () => {
  mkdirSync(at('folder.onnx'));
  writeFileSync(at('scores.h5'), '');
  expect(isBundle(at('folder.onnx'))).toBe(false); // a run may be called anything
  expect(isBundle(at('scores.h5'))).toBe(true); // which is then told not to be ONNX
  expect(isBundle(at('gone.onnx'))).toBe(true);
  expect(isBundle(at('GONE.ONNX'))).toBe(true);
  expect(isBundle(at('gone'))).toBe(false);
});

describe('what is wrong is told in one line', () => {
  const refused = async (bytes: Uint8Array | string, message: RegExp) => {
    writeFileSync(at('wrong.onnx'), bytes);
    const call = readCard(at('wrong.onnx'));
    await expect(call).rejects.toThrow(AnomalyClrError);
    await expect(call).rejects.toThrow(message);
    await expect(call).rejects.not.toThrow(/\n/);
  };

  test('files that are not ONNX', async () => {
    for (const text of ['', 'hello', '{"a": 1}', '\x89HDF\r\n\x1a\n'])
      await refused(text, /wrong\.onnx: not an ONNX file, or a damaged one; make one with anomalyclr export$/);
    await refused(toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n })), /not an ONNX file/);
    await expect(readCard(at('gone.onnx'))).rejects.toThrow(/gone\.onnx: no such file$/);
    mkdirSync(at('run'));
    await expect(readCard(at('run'))).rejects.toThrow(/run: is a folder or a device; name the ONNX file of a bundle$/);
    writeFileSync(at('vast.onnx'), '');
    truncateSync(at('vast.onnx'), 2 ** 31);
    await expect(readCard(at('vast.onnx'))).rejects.toThrow(/vast\.onnx: 2147483648 bytes are more than an ONNX file/);
  });

  needsRuntime('ONNX files of others', async () => {
    await refused(
      changed(model => (model.metadataProps = [])),
      /wrong\.onnx: an ONNX file, but not a bundle of this program; make one with anomalyclr export$/,
    );
    await refused(
      changed(model => model.metadataProps.push(...structuredClone(model.metadataProps))),
      /has 2 cards under anomalyclr\.card; the file is damaged/,
    );
  });

  needsRuntime('damaged cards, with the key that is wrong', async () => {
    await refused(
      cardChanged(text => text.slice(0, -5)),
      /its card is not valid JSON; the file is damaged/,
    );
    await refused(
      cardChanged(() => '[]'),
      /its card: .*expected object/,
    );
    await refused(
      cardChanged(() => 'null'),
      /its card: .*expected object/,
    );
    const key = (change: (card: any) => void) =>
      cardChanged(text => {
        const card = JSON.parse(text);
        change(card);
        return JSON.stringify(card);
      });
    await refused(
      key(card => (card.precision = 'f8')),
      /its card: precision: .*"f8"; the file is damaged, copy it/,
    );
    await refused(
      key(card => delete card.domain.ptScale),
      /its card: domain\.ptScale: /,
    );
    await refused(
      key(card => (card.extra = 1)),
      /its card: .*"extra"/,
    );
    await refused(
      key(card => (card.reference.events[1].score = 'high')),
      /its card: reference\.events\.1\.score: /,
    );
    await refused(
      key(card => (card.reference.events[1].score = null)),
      /reference events without score/,
    );
    await refused(
      key(card => card.reference.events[1].representation.pop()),
      /are not of size 32/,
    );
    await refused(
      key(card => (card.format = 'anomalyclr.bundle.2')),
      /made by a later version .*; update anomalyclr$/,
    );
    await refused(
      key(card => (card.format = 'other.1')),
      /its card: format: /,
    );
  });

  needsRuntime('graphs that are not what the card promises', async () => {
    const { graph } = fromBinary(ModelProtoSchema, small.bytes);
    expect(graph).toBeDefined();
    await refused(
      changed(model => (model.graph!.input[0].name = 'x')),
      /wrong\.onnx: input objects is missing, expected float \[any, any, 4\]; make one with anomalyclr export$/,
    );
    await refused(
      changed(model => model.graph!.input.push(structuredClone({ ...model.graph!.input[0], name: 'y' }))),
      /takes 2 inputs, not objects alone/,
    );
    await refused(
      changed(model => (model.graph!.output = model.graph!.output.filter(({ name }) => name !== 'crossed'))),
      /output crossed is missing, expected int32 \[any, 5, 4\]/,
    );
    await refused(
      changed(model => (tensorOf(model, 'score').elemType = 11)),
      /output score is double \[any\], expected float \[any\]/,
    );
    await refused(
      changed(model => (tensorOf(model, 'objects').shape!.dim[2].value = { case: 'dimValue', value: 5n })),
      /input objects is float \[any, any, 5\], expected float \[any, any, 4\]/,
    );
    await refused(
      changed(model => (tensorOf(model, 'objects').shape!.dim[0].value = { case: 'dimValue', value: 1n })),
      /input objects is float \[1, any, 4\], expected/,
    );
    await refused(
      changed(model => (model.graph!.initializer[0].dataLocation = 1)),
      /keeps weights in other files, and a bundle is one file/,
    );
  });
});

describe('whatever bytes it is given', () => {
  const onlyOurs = (bytes: Uint8Array) => {
    try {
      cardOf(bytes, 'fuzz');
    } catch (error) {
      expect(error).toBeInstanceOf(AnomalyClrError);
      expect((error as Error).message).toMatch(/^fuzz: [^\n]+$/);
    }
  };

  test('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), onlyOurs), { numRuns: 1000 });
  });

  needsRuntime('a bundle cut short', () => {
    fc.assert(
      fc.property(fc.nat(small.bytes.length - 1), length => onlyOurs(small.bytes.subarray(0, length))),
      { numRuns: 300 },
    );
  });

  needsRuntime('a bundle with bits flipped, half of them where the card or the graph ends', () => {
    const length = small.bytes.length;
    const place = fc.oneof(fc.nat(length - 1), fc.integer({ min: length - 12_000, max: length - 1 }), fc.nat(2000));
    fc.assert(
      fc.property(fc.array(fc.tuple(place, fc.nat(7)), { minLength: 1, maxLength: 6 }), flips => {
        const bytes = small.bytes.slice();
        for (const [byte, bit] of flips) bytes[byte] ^= 1 << bit;
        onlyOurs(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
