import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
} from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { cardSchema, type Card } from '../../src/bundle/card.js';
import { openBundle } from '../../src/bundle/open.js';
import { padEvents } from '../../src/bundle/pad.js';
import { readCard } from '../../src/bundle/read.js';
import { verifyBundle } from '../../src/bundle/verify.js';
import { parseOptions } from '../../src/config/parse.js';
import { openEngine } from '../../src/engine/index.js';
import { outsideOf } from '../../src/events/domain.js';
import { chooseReference } from '../../src/export/reference.js';
import { drawEvents } from '../../src/export/draw-events.js';
import { exportRun } from '../../src/export/export-run.js';
import { cardFileSchema } from '../../src/export/places.js';
import { readAll, sha256, writeEvents } from '../../src/read/index.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout } from '../../src/model/layout.js';
import { loadDetector, saveDetector } from '../../src/score/detector-file.js';
import { Scorer } from '../../src/score/scorer.js';
import { temporaryFolder } from '../read/craft.js';
import { anomalyclr } from '../cli/in-process.js';
import { needsRuntime, runtimeInstalled } from '../support/bundle.js';
import { cli, sample, smallTraining } from '../support/cli.js';
import { python } from '../support/python.js';

const at = temporaryFolder();
const model = at('run');
const training = at('secret-place/background.h5');
const test3000 = at('background_test.h5');
const given = (out: string, ...more: string[]) => ['export', '--model', model, '--out', at(out), '--quiet', ...more];
const withBackground = ['--background', test3000];

async function exported(out: string, ...more: string[]): Promise<{ card: Card; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await anomalyclr(...given(out, ...more));
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  return { card: await readCard(at(out)), stdout, stderr };
}

beforeAll(async () => {
  mkdirSync(at('secret-place'));
  for (const [name, file, maxEvents] of [
    ['background_train', training, 1200],
    ['background_test', test3000, 3000],
    ['leptoquark', at('leptoquark.h5'), 400],
  ] as const) {
    const { batch } = await readAll([sample(name)], { onBadEvent: 'fail', maxEvents });
    await writeEvents(file, [batch]);
  }
  const flags = smallTraining.map(flag => (flag === sample('background_train') ? training : flag));
  const { code, stderr } = await cli(['train', ...flags, '--seeds', '2', '--detector', 'autoencoder', '--out', model]);
  expect([code, stderr]).toEqual([0, '']);
});

needsRuntime('a bundle with its card inside and beside it, and what it says is so', async () => {
  const { card, stdout } = await exported('a.onnx', ...withBackground, '--input-rate', '40', '--licence', 'CC0');
  const bytes = readFileSync(at('a.onnx'));
  const beside = cardFileSchema.parse(JSON.parse(readFileSync(at('a.json'), 'utf8')));
  expect(beside).toEqual({
    bundle: 'a.onnx',
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    card,
  });
  expect(card).toMatchObject({
    name: 'anomalyclr',
    part: 'scorer',
    precision: 'f32',
    layout: 'packed',
    licence: 'CC0',
    representation: { name: 'pool', size: 26 },
    domain: JSON.parse(readFileSync(path.join(model, 'domain.json'), 'utf8')),
    training: {
      loss: 'anomclr',
      seed: 1,
      files: [{ file: 'background.h5', events: 1200, sha256: await sha256(training) }],
      options: { width: 16, background: ['background.h5'], recipe: { name: 'default' } },
    },
    calibration: {
      files: [{ file: 'background_test.h5', events: 3000, sha256: await sha256(test3000) }],
      heldBack: false,
      events: 3000,
      inputRate: 40,
    },
    precisionChange: null,
  });
  const [threshold, ...others] = card.calibration?.thresholds ?? [];
  expect(others).toEqual([]);
  expect(threshold).toMatchObject({ rate: '1e-2', calibration: { events: 1500, passed: 15 }, check: { events: 1500 } });
  expect(threshold.triggerRate?.value).toBeCloseTo((40 * threshold.check.passed) / 1500, 9);
  for (const text of ['a.onnx', 'a.md', 'a.json', '1e-2', 'no threshold for 1e-3', 'checked against the engine on'])
    expect(stdout).toContain(text);
  expect(readdirSync(at('')).filter(name => name.endsWith('.tmp'))).toEqual([]);

  // the thresholds on the scores of the bundle
  const { batch } = await readAll([test3000], { onBadEvent: 'fail' });
  const bundle = await openBundle(at('a.onnx'), { provider: 'cpu' });
  const padded = padEvents(batch);
  const { score, inDomain } = await bundle.run(padded.objects, padded.events, padded.slots);
  await bundle.dispose();
  const outside = inDomain.filter(flag => flag === 0).length;
  expect(outside).toBeGreaterThan(0);
  expect(card.nuisances.join()).toContain(`${outside} of the 3000 background events behind the thresholds lie outside`);
  const passing = score?.filter(s => s >= threshold.threshold).length;
  expect(passing).toBe(threshold.calibration.passed + threshold.check.passed);
});

