import type { Case } from '../../bench/case.js';
import { cases } from '../../bench/cases.js';
import { curves, matches, plan, wordsOf } from '../../bench/plan.js';

const some: Case[] = [
  {
    name: 'step',
    model: 'm',
    batches: ({ engine }) => (engine === 'native' ? { usual: [512, 16], full: [16, 2048], long: [65_536] } : undefined),
    open: () => Promise.reject(new Error('not opened')),
  },
];
const sizes = (filter: string | undefined, full = false) =>
  plan(some, { filter, full, threads: 1 }).map(one => `${one.batch} ${wordsOf(one.subject)}`);

test('a run has the usual batches, small ones first; a full run more; a long one only who names it', () => {
  expect(sizes(undefined)).toEqual(['16 native f32', '512 native f32', '16 native bf16', '512 native bf16']);
  expect(sizes('f32', true)).toEqual(['16 native f32', '512 native f32', '2048 native f32']);
  expect(sizes('step-2048')).toEqual(['2048 native f32', '2048 native bf16']);
  expect(sizes('step-65536 bf16')).toEqual(['65536 native bf16']);
  expect(sizes('step-6553')).toEqual([]);
  expect(plan(some, { filter: 'step-65536', full: false, threads: 1 }).every(({ long }) => long)).toBe(true);
});

test.each([
  ['', true],
  ['train', true],
  ['train-step-512', true],
  ['train-step-51', false],
  ['train-step-16', false],
  ['tfjs/wasm', true],
  ['train wasm pure', true],
  ['train wasm native', false],
])('filter %j: %j', (filter, expected) => {
  expect(matches(filter, 'train-step', 512, 'tfjs/wasm pure')).toBe(expected);
});

test('the curve of a case is its batches on one subject', () => {
  const lists = curves(plan(some, { full: true, threads: 1 }));
  expect(lists.map(list => list.map(({ batch }) => batch))).toEqual([
    [16, 512, 2048],
    [16, 512, 2048],
  ]);
});

test('the cases of the contract are there, on every subject that can do them', () => {
  const all = plan(cases, { full: true, threads: 1 });
  const on = (name: string) => new Set(all.filter(one => one.name === name).map(({ subject }) => wordsOf(subject)));
  const tfjs = ['node-gpu', 'node', 'wasm', 'cpu'].flatMap(backend =>
    ['native', 'pure'].map(kernels => `tfjs/${backend} ${kernels}`),
  );
  const pure = tfjs.filter(words => words.endsWith('pure'));
  const native = ['native f32', 'native bf16'];
  for (const name of ['train-step', 'score-files', 'loss-clr', 'loss-anomclr', 'loss-anomclr+', 'loss-ntxent'])
    expect(on(name)).toEqual(new Set([...native, ...tfjs]));
  expect(on('score')).toEqual(new Set([...native, ...tfjs, 'onnxruntime']));
  expect(on('score-one')).toEqual(new Set(['native f32', ...tfjs, 'onnxruntime']));
  expect(on('attention')).toEqual(new Set(['native f32', ...tfjs]));
  expect(on('dense')).toEqual(new Set([...native, ...pure]));
  expect(on('adam')).toEqual(new Set(['native f32', ...pure]));
  expect(on('augment')).toEqual(new Set(['native f32', 'tfjs/cpu pure']));
});

test('a run without options leaves out what takes long, and no case', () => {
  const usual = plan(cases, { full: false, threads: 0 });
  expect(new Set(usual.map(({ name }) => name))).toEqual(new Set(cases.map(({ name }) => name)));
  const plainLoops = usual.filter(
    ({ subject }) => wordsOf(subject).startsWith('tfjs/cpu') && subject.engine === 'tfjs',
  );
  expect(Math.max(...plainLoops.filter(({ name }) => name !== 'augment').map(({ batch }) => batch))).toBe(16);
});

test('with a GPU its engine and PyTorch stand beside the processor, each where it can do the case', () => {
  const all = plan(cases, { full: true, threads: 1, device: 'cuda' });
  const on = (name: string) => new Set(all.filter(one => one.name === name).map(({ subject }) => wordsOf(subject)));
  const engines = ['native f32', 'native bf16', 'cuda f32', 'cuda bf16'];
  const torch = ['torch/eager bf16', 'torch/compile bf16'];
  for (const name of ['train-step', 'score']) expect(on(name)).toEqual(new Set([...engines, ...torch]));
  for (const name of ['score-files', 'loss-clr', 'loss-anomclr', 'loss-anomclr+', 'loss-ntxent'])
    expect(on(name)).toEqual(new Set(engines));
  for (const name of ['score-one', 'augment']) expect(on(name)).toEqual(new Set(['native f32', 'cuda f32']));
  for (const name of ['attention', 'dense', 'adam'])
    expect([...on(name)].filter(words => !words.startsWith('native'))).toEqual([]);
  // a peer is asked for what it is compared with
  for (const { name, model } of all.filter(one => one.subject.engine === 'torch')) {
    const asked = cases.find(one => one.name === name && one.model === model)?.torch ?? [];
    expect(asked.slice(0, 2)).toEqual(['--task', name === 'score' ? 'score' : 'train']);
    if (name === 'train-step') expect(model).toContain(`, ${asked[3]},`);
  }
});
