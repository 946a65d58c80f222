import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Card } from '../../src/bundle/card.js';
import { AnomalyClrError, UsageError } from '../../src/errors.js';
import { checkTritonName, checkTritonPlace, tritonConfig, writeTriton } from '../../src/export/triton.js';
import { temporaryFolder } from '../read/craft.js';
import { python } from '../support/python.js';

const at = temporaryFolder();
const card = (changes: object = {}) =>
  ({ name: 'x', part: 'scorer', representation: { name: 'pool', size: 12 }, domain: {}, ...changes }) as Card;
const bytes = (text: string) => new TextEncoder().encode(text);

/** Reads a configuration with the message that Triton itself reads it with, and prints it as JSON. */
const parser = `
import importlib.util, sys, sysconfig, os
from google.protobuf import json_format, text_format
file = os.path.join(sysconfig.get_paths()['purelib'], 'tritonclient', 'grpc', 'model_config_pb2.py')
spec = importlib.util.spec_from_file_location('model_config_pb2', file)
messages = importlib.util.module_from_spec(spec)
spec.loader.exec_module(messages)
print(json_format.MessageToJson(text_format.Parse(sys.stdin.read(), messages.ModelConfig()), preserving_proto_field_name=True))
`;
const canParse = python(['-c', parser], 'name: "x"') !== undefined;
if (!canParse) console.log('no Python with tritonclient and protobuf here: config.pbtxt is not parsed');

(canParse ? test : test.skip)('config.pbtxt is what Triton reads, with types, shapes, batching and warm-up', () => {
  const read = (of: Card) => JSON.parse(python(['-c', parser], tritonConfig(of)) ?? '');
  const config = read(card({ name: 'tops_2' }));
  expect(config).toMatchObject({
    name: 'tops_2',
    platform: 'onnxruntime_onnx',
    max_batch_size: 1024,
    input: [{ name: 'objects', data_type: 'TYPE_FP32', dims: ['-1', '4'] }],
    dynamic_batching: { preferred_batch_size: [64, 256, 1024], max_queue_delay_microseconds: '500' },
    instance_group: [{ count: 1, kind: 'KIND_CPU' }],
  });
  const one = { dims: ['1'], reshape: {} }; // a number an event has no dimension beside the batch
  expect(config.output).toEqual([
    { name: 'score', data_type: 'TYPE_FP32', ...one },
    { name: 'representation', data_type: 'TYPE_FP32', dims: ['12'] },
    { name: 'in_domain', data_type: 'TYPE_BOOL', ...one },
    { name: 'domain_distance', data_type: 'TYPE_FP32', ...one },
    { name: 'crossed', data_type: 'TYPE_INT32', dims: ['5', '4'] },
  ]);
  for (const { batch_size: size, inputs } of config.model_warmup) {
    expect(size).toBeLessThanOrEqual(config.max_batch_size);
    expect(inputs).toEqual({ objects: { data_type: 'TYPE_FP32', dims: ['19', '4'], zero_data: true } });
  }
  expect(config.model_warmup).toHaveLength(2);
  const encoder = read(card({ part: 'encoder' }));
  expect(encoder.output.map(({ name }: { name: string }) => name)).not.toContain('score');
  expect(encoder.output).toHaveLength(4);
});

(canParse ? test : test.skip)('the parser refuses what is no configuration', () => {
  expect(python(['-c', parser], tritonConfig(card()).replace('TYPE_BOOL', 'TYPE_BOOLEAN'))).toBeUndefined();
  expect(python(['-c', parser], tritonConfig(card()).replace('max_batch_size', 'max_batch'))).toBeUndefined();
});

test('a repository has the model under its name and version, and nothing else', async () => {
  const dir = at('models/new');
  mkdirSync(at('models'));
  await checkTritonPlace(dir, 'x');
  expect(await writeTriton(dir, bytes('one'), card())).toBe(path.join(dir, 'x'));
  const found = readdirSync(dir, { recursive: true }).map(String).toSorted();
  expect(found).toEqual(['x', 'x/1', 'x/1/model.onnx', 'x/config.pbtxt']);
  expect(readFileSync(path.join(dir, 'x/1/model.onnx'), 'utf8')).toBe('one');
  await checkTritonPlace(dir, 'x');
  await writeTriton(dir, bytes('two'), card());
  await writeTriton(dir, bytes('three'), card({ name: 'y' }));
  expect(readFileSync(path.join(dir, 'x/1/model.onnx'), 'utf8')).toBe('two');
  expect(readdirSync(dir).toSorted()).toEqual(['x', 'y']);
});

test('what a killed export left is cleared', async () => {
  const dir = at('killed');
  await writeTriton(dir, bytes('one'), card());
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  mkdirSync(path.join(dir, `.x.${dead}-0123abcd.tmp`, '1'), { recursive: true });
  mkdirSync(path.join(dir, `.x.${dead}-0123abce.old`, '1'), { recursive: true });
  mkdirSync(path.join(dir, `.x.${process.ppid}-0123abcd.tmp`)); // of one that runs
  await writeTriton(dir, bytes('two'), card());
  expect(readdirSync(dir).toSorted()).toEqual([`.x.${process.ppid}-0123abcd.tmp`, 'x']);
});

test('a model that a killed export had moved aside goes back', async () => {
  const dir = at('aside');
  await writeTriton(dir, bytes('one'), card());
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  renameSync(path.join(dir, 'x'), path.join(dir, `.x.${dead}-0123abcd.old`));
  await expect(writeTriton(dir, bytes('two'), card({ representation: undefined }))).rejects.toThrow();
  expect(readFileSync(path.join(dir, 'x/1/model.onnx'), 'utf8')).toBe('one');
  expect(readdirSync(dir)).toEqual(['x']);
});

test('a failure leaves the old model as it was', async () => {
  const dir = at('failed');
  await writeTriton(dir, bytes('one'), card());
  const broken = card({ representation: undefined }); // its configuration can't be made
  await expect(writeTriton(dir, bytes('two'), broken)).rejects.toThrow();
  expect(readFileSync(path.join(dir, 'x/1/model.onnx'), 'utf8')).toBe('one');
  expect(readdirSync(dir)).toEqual(['x']);
});

test("another's model, a file in the way and names that are none are refused", async () => {
  mkdirSync(at('theirs/x'), { recursive: true });
  await expect(checkTritonPlace(at('theirs'), 'x')).rejects.toThrow(/theirs\/x: is there and was not made by export/);
  writeFileSync(at('theirs/x/config.pbtxt'), 'name: "x"');
  await expect(checkTritonPlace(at('theirs'), 'x')).rejects.toThrow(/was not made by export/);
  writeFileSync(at('file'), '');
  await expect(checkTritonPlace(at('file'), 'x')).rejects.toThrow(AnomalyClrError);
  await expect(checkTritonPlace(at('no/such/place'), 'x')).rejects.toThrow(/its folder does not exist/);
  for (const name of ['', '..', 'a/b', '.x', 'a b', 'ä']) expect(() => checkTritonName(name)).toThrow(UsageError);
  for (const name of ['anomalyclr', 'Tops-2.1_b']) expect(() => checkTritonName(name)).not.toThrow();
  expect(existsSync(at('no'))).toBe(false);
});
