import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { evaluationSchema } from '../../src/evaluate/evaluation.js';
import { inDomain, outsideOf } from '../../src/events/domain.js';
import { openEngine } from '../../src/engine/index.js';
import { readAll, writeEvents } from '../../src/read/index.js';
import { detectorConfig } from '../../src/score/detector.js';
import { readScores } from '../../src/score/read-scores.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled, writeBundle, type SmallBundle } from '../support/bundle.js';
import { cli, sample } from '../support/cli.js';
import { worst } from '../support/golden.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();
/** The command line in this process; `@name` is a file of the temporary folder. */
const run = (line: string) =>
  anomalyclr(...line.split(' ').map(arg => arg.replace(/@(.*)/, (_, name: string) => at(name))));

let small: SmallBundle;
beforeAll(async () => {
  if (!runtimeInstalled) return;
  small = await writeBundle(at('small.onnx'));
  await writeBundle(at('encoder.onnx'), { part: 'encoder' });
  writeFileSync(at('text.onnx'), 'text');
  for (const [name, maxEvents] of [
    ['leptoquark', 700],
    ['background_test', 900],
  ] as const)
    await writeEvents(at(`${name}.h5`), [(await readAll([sample(name)], { onBadEvent: 'fail', maxEvents })).batch]);
  await writeEvents(at('inside.h5'), [small.events]);
});

needsRuntime('score --model BUNDLE gives what the engine gives, and needs no addon', async () => {
  const args = ['score', '--model', at('small.onnx'), '--data', at('leptoquark.h5'), '--out', at('scores.h5')];
  const { code, stdout, stderr } = await cli(args, { ANOMALYCLR_NATIVE: 'skip' });
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(/^[^\n]*scores\.h5: 700 events, \d+ outside the training domain, \d+ events\/s\n$/);
  const { score, inDomain: flags } = await readScores(at('scores.h5'));
  const { batch } = await readAll([at('leptoquark.h5')], { onBadEvent: 'fail' });
  const { encoder, columns, detector, domain } = small.parts;
  const weights = Float32Array.from(encoder.weights);
  const model = (await openEngine()).scorer({
    ...detectorConfig(detector, 'f32'),
    encoder: { ...encoder.config, weights, from: columns[0], to: columns[1] },
  });
  expect(worst(score, await model.score(batch))).toBeLessThan(1e-5);
  expect(flags).toEqual(inDomain(domain, batch));
  model.dispose();
  expect((await run('score --model @small.onnx --data @leptoquark.h5 --out @pieces.csv --batch 99 --quiet')).code).toBe(
    0,
  );
  const pieces = await readScores(at('pieces.csv'));
  expect(worst(pieces.score, score)).toBeLessThan(1e-5);
  expect(pieces.inDomain).toEqual(flags);
});

needsRuntime('--out-of-domain nan and refuse', async () => {
  const nan = await run('score --model @small.onnx --data @leptoquark.h5 --out @nan.csv --out-of-domain nan');
  expect(nan.code).toBe(0);
  const { score, inDomain: flags } = await readScores(at('nan.csv'));
  expect(new Set(flags)).toEqual(new Set([0, 1]));
  expect(Array.from(score, Number.isNaN)).toEqual(Array.from(flags, flag => flag === 0));
  const outside = Array.from(flags).filter(flag => flag === 0).length;
  expect(nan.stderr).toContain(`700 events, ${outside} outside the training domain (score NaN), `);

  const refused = await run('score --model @small.onnx --data @leptoquark.h5 --out @no.csv --out-of-domain refuse');
  const { batch } = await readAll([at('leptoquark.h5')], { onBadEvent: 'fail' });
  const first = flags.indexOf(0);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/^anomalyclr: [^\n]+\n$/);
  expect(refused.stderr).toContain(
    `leptoquark.h5: event ${first} is outside the training domain: ${outsideOf(small.card.domain, batch, first).join('; ')}; `,
  );
  expect(existsSync(at('no.csv'))).toBe(false);
  expect((await run('score --model @small.onnx --data @inside.h5 --out @in.csv --out-of-domain refuse')).code).toBe(0);
});

