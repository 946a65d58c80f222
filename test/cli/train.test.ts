import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { commands } from '../../src/cli/commands.js';
import { listOptions } from '../../src/config/parse.js';
import type { CommandName } from '../../src/config/schema.js';
import { domainSchema } from '../../src/events/domain.js';
import { loadEncoder } from '../../src/model/encoder-file.js';
import { loadDetector } from '../../src/score/detector-file.js';
import { temporaryFolder } from '../read/craft.js';
import { cli, sample, smallTraining } from '../support/cli.js';
import { anomalyclr } from './in-process.js';

const at = temporaryFolder();

test('a run leaves the files of its contract, whole, and nothing temporary', async () => {
  const out = at('run');
  const { code, stdout, stderr } = await cli([
    'train',
    ...smallTraining.filter(flag => flag !== '--quiet'),
    '--out',
    out,
  ]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(/reading .*background_train\.h5\n/);
  expect(stderr).toMatch(/encoder, seed 1: 3 epochs, 51 steps, \d+ events\/s\n/);
  expect(stderr).toContain(`its report is ${out}/report.html`);
  const files = ['autoencoder.safetensors', 'checkpoint', 'comparators', 'config.json', 'domain.json'];
  expect(readdirSync(out).toSorted()).toEqual(
    [...files, 'encoder.safetensors', 'metrics.jsonl', 'provenance.json', 'report.html'].toSorted(),
  );
  expect(readdirSync(path.join(out, 'comparators')).toSorted()).toEqual([
    'raw-autoencoder-log.safetensors',
    'raw-autoencoder.safetensors',
    'untrained-autoencoder.safetensors',
    'untrained-encoder.safetensors',
  ]);
  expect(readdirSync(path.join(out, 'checkpoint'))).toEqual(['encoder.safetensors']);

  const json = (name: string) => JSON.parse(readFileSync(path.join(out, name), 'utf8'));
  const config = json('config.json');
  for (const { name, default: standard } of listOptions('train'))
    if (standard !== undefined) expect(Object.keys(config)).toContain(name);
  expect(config).toMatchObject({ maxEvents: 1200, width: 16, loss: 'anomclr', recipe: { name: 'default' } });
  const domain = domainSchema.parse(json('domain.json'));
  expect(domain.events).toBe(1200);
  const encoder = await loadEncoder(path.join(out, 'encoder.safetensors'));
  expect(encoder.config).toMatchObject({ width: 16, layers: 2, ptScale: domain.ptScale });
  expect((await loadDetector(path.join(out, 'autoencoder.safetensors'))).preparation.inputs).toBe(16 + 10);
  expect(json('provenance.json')).toMatchObject({
    files: [{ file: sample('background_train'), events: 1200, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    skipped: 0,
    invariance: [
      { representation: 'pool', before: expect.any(Number), after: expect.any(Number) },
      { representation: 'last', before: expect.any(Number), after: expect.any(Number) },
    ],
  });
  expect(readFileSync(path.join(out, 'report.html'), 'utf8')).toMatch(/^<!doctype html>[^]*<\/html>\s*$/i);
});

test('config.json of a run is a configuration file', async () => {
  const file = at('again.json');
  const config = JSON.parse(readFileSync(path.join(at('run'), 'config.json'), 'utf8'));
  writeFileSync(file, JSON.stringify({ ...config, maxEvents: 64, epochs: 1, comparators: false }));
  const { code, stderr } = await anomalyclr('train', '--config', file, '--out', at('again'), '--quiet');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(existsSync(path.join(at('again'), 'comparators'))).toBe(false);
});

test.each(Object.keys(commands) as CommandName[])('%s --help tells of every option and exits 0', async name => {
  const { code, stdout, stderr } = await anomalyclr(name, '--help');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const { flag, takes, name: option, default: standard } of listOptions(name))
    if (takes === 'positional') expect(stdout).toContain(`[${option}...]`);
    else expect(stdout).toContain(standard === true ? `--no-${flag}` : `--${flag}`);
});

describe('wrong use and failures are one line with the right exit code', () => {
  const background = ['--background', sample('background_train')];
  beforeAll(() => {
    writeFileSync(at('unknown.yaml'), 'epochz: 3\n');
    writeFileSync(at('range.json'), '{"temperature": -1}');
    writeFileSync(at('text.h5'), 'not events');
    writeFileSync(at('file'), '');
  });
  test.each<[string, string[], number, RegExp]>([
    [
      'unknown key',
      ['--config', 'unknown.yaml'],
      2,
      /unknown\.yaml: unknown key "epochz"; the nearest valid name is "epochs"/,
    ],
    ['value out of range', ['--config', 'range.json'], 2, /range\.json: temperature: got -1, allowed: /],
    ['heads', ['--width', '10', '--heads', '4'], 2, /--heads: got 4, which does not divide the width 10/],
    [
      'representation',
      ['--representation', 'head5'],
      2,
      /--representation: got head5, but the head has headLayers = 4/,
    ],
    ['unknown recipe', ['--recipe', 'papr'], 2, /recipe "papr": no such preset; the nearest is "paper"/],
    ['missing background', ['--background', 'gone.h5'], 1, /gone\.h5: no such file/],
    ['no events', ['--background', 'text.h5'], 1, /text\.h5: is not HDF5, for all its suffix/],
    ['out is a file', ['--out', 'file'], 1, /file: .*not a folder/],
    ['out below a file', ['--out', 'file/run'], 1, /file\/run: .*not a folder/],
  ])('%s', async (_, args, code, message) => {
    const inside = args.map(arg => (/^(file|\w+\.\w+)/.test(arg) ? at(arg) : arg));
    const given = (flag: string) => args.includes(flag);
    const rest = [...(given('--background') ? [] : background), ...(given('--out') ? [] : ['--out', at('none')])];
    const got = await anomalyclr('train', ...inside, ...rest, '--max-events', '64', '--epochs', '1', '--quiet');
    expect({ code: got.code, stdout: got.stdout }).toEqual({ code, stdout: '' });
    expect(got.stderr).toMatch(/^anomalyclr: [^\n]*\n$/);
    expect(got.stderr).toMatch(message);
    expect(existsSync(at('none'))).toBe(false);
  });
});
