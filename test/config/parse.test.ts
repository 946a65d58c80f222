import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfigFile } from '../../src/config/config-file.js';
import { listOptions, parseOptions, toConfig } from '../../src/config/parse.js';
import { presetNames, trainPresets } from '../../src/config/presets.js';
import { commandSchemas, type CommandName } from '../../src/config/schema.js';
import { UsageError } from '../../src/errors.js';

const commands = Object.keys(commandSchemas) as CommandName[];
const train = { background: ['a.h5'], out: 'runs/a' };

const refusal = (run: () => unknown): string => {
  let error: unknown;
  try {
    run();
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).not.toContain('\n');
  return (error as Error).message;
};

test.each(commands)('%s: every option has help, a unique flag, and a default that it would accept', command => {
  const infos = listOptions(command);
  expect(new Set(infos.map(info => info.flag)).size).toBe(infos.length);
  for (const info of infos) {
    expect(info.help).toMatch(/^\S.{7,}/);
    expect(info.help).not.toMatch(/\.$/);
    expect(info.allowed.length).toBeGreaterThan(0);
    expect(info.flag).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
    const again = (commandSchemas[command].shape as Record<string, any>)[info.name].safeParse(info.default);
    expect(again.success).toBe(!info.required);
  }
});

test('defaults are filled in', () => {
  expect(parseOptions('train', train)).toMatchObject({
    ...train,
    loss: 'anomclr',
    epochs: 8,
    batch: 512,
    seed: 1,
    recipe: 'default',
    detectorHidden: [64, 32],
    comparators: true,
    resume: false,
  });
});

test('a preset stands where neither flag nor file gives another', () => {
  const options = parseOptions('train', { ...train, preset: 'paper', width: '32' }, { heads: 2 });
  expect(options).toMatchObject({ ...trainPresets['paper'], preset: 'paper', width: 32, heads: 2 });
  expect(parseOptions('train', {}, toConfig(options))).toEqual(options);
  expect(parseOptions('train', train, { preset: 'paper' })).toMatchObject(trainPresets['paper']);
  expect(parseOptions('demo', { preset: 'paper', batch: '64' })).toMatchObject({ recipe: 'paper', batch: 64 });
  expect(refusal(() => parseOptions('train', { ...train, preset: 'papr' }))).toMatch(
    /^--preset: got "papr", allowed: /,
  );
});

test('every preset has options of train alone, and values that these take', () => {
  expect(Object.keys(trainPresets)).toEqual([...presetNames]);
  const shape: Record<string, { parse: (value: unknown) => unknown }> = commandSchemas.train.shape;
  for (const preset of presetNames)
    for (const [name, value] of Object.entries(trainPresets[preset])) expect(shape[name].parse(value)).toEqual(value);
});

test('a flag wins over the file, the file over the default; keys in camelCase or kebab-case', () => {
  const file = { epochs: 3, 'learning-rate': 0.01, maxEvents: 5, out: 'elsewhere', resume: true };
  const options = parseOptions('train', { ...train, epochs: '20', resume: false }, file);
  expect(options).toMatchObject({
    epochs: 20,
    learningRate: 0.01,
    maxEvents: 5,
    out: 'runs/a',
    resume: false,
    batch: 512,
  });
});

test('text of flags becomes numbers and lists', () => {
  const flags = { ...train, learningRate: '1e-3', clip: '.5', detectorHidden: '64, 32', seed: '9007199254740991' };
  const options = parseOptions('train', flags);
  expect(options).toMatchObject({ learningRate: 0.001, clip: 0.5, detectorHidden: [64, 32], seed: 9007199254740991 });
  expect(parseOptions('train', { ...train, detectorHidden: '' }).detectorHidden).toEqual([]);
});

test('signals as flags, as a list and as a mapping', () => {
  const rest = { model: 'runs/a', background: ['b.h5'] };
  const expected = [
    { name: 'A to 4l', file: 'a=1.h5' },
    { name: 'lq', file: 'lq.h5' },
  ];
  const texts = ['A to 4l=a=1.h5', 'lq=lq.h5'];
  expect(parseOptions('evaluate', { ...rest, signal: texts }).signal).toEqual(expected);
  expect(parseOptions('evaluate', rest, { signal: texts }).signal).toEqual(expected);
  expect(parseOptions('evaluate', rest, { signal: { 'A to 4l': 'a=1.h5', lq: 'lq.h5' } }).signal).toEqual(expected);
  expect(parseOptions('evaluate', { ...rest, signal: texts, json: true }).json).toBe(true);
  expect(parseOptions('evaluate', { ...rest, signal: texts, json: 'x.json' }).json).toBe('x.json');
});

test('a single background file may be plain text in a configuration file', () => {
  expect(parseOptions('train', { out: 'x' }, { background: 'b.h5' }).background).toEqual(['b.h5']);
});

