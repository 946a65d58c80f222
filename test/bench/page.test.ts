import { writeBenchPage } from '../../bench/page.js';
import type { BenchCase, BenchReport } from '../../bench/report-types.js';

const machine: BenchReport['machine'] = {
  cpu: 'Made <Processor> & "more"',
  cores: 2,
  memory: 16 * 2 ** 30,
  node: '20.20.2',
  platform: 'linux x64',
  features: 'avx2 avx512f',
  tfjs: '4.22.0',
  tensorflow: '2.21.0',
  onnxruntime: '1.30.0',
  date: '2026-01-31T12:00:00.000Z',
  version: '0.1.0',
};

type Where = Pick<BenchCase, 'engine' | 'backend' | 'kernels' | 'precision'>;
const native: Where = { engine: 'native', backend: 'avx512', precision: 'f32' };
const bf16: Where = { ...native, precision: 'bf16' };
const tfjs = (backend: string, kernels: 'native' | 'pure'): Where => ({
  engine: 'tfjs',
  backend,
  kernels,
  precision: 'f32',
});
const onnx: Where = { engine: 'onnxruntime', backend: 'cpu', precision: 'f32' };

const published = 'width 160, 4 layers, anomclr, recipe peer';
const whitened = 'width 160, 4 layers, whitened, autoencoder';

function one(name: string, model: string, where: Where, batch: number, median: number): BenchCase {
  const p50 = (batch * 1e6) / median;
  const rates = { median, min: 0.8 * median, max: 1.1 * median, runs: 9, latency_us: { p50, p99: 1.5 * p50 } };
  return {
    name,
    model,
    ...where,
    batch,
    threads: /wasm|cpu/.test(where.backend) ? 1 : 2,
    ...(name === 'adam' ? { ops_per_s: rates } : { events_per_s: rates }),
    peak_rss_mb: 321,
    ...(where.engine === 'native' && name === 'train-step' ? { share_of_peak: 0.68 } : {}),
    checked: batch !== 65_536,
  };
}

/** As a whole run gives it: every kind of subject, at more or fewer batches. */
const cases: BenchCase[] = [
  ...[128, 512, 2048].flatMap(batch => [
    one('train-step', published, native, batch, 11_000 + batch),
    one('train-step', published, bf16, batch, 17_000 + batch),
    one('train-step', published, tfjs('node', 'native'), batch, 3400 + batch / 10),
    one('train-step', published, tfjs('node', 'pure'), batch, 1900 - batch / 2),
    one('train-step', published, tfjs('wasm', 'native'), batch, 260 + batch / 20),
    one('train-step', published, tfjs('wasm', 'pure'), batch, 33 + batch / 100),
  ]),
  one('train-step', published, tfjs('cpu', 'pure'), 128, 5.2),
  one('train-step', 'width 64, 3 layers, anomclr+, recipe default', native, 512, 66_000),
  one('train-step', 'width 64, 3 layers, anomclr+, recipe default', tfjs('wasm', 'pure'), 512, 220),
  ...[1, 64, 512, 4096].flatMap(batch => [
    one('score', whitened, native, batch, batch === 1 ? 16_000 : 45_000),
    one('score', whitened, tfjs('wasm', 'pure'), batch, 900 + batch / 4),
    one('score', whitened, onnx, batch, batch === 64 ? 5000 : 3600),
  ]),
  one('score-one', whitened, native, 1, 16_000),
  one('score-one', whitened, tfjs('node', 'pure'), 1, 160),
  one('score-one', whitened, onnx, 1, 2000),
  one('loss-anomclr', '160 numbers', native, 4096, 90_000),
  one('loss-anomclr', '160 numbers', native, 65_536, 9000),
  one('adam', 'width 160', native, 1, 12_000),
  one('adam', 'width 160', tfjs('node', 'pure'), 1, 400),
];
const whole: BenchReport = { machine, cases, notes: ['left out tfjs/node-gpu: no <GPU> here'] };
const only = (keep: (c: BenchCase) => boolean): string => writeBenchPage({ ...whole, cases: cases.filter(keep) });

/** What is read: text without tags, spaces as one. */
const textOf = (page: string): string =>
  page
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ');

test('the headline and the cards tell native over the best pure backend, where and when', () => {
  const text = textOf(writeBenchPage(whole));
  // 11512 over the 1644 of tfjs/node, at the batch nearest to 512
  expect(text).toMatch(/Native f32 training is 7 times as fast as the best pure TensorFlow\.js backend here \(node\):/);
  expect(text).toContain('11 500 against 1640 events/s at batch 512');
  expect(text).toContain('on Made &lt;Processor&gt; &amp; &quot;more&quot; on 2026-01-31 12:00 UTC');
  expect(text).toContain('7× training, native f32, over pure TensorFlow.js node, batch 512');
  expect(text).toContain('1.5× training, native bf16, over native f32, batch 512');
  expect(text).toContain('9× scoring, native f32, over ONNX Runtime, batch 64');
  expect(text).toContain('on the threads that the table of all measurements tells');
});