needsRuntime('nothing of this machine is in any of the files', async () => {
  for (const name of ['a.onnx', 'a.json', 'a.md']) {
    const text = readFileSync(at(name), 'latin1');
    for (const place of ['secret-place', path.dirname(at('x')), path.basename(at('')), process.cwd()])
      expect([name, text.includes(place)]).toEqual([name, false]);
    expect(text).toContain('background.h5');
  }
});

needsRuntime('the Markdown has all that a stranger needs', async () => {
  const text = readFileSync(at('a.md'), 'utf8');
  const card = await readCard(at('a.onnx'));
  for (const [name, meaning] of Object.entries(card.signature)) expect(text).toContain(`| \`${name}\` | ${meaning}`);
  for (const { pt, eta } of Object.values(card.domain.kinds))
    for (const value of [pt?.max, eta?.min]) expect(text).toContain(` ${Number((value ?? 0).toPrecision(4))} |`);
  for (const note of [...card.nuisances, ...card.selection, ...card.citation]) expect(text).toContain(note);
  for (const part of ['smear_jets', 'sqrt(GeV)', 'add_spectrum', '`temperature` 0.1', 'CC0', 'arXiv:2301.04660'])
    expect(text).toContain(part);
  expect(text).toContain(String(Number(card.calibration?.thresholds[0].threshold.toPrecision(9))));
  expect(text).toMatch(/Trigger rates, from the other half, are for 40 kHz/);
  expect(text).toMatch(/- 1e-5: none\. .* give 2000000 background events in place of 3000/);
  expect(card.nuisances.join()).toMatch(/Only \d+ of 1200 training events have \d+ or more objects of kind jet/);
});

needsRuntime('the metadata says the first things in plain words', () => {
  const { metadataProps } = fromBinary(ModelProtoSchema, readFileSync(at('a.onnx')));
  const told = Object.fromEntries(metadataProps.map(({ key, value }) => [key, value]));
  expect(told['anomalyclr.about']).toMatch(/in_domain.*anomalyclr\.card/);
  expect(told['anomalyclr.objects']).toMatch(/pT \[GeV\]/);
  expect(told['anomalyclr.licence']).toBe('CC0');
  expect(told['anomalyclr.citation']).toContain('arXiv:2301.04660');
  for (const name of ['score', 'representation', 'in_domain', 'domain_distance', 'crossed', 'version'])
    expect(told[`anomalyclr.${name}`]).toBeTruthy();
});

const snippetRuns = runtimeInstalled && python(['-c', 'import numpy, onnxruntime']) !== undefined;
if (!snippetRuns) console.log('no Python with onnxruntime here: the snippet of the card is not run');
(snippetRuns ? test : test.skip)('the Python of the card runs as it stands and gives the reference score', async () => {
  const [, code] = /```python\n([^]*?)```/.exec(readFileSync(at('a.md'), 'utf8')) ?? [];
  const printed = python(['-c', `${code}\nprint(float(score[0]), bool(in_domain[0]))`], '', at(''));
  const [first] = (await readCard(at('a.onnx'))).reference.events;
  const [score, inside] = (printed ?? '').trim().split(' ');
  expect(Math.abs(Number(score) / (first.score ?? 0) - 1)).toBeLessThan(1e-4);
  expect(inside).toBe('True');
});

