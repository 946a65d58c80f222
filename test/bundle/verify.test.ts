import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../src/addon.js';
import type { Card } from '../../src/bundle/card.js';
import { cardProblems, verifyBundle } from '../../src/bundle/verify.js';
import { temporaryFolder } from '../read/craft.js';
import { needsRuntime, runtimeInstalled, smallBundle, writeBundle } from '../support/bundle.js';
import { python, runPython } from '../support/python.js';

const at = temporaryFolder();
let card: Card;
beforeAll(async () => {
  if (!runtimeInstalled) return;
  ({ card } = await writeBundle(at('small.onnx')));
  await writeBundle(at('wrong.onnx'), { change: tampered(4, event => (event.score = event.score! * 1.01)) });
});

type Event = { -readonly [K in keyof Card['reference']['events'][number]]: Card['reference']['events'][number][K] };
/** A card with one reference event changed, counted from 1. */
const tampered = (nth: number, change: (event: Event) => unknown) => (whole: Card) => {
  change(whole.reference.events[nth - 1]);
  return whole;
};
const one = { threads: 1, sessions: 1, provider: 'cpu' } as const;

needsRuntime('a whole bundle passes, each event with its differences', async () => {
  const found = await verifyBundle(at('small.onnx'), one);
  expect(found).toMatchObject({ file: at('small.onnx'), passed: true, problems: [], provider: 'cpu' });
  expect(found.tolerance).toEqual(card.reference.tolerance);
  expect(found.events).toHaveLength(8);
  for (const [i, event] of found.events.entries()) {
    const { score, inDomain, objects } = card.reference.events[i];
    expect(event).toMatchObject({ event: i + 1, score, inDomain, objects: objects.length, passed: true });
    expect(event.scoreDifference).toBeLessThan(1e-4);
    expect(event.representationDifference).toBeLessThan(1e-5);
  }
});

needsRuntime.each<[string, (event: Event) => unknown, RegExp]>([
  ['score', e => (e.score = e.score! * 1.001), /^event 3: score [\d.]+, expected [\d.]+ \(alone\)$/],
  ['representation', e => (e.representation[5] += 1), /^event 3: representation off by 0\.\d+ of its largest number/],
  ['in_domain', e => (e.inDomain = !e.inDomain), /^event 3: in_domain true, expected false \(alone\)$/],
  ['distance', e => (e.distance += 0.1), /^event 3: domain_distance 0, expected 0\.1 \(alone\)$/],
  ['crossed', e => (e.crossed[4] = 2), /^event 3: crossed 0 for electron pt, expected 2 \(alone\)$/],
])('a tampered card fails: %s', async (_, change, problem) => {
  await writeBundle(at('tampered.onnx'), { change: tampered(3, change) });
  const { passed, problems, events } = await verifyBundle(at('tampered.onnx'), one);
  expect(passed).toBe(false);
  expect(problems).toEqual([expect.stringMatching(problem)]);
  expect(events.map(event => event.passed)).toEqual([true, true, false, true, true, true, true, true]);
});

needsRuntime('a card with a scale of scores has small ones compared on it', async () => {
  const off = (whole: Card, scale?: number): Card => {
    const { tolerance, events } = whole.reference;
    events[2].score! += 9 * tolerance.score;
    return { ...whole, reference: { ...whole.reference, ...(scale === undefined ? {} : { scoreScale: scale }) } };
  };
  for (const [scale, passed] of [[undefined, false], [10, true], [8, false]] as const) {
    await writeBundle(at('scaled.onnx'), { change: whole => off(whole, scale) });
    expect([scale, (await verifyBundle(at('scaled.onnx'), one)).passed]).toEqual([scale, passed]);
  } // prettier-ignore
});

needsRuntime('tampered weights fail, in score and representation', async () => {
  const [ours, theirs] = [await smallBundle(), await smallBundle({ seed: 8 })].map(({ bytes }) =>
    fromBinary(ModelProtoSchema, bytes),
  );
  writeFileSync(at('mixed.onnx'), toBinary(ModelProtoSchema, { ...theirs, metadataProps: ours.metadataProps }));
  const { passed, problems } = await verifyBundle(at('mixed.onnx'), one);
  expect(passed).toBe(false);
  expect(problems).toHaveLength(16);
  expect(problems[0]).toMatch(/^event 1: (score|representation) /);
});

needsRuntime('of the encoder alone there are representations to compare', async () => {
  await writeBundle(at('encoder.onnx'), { part: 'encoder' });
  const { passed, events } = await verifyBundle(at('encoder.onnx'), one);
  expect(passed).toBe(true);
  expect(events.map(({ score, scoreDifference }) => [score, scoreDifference])).toEqual(
    Array.from({ length: 8 }, () => [null, null]),
  );
});

test('what cannot be opened fails with its reason', async () => {
  writeFileSync(at('text.onnx'), 'text');
  expect(await verifyBundle(at('text.onnx'))).toEqual({
    file: at('text.onnx'),
    passed: false,
    problems: [expect.stringMatching(/text\.onnx: not an ONNX file/)],
    events: [],
  });
});

needsRuntime('a card that cannot be, though each value could', () => {
  expect(cardProblems(card)).toEqual([]);
  const bad = structuredClone(card) as any;
  bad.reference.events = [];
  bad.domain.kinds.jet.pt.quantiles[3] = 1e9;
  bad.domain.kinds.muon.multiplicity.min = 99;
  const threshold = (rate: string, value: number) => ({ rate, threshold: value });
  bad.calibration = { thresholds: [threshold('1e-3', 1), threshold('1e-2', 2)] };
  expect(cardProblems(bad)).toEqual([
    expect.stringMatching(/no reference events/),
    expect.stringMatching(/domain\.kinds\.muon\.multiplicity/),
    expect.stringMatching(/domain\.kinds\.jet\.pt: min, quantiles and max do not rise/),
    expect.stringMatching(/threshold for 1e-3 is below that for 1e-2/),
  ]);
});

const hasPython = python(['-c', 'import onnxruntime, onnx, numpy']) !== undefined;
if (!hasPython) console.log('no Python with onnxruntime, onnx and numpy here: tools/verify_bundle.py is not tested');

(hasPython && runtimeInstalled ? test : test.skip)('Python says the same', () => {
  const run = (file: string) => runPython([path.join(packageRoot(), 'tools', 'verify_bundle.py'), at(file)]);
  const good = run('small.onnx');
  expect(good.status).toBe(0);
  expect(good.stdout).toMatch(
    /^ok {2}.*small\.onnx: 8 of 8 reference events within their tolerance, on ONNX Runtime \d/,
  );
  const bad = run('wrong.onnx');
  expect(bad.status).toBe(1);
  expect(bad.stdout).toMatch(/^FAILED .* 7 of 8 reference events/);
  expect(bad.stdout).toMatch(/event 4: .*score [\d.]+, expected [\d.]+ \(alone\)/);
  expect(run('gone.onnx').status).toBe(1);
});