test('charts say in words what they show, tables hold every measurement', () => {
  const page = writeBenchPage(whole);
  expect(page).toMatch(
    /role="img" aria-label="train-step at batch 512, relative to pure TensorFlow\.js node: native bf16 /,
  );
  expect(page).toMatch(
    /aria-label="events\/s of train-step by batch: native f32 11\u202f100 at 128, 11\u202f500 at 512, /,
  );
  const table = page.slice(page.indexOf('aria-label="All measurements"'), page.indexOf('id="notes"'));
  expect(table.match(/<th scope="row">/g)).toHaveLength(cases.length);
  expect(table.match(/<th scope="rowgroup"/g)).toHaveLength(6);
  const rowOf = (where: RegExp): string => textOf(table.split('<tr').find(row => where.test(row))!);
  expect(rowOf(/tfjs\/wasm pure<\/th>\s*<td>512</)).toContain('512 1 38.1 30.5 … 41.9');
  expect(rowOf(/tfjs\/wasm pure<\/th>\s*<td>512</)).toMatch(/13\.4 s 20\.1 s 321 – 0\.023×/);
  expect(rowOf(/native f32<\/th>\s*<td>512</)).toMatch(/ 68 % 7× $/);
  expect(rowOf(/not checked/)).toContain('65 536');
  expect(textOf(page)).toContain('updates/s');
});

test('latency of one event, over that of the native engine', () => {
  const page = writeBenchPage(whole);
  const latency = textOf(page.slice(page.indexOf('id="latency"'), page.indexOf('id="cases"')));
  expect(latency).toMatch(
    /native f32 62\.5 µs 93\.8 µs 16 000 1× onnxruntime 500 µs 750 µs 2000 8× tfjs\/node pure 6\.25 ms/,
  );
});

test('one file: no script, nothing fetched, text escaped', () => {
  const page = writeBenchPage(whole);
  expect(page).not.toMatch(/<script|https?:|src=|@import|url\((?!#)|href="(?!#|data:,)/);
  expect(page).not.toMatch(/<Processor>|<GPU>|undefined|NaN|Infinity|\[object/);
  expect(page).toContain('no &lt;GPU&gt; here');
  const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [, target] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).toContain(target);
  expect(page).toMatch(/prefers-color-scheme:dark/);
  // colours are those of the page, which change with it (black is that of clip paths)
  expect(page).not.toMatch(/(?:fill|stroke)="#(?!000")/);
});

test('without TensorFlow.js there is nothing to compare with, and the page says so', () => {
  const page = only(({ engine }) => engine !== 'tfjs');
  const text = textOf(page);
  expect(text).toContain('Native f32 training: 11 500 events/s at batch 512');
  expect(text).toContain('No pure TensorFlow.js backend was measured');
  expect(text).not.toMatch(/times as fast/);
  expect(page).toContain('relative to native f32: native bf16 1.5×');
});

test('without tfjs-node the headline says that the strongest backend is missing', () => {
  const missing = 'tfjs-node, which is far faster than the others, was not among them';
  expect(textOf(writeBenchPage(whole))).not.toContain(missing);
  const text = textOf(only(({ backend }) => backend !== 'node'));
  expect(text).toContain(
    'Native f32 training is 300 times as fast as the best pure TensorFlow.js backend here (wasm):',
  );
  expect(text).toContain(missing);
});

test('without the native engine it does not say how much faster that is', () => {
  const page = only(({ engine }) => engine !== 'native');
  expect(textOf(page)).toContain('The native engine was not measured in training');
  expect(page).toContain('relative to pure TensorFlow.js node: TensorFlow.js node with native kernels');
  expect(page).not.toMatch(/undefined|NaN|Infinity/);
});

test('a single case, and none: the sections with nothing to show are left out', () => {
  const single = writeBenchPage({ machine, cases: [cases.at(-1)!], notes: [] });
  expect([...single.matchAll(/<section id="(\w+)"/g)].map(([, id]) => id)).toEqual(['summary', 'cases', 'machine']);
  expect(textOf(single)).toContain('tfjs/node pure 1 2 400 320 … 440');
  expect(textOf(only(({ engine }) => engine === 'native'))).toContain('at one batch, on 2 threads.');
  const { tensorflow: _, onnxruntime: __, ...bare } = machine;
  const none = writeBenchPage({ machine: bare, cases: [], notes: [] });
  expect([...none.matchAll(/<section id="(\w+)"/g)].map(([, id]) => id)).toEqual(['summary', 'machine']);
  expect(none).not.toMatch(/undefined|NaN|Infinity/);
});