needsRuntime(
  'a detector of two members: the graph adds them up, the card says so, scores around 0 are verified',
  async () => {
    const combined = at('combined');
    cpSync(model, combined, { recursive: true });
    const detector = await loadDetector(path.join(model, 'autoencoder.safetensors'));
    const widths = [detector.preparation.outputs, 5, 1];
    const weights = initialWeights(perceptronLayout(widths), 3, 'f32');
    await saveDetector(path.join(combined, 'autoencoder.safetensors'), {
      ...detector,
      members: [
        { ...detector.members[0], standard: { mean: 0, deviation: 0.3 } },
        { kind: 'ratio', widths, activation: 'elu', weights, standard: { mean: 0, deviation: 0.4 } },
      ],
    });
    const config = JSON.parse(readFileSync(path.join(combined, 'config.json'), 'utf8')) as object;
    await writeFile(path.join(combined, 'config.json'), JSON.stringify({ ...config, detector: 'combined' }));
    const out = at('combined.onnx');
    const { code, stderr } = await anomalyclr(
      'export',
      '--model',
      combined,
      '--out',
      out,
      '--quiet',
      ...withBackground,
    );
    expect([code, stderr]).toEqual([0, '']);
    const card = await readCard(out);
    expect(card.reference.scoreScale).toBe(1);
    expect(card.signature['score']).toMatch(/logarithm of the mean squared error .* plus the log-likelihood ratio/);
    expect(readFileSync(at('combined.md'), 'utf8')).toMatch(/an autoencoder and a network for the likelihood ratio/);
    expect((await verifyBundle(out, { threads: 1, sessions: 1, provider: 'cpu' })).problems).toEqual([]);
    expect((await readCard(at('a.onnx'))).reference.scoreScale).toBeUndefined();
  },
);

needsRuntime('reference events: eight, spread, one out of order, one outside the domain', async () => {
  const { reference, domain } = await readCard(at('a.onnx'));
  expect(reference.tolerance.score).toBeGreaterThanOrEqual(5e-4);
  expect(reference.tolerance.score).toBeLessThan(1e-2);
  expect(reference.tolerance.representation).toBe(1e-5);
  expect(reference.events).toHaveLength(8);
  for (const { inDomain, distance, crossed } of reference.events) {
    expect(distance === 0).toBe(inDomain);
    expect(crossed.every(bits => bits === 0)).toBe(inDomain);
  }
  expect(reference.events.filter(({ inDomain }) => inDomain).length).toBeGreaterThan(3);
  expect(reference.events[7]).toMatchObject({ inDomain: false });
  expect(reference.events[7].crossed).toContain(2);
  const holes = reference.events[6].objects.map(([pt]) => pt === 0);
  expect(holes.slice(0, 3)).toEqual([true, false, true]);
  const scores = reference.events.map(({ score }) => score ?? NaN);
  expect(Math.min(...scores.slice(0, 7))).toBe(scores[0]);
  expect(Math.max(...scores.slice(0, 7))).toBe(scores[3]);
  const sizes = reference.events.map(({ objects }) => objects.length);
  expect(Math.max(...sizes) - Math.min(...sizes)).toBeGreaterThan(3);
  for (const { objects, score, representation } of reference.events)
    for (const value of [...objects.flat(), score ?? NaN, ...representation]) expect(Math.fround(value)).toBe(value);
  expect(domain.events).toBe(1200);
});

test('drawn events are drawn within the domain, on its boundaries and beyond', async () => {
  const scorer = await Scorer.open(model, await openEngine({ engine: 'native', threads: 1 }));
  const events = drawEvents(scorer.domain, 600, 1);
  const crossed = Array.from({ length: 600 }, (_, e) => outsideOf(scorer.domain, events, e).join('; '));
  for (const what of [/pT .* above/, /pT .* below/, /eta .* above/]) expect(crossed.some(c => what.test(c))).toBe(true);
  const { max } = scorer.domain.kinds.jet.pt ?? { max: NaN };
  expect(events.pt.some((pt, o) => pt === max && events.kind[o] === 4)).toBe(true);
  const inside = scorer.inDomain(events);
  expect(crossed.map(c => (c === '' ? 1 : 0))).toEqual([...inside]);
  expect(inside.filter(Boolean).length).toBeGreaterThan(300);
  expect(drawEvents(scorer.domain, 600, 1)).toEqual(events);
  expect(chooseReference(events, await scorer.score(events), scorer.domain)).toHaveLength(8);
  scorer.dispose();
});