test('config.json of a run is itself a configuration file', () => {
  const recipe = { physical: [], anomalous: [{ name: 'met', steps: [{ augmentation: 'shift_met', low: 2 }] }] };
  const options = parseOptions('train', { ...train, config: 'a.yaml', width: '8', heads: '2' }, { recipe });
  const written = JSON.parse(JSON.stringify(toConfig(options))) as unknown;
  expect(parseOptions('train', {}, written)).toEqual({ ...options, config: undefined });
  expect(written).not.toHaveProperty('config');
  const evaluate = parseOptions('evaluate', { model: 'm', background: ['b'], signal: ['s=f'] });
  expect(parseOptions('evaluate', {}, toConfig(evaluate))).toEqual(evaluate);
});

test.each<[CommandName, Record<string, unknown>, unknown, string]>([
  ['train', { ...train, epochs: 'ten' }, {}, '--epochs: got "ten", allowed: a whole number, 1 to 100000'],
  ['train', { ...train, epochs: '' }, {}, '--epochs: got ""'],
  ['train', { ...train, epochs: '0x10' }, {}, '--epochs: got "0x10"'],
  ['train', { ...train, epochs: '2.5' }, {}, '--epochs: got 2.5'],
  ['train', { ...train, validation: '0.6' }, {}, '--validation: got 0.6, allowed: a number at least 0, at most 0.5'],
  ['train', { ...train, temperature: '0' }, {}, '--temperature: got 0, allowed: a number above 0, at most 1000'],
  ['train', { ...train, temperature: 'Infinity' }, {}, '--temperature: got "Infinity"'],
  ['train', { ...train, loss: 'anomclr2' }, {}, '--loss: got "anomclr2", allowed: clr | anomclr | anomclr+ | ntxent'],
  [
    'train',
    { ...train, detectorHidden: '64,x' },
    {},
    '--detector-hidden: got [64,"x"], allowed: up to 16 whole numbers',
  ],
  ['train', { ...train, width: '10' }, {}, '--heads: got 4, which does not divide the width 10'],
  ['train', train, { width: 10, heads: 3 }, 'configuration file: heads: got 3, which does not divide the width 10'],
  ['train', { ...train, representation: 'head5' }, {}, '--representation: got head5, but the head has headLayers = 4'],
  ['train', train, { epoch: 3 }, 'configuration file: unknown key "epoch"; the nearest valid name is "epochs"'],
  ['train', train, JSON.parse('{"__proto__": 3}'), 'unknown key "__proto__"'],
  ['train', train, { epochs: '3' }, 'configuration file: epochs: got "3", allowed: a whole number'],
  ['train', train, { comparators: 'no' }, 'configuration file: comparators: got "no", allowed: true or false'],
  ['train', train, { 'max-events': 1, maxEvents: 1 }, '"maxEvents" is given twice'],
  ['train', train, { config: 'b.yaml' }, "config: a configuration file can't name another"],
  ['train', train, [1], 'configuration file: got [1], allowed: a mapping of option names to values'],
  ['train', train, { recipe: { physical: [] } }, 'configuration file: recipe: anomalous: expected array'],
  ['train', train, { recipe: { physcal: [], physical: [], anomalous: [] } }, 'unknown key "physcal"; the nearest'],
  ['train', { out: 'x' }, {}, 'train needs --background: event files'],
  ['inspect', {}, {}, 'inspect needs files: event files'],
  ['evaluate', { model: 'm', background: ['b'], signal: ['x'] }, {}, '--signal: got ["x"], allowed: NAME=FILE'],
  ['evaluate', { model: 'm', background: ['b'], signal: ['x=a', 'x=b'] }, {}, '--signal: two files under one name'],
  ['score', { model: 'm', data: ['d'], out: '' }, {}, '--out: got "", allowed: a file'],
  ['doctor', { jsn: true }, {}, 'unknown option --jsn; the nearest is --json'],
  ['doctor', { ['json'.repeat(500)]: true }, {}, 'jsonj...; the nearest is --'],
])('%s refuses %j with %j', (command, flags, file, message) => {
  expect(refusal(() => parseOptions(command, flags, file))).toContain(message);
});

describe('readConfigFile', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'config-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const read = (name: string, text: string): Promise<unknown> => {
    writeFileSync(join(dir, name), text);
    return readConfigFile(join(dir, name));
  };

  test('reads JSON and YAML', async () => {
    expect(await read('a.json', '{"epochs": 3}')).toEqual({ epochs: 3 });
    expect(await read('a.yaml', 'epochs: 3\nsignal:\n  lq: a.h5\n')).toEqual({ epochs: 3, signal: { lq: 'a.h5' } });
    expect(parseOptions('doctor', {}, await read('empty.yml', '# nothing\n')).seed).toBe(1);
  });

  test.each([
    ['a.json', '{"epochs": }', /a\.json: not valid JSON: /],
    ['a.yaml', 'a: [1\nb: 2', /a\.yaml: not valid YAML: .* line \d+/],
    ['a.yaml', 'a: 1\na: 2', /not valid YAML: Map keys must be unique/],
  ])('refuses %s with %j in one line', async (name, text, message) => {
    const error: unknown = await read(name, text).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
  });
});
