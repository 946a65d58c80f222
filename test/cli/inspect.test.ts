import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { DomainBuilder } from '../../src/events/domain.js';
import { take } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, writeBundle } from '../support/bundle.js';
import { sample } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
const background = sample('background_test');

beforeAll(async () => {
  const { batch } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 20_000 });
  const builder = new DomainBuilder();
  builder.add(batch);
  writeFileSync(at('domain.json'), JSON.stringify(builder.build()));
  const jetScale = batch.pt.map((pt, o) => (batch.kind[o] === Kind.jet ? 1.1 * pt : pt));
  const some = Array.from({ length: 5000 }, (_, e) => e);
  await writeEvents(at('scaled.h5'), [take({ ...batch, pt: jetScale }, some)]);
});

test('files against the domain of a run: a table each, the worst first', async () => {
  const { code, stdout, stderr } = await anomalyclr('inspect', background, at('scaled.h5'), '--model', at('.'));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [first, second] = stdout.split(/\n(?=\S*scaled\.h5:)/);
  expect(first).toMatch(/^\S+background_test\.h5: 50000 events, against 20000 of the training of /);
  expect(first).toMatch(/\d+ of 16 features stable/);
  expect(first).not.toMatch(/shifted|changed/);
  expect(second).toMatch(/^ {2}(shifted|changed): jet pT;/m);
  const lines = second.split('\n');
  const head = lines.findIndex(line => /^ +verdict +PSI/.test(line));
  expect(lines[head + 1]).toMatch(/^ {2}jet pT +(shifted|changed) +0\.\d{4} /);
  expect(Math.max(...lines.slice(head).map(line => line.length))).toBeLessThan(120);
});

test('the same as JSON and as a page', async () => {
  const args = ['inspect', at('scaled.h5'), '--model', at('.'), '--json', '--report', at('drift.html')];
  const { code, stdout } = await anomalyclr(...args);
  expect(code).toBe(0);
  const [comparison, ...more] = JSON.parse(stdout);
  expect(more).toEqual([]);
  expect(comparison).toMatchObject({ file: at('scaled.h5'), events: 5000, training: 20_000, skipped: 0, invalid: 0 });
  const moved = comparison.features.filter((one: any) => ['shifted', 'changed'].includes(one.verdict));
  expect(moved.map((one: any) => one.feature)).toEqual(['jet pT']);
  const page = readFileSync(at('drift.html'), 'utf8');
  expect(page).toContain(comparison.features[0].feature);
  expect(page.match(/<svg viewBox="0 0 440/g)).toHaveLength(16);
});

needsRuntime('the domain of a bundle is as good as that of a run', async () => {
  const { card } = await writeBundle(at('small.onnx'));
  const { code, stdout } = await anomalyclr('inspect', background, '--model', at('small.onnx'), '--json');
  expect(code).toBe(0);
  const [comparison] = JSON.parse(stdout);
  expect(comparison.training).toBe(card.domain.events);
  expect(comparison.features.filter((one: any) => ['shifted', 'changed'].includes(one.verdict))).toEqual([]);
});

test.each<[string, string[], number, RegExp]>([
  ['a report without a model', ['--report', 'x.html'], 2, /--report: .*--model/],
  ['a folder that is no run', ['--model', '@gone'], 1, /gone.*domain\.json.*no such file/],
  ['a file that is no bundle', ['--model', '@domain.json'], 1, /domain\.json: not an ONNX file/],
  ['a report that can not be written', ['--model', '@.', '--report', '@no/such/x.html'], 1, /x\.html: its folder/],
])('%s: one line', async (_, args, code, message) => {
  const given = args.map(arg => (arg.startsWith('@') ? at(arg.slice(1)) : arg));
  const got = await anomalyclr('inspect', background, ...given);
  expect({ code: got.code, stdout: got.stdout }).toEqual({ code, stdout: '' });
  expect(got.stderr).toMatch(/^anomalyclr: .*\n$/);
  expect(got.stderr).toMatch(message);
  expect(existsSync('x.html')).toBe(false);
});