const kinds = (['f32', 'f16', 'bf16', 'int8'] as const).flatMap(precision =>
  (['packed', 'padded'] as const).flatMap(layout =>
    (['scorer', 'encoder'] as const).map(part => [precision, layout, part] as const),
  ),
);
describe.each(kinds)('%s %s %s', (precision, layout, part) => {
  needsRuntime('is written, checked, and gives the scores of the engine within what it says', async () => {
    const out = `${precision}-${layout}-${part}.onnx`;
    const asked = ['--precision', precision, '--layout', layout, '--part', part, '--name', 'other'];
    const signal = ['--signal', `lq=${at('leptoquark.h5')}`];
    const { card, stdout } = await exported(out, ...asked, ...withBackground, ...signal);
    expect(card).toMatchObject({ precision, layout, part, name: 'other' });
    expect(cardSchema.parse(card)).toEqual(card);
    if (part === 'encoder') {
      expect([card.calibration, card.precisionChange]).toEqual([null, null]);
      expect(card.reference.events.every(({ score }) => score === null)).toBe(true);
      expect(Object.keys(card.signature)).not.toContain('score');
    } else if (precision === 'f32') expect(card.precisionChange).toBeNull();
    else {
      expect(card.precisionChange).toMatchObject({
        background: 3000,
        decisions: [{ rate: '1e-2', events: 3000 }],
        signals: [{ name: 'lq', events: 400, decisions: [{ rate: '1e-2', events: 400 }] }],
      });
      const { scoreChange, signals } = card.precisionChange!;
      expect(scoreChange.median).toBeGreaterThan(0);
      expect(scoreChange.largest).toBeGreaterThan(scoreChange.median);
      expect(Math.abs(signals[0].auc.here - signals[0].auc.f32)).toBeLessThan(0.05);
      expect(stdout).toContain(signals[0].auc.here.toFixed(5));
      expect(readFileSync(at(`${precision}-${layout}-${part}.md`), 'utf8')).toContain(
        `## Precision: what ${precision} changes`,
      );
    }
    const { batch } = await readAll([at('leptoquark.h5')], { onBadEvent: 'fail' });
    const scorer = await Scorer.open(model, await openEngine({ engine: 'native', threads: 2 }));
    const [wanted, inside] = [await scorer.embed(batch), scorer.inDomain(batch)];
    scorer.dispose();
    const bundle = await openBundle(at(out), { provider: 'cpu' });
    const { objects, events, slots } = padEvents(batch);
    const got = await bundle.run(objects, events, slots, { representation: true });
    await bundle.dispose();
    const worst = Math.max(...got.representation.map((x, i) => Math.abs(x - wanted[i])));
    const limit = { f32: 1e-5, f16: 2e-2, bf16: 2e-2, int8: 0.1 }[precision];
    expect(worst / Math.max(...wanted.map(Math.abs))).toBeLessThan(limit);
    expect([...got.inDomain]).toEqual([...inside]);
  });
});

needsRuntime('--json prints the card, and a further seed is exported from its own folder', async () => {
  const { card, stdout } = await exported('json.onnx', '--json');
  expect(JSON.parse(stdout)).toEqual(card);
  const told = await anomalyclr(...given('told.onnx').filter(flag => flag !== '--quiet'));
  expect(told.stderr).toMatch(/the bundle is of seed 1; those of further seeds are exported from their own folders/);
  const second = await exported('second.onnx', '--model', path.join(model, 'seed-2'));
  expect(second.card.training.seed).toBe(2);
});

needsRuntime('without --background the events that training held back are used, if they are as they were', async () => {
  const held = await exported('held.onnx');
  expect(held.card.calibration).toMatchObject({ heldBack: true, events: 120, thresholds: [] });
  expect(held.card.calibration?.missing[0].reason).toContain('0.6 of the 60 events');
  // they are read as the training read them, whatever the schema of files that are named now
  expect((await exported('other.onnx', '--schema', 'nanoaod')).card.calibration).toEqual(held.card.calibration);
  expect(held.card.nuisances.join()).toMatch(/The 120 events behind the thresholds are those that training held back/);
  const explicit = await exported('explicit.onnx', '--background', training);
  expect(explicit.stderr).toMatch(/background\.h5: the model was trained on it/);
  expect(explicit.card.nuisances.join()).toMatch(/set on files that the model was trained on \(background\.h5\)/);
  copyFileSync(training, at('kept.h5'));
  appendFileSync(training, 'x');
  const changed = await exported('changed.onnx');
  await rename(at('kept.h5'), training);
  expect(changed.stderr).toMatch(/^anomalyclr: warning: no thresholds: .*background\.h5 has changed since; .*\n$/);
  expect(changed.card.calibration).toMatchObject({ events: 0, files: [], thresholds: [] });
  expect(changed.card.calibration?.missing.map(({ rate }) => rate)).toEqual(['1e-2', '1e-3', '1e-4', '1e-5']);
  expect(changed.card.reference.events).toHaveLength(8);
  expect(readFileSync(at('changed.md'), 'utf8')).toMatch(
    /- 1e-2: none\. the training's file background\.h5 has changed/,
  );
});

