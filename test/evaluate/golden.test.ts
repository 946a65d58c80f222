import { readFileSync } from 'node:fs';
import { auc, deLongError, hanleyMcNeilError } from '../../src/evaluate/auc.js';
import { bootstrap, bootstrapError, draws } from '../../src/evaluate/bootstrap.js';
import { efficiencyAtFpr, rejectionAtEfficiency, roc, type Roc } from '../../src/evaluate/roc.js';
import { maximumSic, sicAtFpr, sicPerVertex } from '../../src/evaluate/sic.js';
import { readSafetensors } from '../../src/model/safetensors.js';
import { goldenPath } from '../support/golden.js';
import { generator } from './random.js';

// The whole reference set where it is at hand, else the copy in this repository, which leaves out the case `large`.
const json = JSON.parse(readFileSync(goldenPath('metrics/cases.json')!, 'utf8'), (_, v) =>
  v === 'inf' ? Infinity : v === '-inf' ? -Infinity : v === 'nan' ? NaN : v,
);
const { tensors } = await readSafetensors(goldenPath('metrics/cases.safetensors')!);
const numbers = (name: string): number[] => Array.from(tensors.get(name)!.data as Float64Array);
const cases = Object.keys(json).filter(name => !name.startsWith('_'));
const has = (name: string) => tensors.has(`${name}/score`);

/** Scores of one class; label 1 is signal. */
function scoresOf(name: string, label: number): Float64Array {
  const labels = numbers(`${name}/label`);
  return Float64Array.from(numbers(`${name}/score`).filter((_, i) => labels[i] === label));
}

const near = (got: number | null | undefined, want: number | null) => {
  if (want === null || !Number.isFinite(want)) expect(got).toBe(want);
  else expect(Math.abs(got! - want)).toBeLessThanOrEqual(1e-10 * Math.max(1, Math.abs(want)));
};

for (const name of cases.filter(n => !has(n)))
  test.skip(`${name}: not in the copy in this repository; set ANOMALYCLR_SHARED to the folder that has golden/`, () => {});

describe.each(cases.filter(has))('%s', name => {
  const want = json[name];
  let curve: Roc;
  beforeAll(() => {
    curve = roc(scoresOf(name, 0), scoresOf(name, 1));
  });

  test('vertices', () => {
    expect(curve.fp.length).toBe(want.n_vertices);
    const at = numbers(`${name}/vertex_index`);
    expect(at.map(i => curve.fp[i])).toEqual(numbers(`${name}/fp`));
    expect(at.map(i => curve.tp[i])).toEqual(numbers(`${name}/tp`));
    expect(at.map(i => curve.threshold[i] + 0)).toEqual(numbers(`${name}/threshold`).map(t => t + 0));
  });

  test('AUC and its errors', () => {
    near(auc(curve), want.auc);
    near(deLongError(curve), want.delong_std);
    near(hanleyMcNeilError(auc(curve), curve.background, curve.signal), want.hanley_mcneil_std);
  });

  test('efficiency and SIC at background rates', () => {
    expect(Object.keys(want.tpr_at_fpr)).toHaveLength(4);
    for (const [rate, w] of Object.entries<any>(want.tpr_at_fpr)) {
      const got = efficiencyAtFpr(curve, Number(rate));
      near(got.tpr, w.step);
      near(got.linear, w.linear);
      near(got.fpr, w.fpr_used);
      expect(got.fp).toBe(w.background_passing);
      near(got.threshold, w.threshold);
      near(sicAtFpr(curve, Number(rate)), want.sic_at_fpr[rate]);
    }
  });

  test('SIC per vertex and its maximum', () => {
    const sic = sicPerVertex(curve);
    const expected = numbers(`${name}/sic`);
    numbers(`${name}/vertex_index`).forEach((vertex, k) => near(sic[vertex], expected[k]));
    for (const [key, least] of [
      ['sic_max', 1],
      ['sic_max_at_least_10_background', 10],
    ] as const) {
      const [got, w] = [maximumSic(curve, least), want[key]];
      if (w === null) {
        expect(got).toBeNull();
        continue;
      }
      near(got!.sic, w.sic);
      near(got!.fpr, w.fpr);
      near(got!.tpr, w.tpr);
      near(got!.threshold, w.threshold);
      expect(got!.fp).toBe(w.background_passing);
    }
  });

  test('rejection at efficiency 0.3', () => {
    const [got, w] = [rejectionAtEfficiency(curve, 0.3), want['rejection_at_tpr_0.3']];
    near(got.rejection, w.step);
    near(got.linear, w.linear);
    near(got.fpr, w.fpr_step);
    near(1 / got.linear, w.fpr_linear);
    near(got.tpr, w.tpr_used);
    near(got.threshold, w.threshold);
  });
});

test('bootstrap with given indices', () => {
  const want = json._bootstrap.exact;
  const rows = (which: string) => {
    const { shape, data } = tensors.get(`bootstrap_exact/${which}_index`)!;
    return Array.from({ length: shape[0] }, (_, r) => (data as Int32Array).slice(r * shape[1], (r + 1) * shape[1]));
  };
  const signal = rows('signal');
  const given = rows('background').map((background, r) => ({ background, signal: signal[r] }));
  // The indices count through both classes together.
  const scores = Float64Array.from(numbers(`${want.case}/score`));
  const values = bootstrap(scores, scores, auc, given);
  expect(values).toHaveLength(want.replicas);
  values.forEach((v, r) => near(v, want.auc[r]));
  const error = bootstrapError(values);
  near(error.std, want.std);
  near(error.p16, want.p16);
  near(error.p84, want.p84);
});

test.each([
  ['auc', auc],
  ['tpr_at_0.01', (c: Roc) => efficiencyAtFpr(c, 0.01).tpr],
  ['fpr_at_tpr_0.3', (c: Roc) => rejectionAtEfficiency(c, 0.3).fpr],
  ['sic_max_at_least_10_background', (c: Roc) => maximumSic(c, 10)!.sic],
] as const)('bootstrap of %s agrees with 4000 reference replicas', (figure, of) => {
  const replicas = 300;
  const want = json._bootstrap.statistical.medium_rounded[figure];
  const [b, s] = [scoresOf('medium_rounded', 0), scoresOf('medium_rounded', 1)];
  const got = bootstrapError(bootstrap(b, s, of, draws(b.length, s.length, replicas, generator(5))));
  // Four standard errors: of the mean, and of a standard deviation from as many and 4000 replicas.
  expect(Math.abs(got.mean - want.mean)).toBeLessThan(4 * want.std * Math.sqrt(1 / replicas + 1 / 4000));
  expect(Math.abs(got.std / want.std - 1)).toBeLessThan(
    4 * Math.hypot(1 / Math.sqrt(2 * replicas), want.rel_error_of_std),
  );
});