needsRuntime('evaluate --model BUNDLE: the bundle beside the cuts, with a report of what there is', async () => {
  const line =
    'evaluate --model @small.onnx --background @background_test.h5 --signal LQ=@leptoquark.h5 --report @report.html --json';
  const { code, stdout, stderr } = await run(`${line} --quiet`);
  expect([code, stderr]).toEqual([0, '']);
  const figures = evaluationSchema.parse(JSON.parse(stdout));
  expect(Object.keys(figures.methods).toSorted()).toEqual(['anomclr+', 'ht', 'leading-pt', 'met', 'multiplicity']);
  expect(figures.background).toEqual({ events: 900 });
  expect(figures.methods['anomclr+'].seeds).toEqual([3]);
  expect(figures.methods['anomclr+'].signals['LQ'].events).toBe(700);
  const html = readFileSync(at('report.html'), 'utf8');
  expect(html).toMatch(/^<!doctype html>[^]*<\/html>\s*$/i);
  for (const text of ['LQ', 'anomclr+', 'multiplicity']) expect(html).toContain(text);
});

needsRuntime('verify: a table and exit code 0, or the faults and exit code 1', async () => {
  const good = await run('verify @small.onnx @encoder.onnx');
  expect([good.code, good.stderr]).toEqual([0, '']);
  const lines = good.stdout.split('\n');
  expect(lines.filter(text => text.startsWith('ok '))).toHaveLength(2);
  expect(lines[0]).toMatch(/^ok {2}.*small\.onnx: 8 of 8 reference events as the card has them \(.*\), on \w+$/);
  await writeBundle(at('wrong.onnx'), {
    change: card => {
      card.reference.events[1].score! *= 2;
      return card;
    },
  });
  const bad = await run('verify @wrong.onnx @small.onnx @text.onnx');
  expect(bad.code).toBe(1);
  expect(bad.stdout).toMatch(/^FAILED {2}.*wrong\.onnx: 7 of 8 reference events/);
  expect(bad.stdout).toMatch(/\n {2}event 2: score [\d.e-]+, expected [\d.e-]+ \(alone\)\nok .*small\.onnx/);
  expect(bad.stdout).toMatch(/\nFAILED {2}.*text\.onnx: not an ONNX file[^\n]*\n$/);
  const json = await run('verify @small.onnx @wrong.onnx --json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout).bundles).toMatchObject([
    { passed: true, problems: [] },
    { passed: false, problems: [expect.stringMatching(/^event 2: score /)], events: { 1: { passed: false } } },
  ]);
});

needsRuntime.each<[string, string, number, RegExp]>([
  [
    'an encoder has no score',
    'score --model @encoder.onnx --data @inside.h5 --out @x.h5',
    1,
    /encoder\.onnx: holds the encoder alone/,
  ],
  [
    'nor can it be evaluated',
    'evaluate --model @encoder.onnx --background @inside.h5 --signal a=@inside.h5',
    1,
    /holds the encoder alone/,
  ],
  [
    'a precision of its own',
    'score --model @small.onnx --data @inside.h5 --out @x.h5 --precision bf16',
    2,
    /--precision bf16: .*small\.onnx is a bundle/,
  ],
  ['not ONNX', 'score --model @text.onnx --data @inside.h5 --out @x.h5', 1, /text\.onnx: not an ONNX file/],
  ['no such bundle', 'score --model @gone.onnx --data @inside.h5 --out @x.h5', 1, /gone\.onnx: no such file/],
  [
    'no such policy',
    'score --model @small.onnx --data @inside.h5 --out @x.h5 --out-of-domain drop',
    2,
    /"drop", allowed: flag \| refuse \| nan/,
  ],
])('%s: one line', async (_, line, code, message) => {
  const got = await run(line);
  expect({ code: got.code, stdout: got.stdout }).toEqual({ code, stdout: '' });
  expect(got.stderr).toMatch(/^anomalyclr: [^\n]+\n$/);
  expect(got.stderr).toMatch(message);
  expect(existsSync(at('x.h5'))).toBe(false);
});
