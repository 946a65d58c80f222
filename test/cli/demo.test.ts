import { existsSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { evaluationSchema } from '../../src/evaluate/evaluation.js';
import { temporaryFolder } from '../read/craft.js';
import { cli } from '../support/cli.js';

const at = temporaryFolder();
const small = ['--max-events', '1000', '--epochs', '1', '--seeds', '1'];

test('the demo goes from sample to evaluation and report, and ends with where they are', async () => {
  const out = at('demo');
  const { code, stdout, stderr } = await cli(['demo', ...small, '--out', out]);
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^training on .*background_train\.h5, then looking for Ato4l/),
  ]);
  const evaluation = evaluationSchema.parse(JSON.parse(readFileSync(path.join(out, 'evaluation.json'), 'utf8')));
  expect(evaluation.background.events).toBe(50_000);
  expect(Object.keys(evaluation.methods['anomclr'].signals)).toEqual([
    'Ato4l',
    'leptoquark',
    'hToTauTau',
    'hChToTauNu',
  ]);
  const report = path.join(out, 'report.html');
  expect(readFileSync(report, 'utf8')).toContain('hChToTauNu');
  expect(stdout).toContain('anomclr');
  expect(stdout.trimEnd().split('\n').slice(-2)).toEqual([
    `figures: ${path.join(out, 'evaluation.json')}`,
    `report:  ${report}`,
  ]);
});

test('a folder that holds something else is left alone', async () => {
  mkdirSync(at('mine'));
  writeFileSync(at('mine/thesis.txt'), 'years');
  const { code, stdout, stderr } = await cli(['demo', ...small, '--out', at('mine')]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^anomalyclr: .*mine: holds something that is not a run; name another --out\n$/);
  expect(existsSync(at('mine/thesis.txt'))).toBe(true);
});