needsRuntime('a Triton repository holds the very file', async () => {
  await exported('t.onnx', '--triton', at('triton'), '--name', 'tops');
  expect(readFileSync(at('triton/tops/1/model.onnx'))).toEqual(readFileSync(at('t.onnx')));
  expect(readFileSync(at('triton/tops/config.pbtxt'), 'utf8')).toMatch(/^name: "tops"$/m);
});

needsRuntime('asked to stop, it writes nothing', async () => {
  const options = parseOptions('export', { model, out: at('stopped.onnx'), background: [test3000] });
  const lent = await openEngine({ engine: 'native', threads: 2 });
  await expect(exportRun(options, lent, '0.0.0', { signal: AbortSignal.abort() })).rejects.toThrow(
    /stopped before the bundle was complete; nothing was written/,
  );
  expect(readdirSync(at('')).filter(name => name.startsWith('stopped'))).toEqual([]);
});

describe('wrong use and failures are one line, and nothing is written', () => {
  beforeAll(async () => {
    mkdirSync(at('folder.onnx'));
    mkdirSync(at('readonly'));
    chmodSync(at('readonly'), 0o555);
    await writeFile(at('package.json'), '{"name": "mine"}');
    await writeFile(at('notes.md'), '# Notes');
    await writeFile(at('text.h5'), 'no events');
  });
  const readOnly = process.getuid?.() === 0 ? [] : [['a read-only folder', 'readonly/x.onnx', [], 1, /no permission/]];
  test.each([
    ['another suffix', 'x.onn', [], 2, /--out: got .*x\.onn, allowed: a name that ends in \.onnx/],
    ['a folder', 'folder.onnx', [], 1, /folder\.onnx: is a folder/],
    ['no folder', 'no/x.onnx', [], 1, /its folder does not exist/],
    ['a card in the way of a file', 'package.onnx', [], 1, /package\.json: is there and is no card of a bundle/],
    ['Markdown in the way', 'notes.onnx', [], 1, /notes\.md: is there and is no card/],
    ['a name with a slash', 'x.onnx', ['--name', 'a/b'], 2, /--name: got a\/b, allowed/],
    ['no run', 'x.onnx', ['--model', 'nowhere'], 1, /nowhere: not a run/],
    ['no background', 'x.onnx', ['--background', 'gone.h5'], 1, /gone\.h5: no such file/],
    ['no events', 'x.onnx', ['--background', '@text.h5'], 1, /text\.h5: is not HDF5/],
    ['two signals of one name', 'x.onnx', ['--signal', 'a=b', 'a=c'], 2, /two files under one name|name of its own/],
    ['no signal file', 'x.onnx', ['--precision', 'bf16', '--signal', 'a=gone.h5'], 1, /gone\.h5: no such file/],
    ...readOnly,
  ] as [string, string, string[], number, RegExp][])('%s', async (_, out, more, code, message) => {
    const background = more.includes('--signal') && runtimeInstalled ? withBackground : [];
    const files = more.map(arg => arg.replace('@', `${at('')}/`));
    const got = await anomalyclr(...given(out, ...background, ...files));
    expect({ code: got.code, stdout: got.stdout }).toEqual({ code, stdout: '' });
    expect(got.stderr).toMatch(/^anomalyclr: [^\n]*\n$/);
    expect(got.stderr).toMatch(message);
    expect(existsSync(at('x.onnx'))).toBe(false);
    expect(existsSync(at('x.json'))).toBe(false);
    expect(readFileSync(at('package.json'), 'utf8')).toBe('{"name": "mine"}');
  });
});
