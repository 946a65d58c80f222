import {
  compareWith,
  type Evaluation,
  evaluateMethods,
  evaluationSchema,
  figures,
} from '../../src/evaluate/evaluation.js';
import { formatEvaluation, formatFigure } from '../../src/evaluate/format.js';
import { generator, normal } from './random.js';

const random = generator(21);
const seed = (n: number, shift: number) => ({
  seed: n,
  background: normal(20_000, 0, random),
  signals: { Ato4l: normal(1000, shift, random), hToTauTau: normal(800, shift / 2, random) },
});
const evaluation = evaluateMethods({
  background: { events: 20_000 },
  methods: { 'anomclr+': [seed(1, 2), seed(2, 2.1), seed(3, 2.2)], ht: [seed(0, 1)] },
});

test('the JSON keeps to the contract, and reads back', () => {
  expect(evaluationSchema.parse(JSON.parse(JSON.stringify(evaluation)))).toEqual(evaluation);
  expect(evaluation.background).toEqual({ events: 20_000 });
  expect(evaluation.methods['anomclr+'].seeds).toEqual([1, 2, 3]);
  const figuresOf = evaluation.methods['ht'].signals['Ato4l'];
  expect(Object.keys(figuresOf)).toEqual(['events', 'auc', 'rejection_at_eff_0.3', 'efficiency_at_fpr', 'sic_at_fpr']);
  expect(Object.keys(figuresOf.efficiency_at_fpr)).toEqual(['1e-2', '1e-3', '1e-4', '1e-5']);
  expect(figuresOf.events).toBe(1000);
  expect(figuresOf.efficiency_at_fpr['1e-5']).toBeNull();
  expect(Object.keys(figuresOf.auc!)).toEqual(['value', 'low', 'high']);
  expect(figuresOf.auc!.value).toBeCloseTo(0.76, 1);
  expect(evaluation.methods['anomclr+'].signals['Ato4l'].auc!.spread).toBeGreaterThan(0);
});

test('errors name method, signal, seed', () => {
  const run = (methods: Parameters<typeof evaluateMethods>[0]['methods']) =>
    evaluateMethods({ background: { events: 2 }, methods });
  const b = Float32Array.of(1, 2);
  expect(() => run({ ht: [] })).toThrow(/method ht: no scores/);
  expect(() => run({ ht: [{ seed: 4, background: Float32Array.of(1), signals: {} }] })).toThrow(
    /ht, seed 4: 1 background scores for 2/,
  );
  expect(() => run({ ht: [{ seed: 4, background: b, signals: { A: Float32Array.of(NaN) } }] })).toThrow(
    /ht, A scores: event 0/,
  );
  const seeds = [b, Float32Array.of(1)].map((A, k) => ({ seed: k, background: b, signals: { A } }));
  expect(() => run({ ae: seeds })).toThrow(/method ae, signal A: seed 1 scored 1 events, seed 0 2/);
});

test('comparison: who is ahead, and where the intervals part', () => {
  const list = compareWith(evaluation, 'anomclr+', ['ht']);
  // AUC, two rates and rejection on two signals; 1e-4 and 1e-5 are null on 20,000 events.
  expect(list).toHaveLength(8);
  expect(list.every(c => c.better)).toBe(true);
  const auc = list.find(c => c.signal === 'Ato4l' && c.figure === 'AUC')!;
  expect(auc.value).toBe(evaluation.methods['anomclr+'].signals['Ato4l'].auc!.value);
  expect(auc.otherValue).toBe(evaluation.methods['ht'].signals['Ato4l'].auc!.value);
  expect(auc.clear).toBe(true);
  expect(compareWith(evaluation, 'ht', ['anomclr+']).some(c => c.better)).toBe(false);
  expect(compareWith(evaluation, 'ht', ['ht']).every(c => !c.better && !c.clear)).toBe(true);
  expect(() => compareWith(evaluation, 'met', ['ht'])).toThrow(/no method met.*anomclr\+, ht/);
});

test('a signal that one method lacks is left out of comparison and table', () => {
  const { Ato4l } = evaluation.methods['ht'].signals;
  const partial: Evaluation = {
    ...evaluation,
    methods: { ...evaluation.methods, ht: { seeds: [0], signals: { Ato4l } } },
  };
  expect(new Set(compareWith(partial, 'anomclr+', ['ht']).map(c => c.signal))).toEqual(new Set(['Ato4l']));
  expect(formatEvaluation(partial).match(/^ {2}ht/gm)).toHaveLength(1);
});

test('the text table', () => {
  const text = formatEvaluation(evaluation);
  const lines = text.split('\n');
  expect(lines[0]).toMatch(/background 20000 events/);
  expect(text).toContain('Ato4l (1000 events)');
  const { value, half } = formatFigure(evaluation.methods['ht'].signals['hToTauTau'].auc!);
  expect(lines.some(l => l.includes('ht') && l.includes(`${value} ± ${half}`))).toBe(true);
  expect(text).toContain('anomclr+ (3 seeds)');
  const table = lines.slice(3, 6);
  expect(new Set(table.map(l => l.length)).size).toBe(1);
  expect(formatEvaluation(evaluation, figures)).toMatch(/ht .* - {3,}.* - /);
  expect(text).not.toMatch(/NaN|undefined|Infinity/);
});

test('figures round to two digits of half the interval', () => {
  expect(formatFigure({ value: 0.94217, low: 0.9401, high: 0.9443 })).toEqual({
    value: '0.9422',
    low: '0.9401',
    high: '0.9443',
    half: '0.0021',
  });
  expect(formatFigure({ value: 1523.4, low: 1300, high: 1800 }).value).toBe('1523');
  expect(formatFigure({ value: 0.5, low: 0.5, high: 0.5 }).half).toBe('0.0000');
});
