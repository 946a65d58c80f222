import { presets } from '../../src/config/recipe.js';
import { studyNames } from '../../src/config/options-scan.js';
import { planOf } from '../../src/scan/plan.js';
import { loadStudy } from '../../src/scan/studies/index.js';
import { requestOf } from './trials.js';

const optionsOf = async (name: string, request = requestOf()) =>
  (await (await loadStudy(name)).variants(request)).map(variant => ({
    ...variant,
    options: { ...request.options, ...variant.options },
  }));

test.each(studyNames)('%s: every variant can be trained, and the name is that of its files', async name => {
  const study = await loadStudy(name);
  expect(study.name).toBe(name);
  expect(study.seeds).toBeGreaterThan(0);
  const request = requestOf({ seeds: [1, 2] });
  const { variants, trials } = await planOf(study, request, 'out', '1');
  expect(trials).toHaveLength(2 * variants.length);
  expect(new Set(trials.map(({ key }) => key)).size).toBe(trials.length);
  for (const { options } of trials) expect(options).toMatchObject({ epochs: 1, seeds: 1, ranks: 'off' });
});

test('comparison: the losses, with comparators once', async () => {
  const published = await optionsOf('comparison', requestOf({ train: { detector: 'autoencoder' } }));
  expect(published.map(({ options }) => [options.loss, options.comparators])).toEqual([
    ['clr', false],
    ['anomclr', false],
    ['anomclr+', true],
  ]);
  // and the options as they are, where their detector is another
  const combined = await optionsOf('comparison', requestOf({ train: { detector: 'combined', loss: 'clr' } }));
  expect(combined.map(({ options }) => [options.loss, options.detector])).toEqual([
    ['clr', 'autoencoder'],
    ['anomclr', 'autoencoder'],
    ['anomclr+', 'autoencoder'],
    ['clr', 'combined'],
  ]);
  const without = await optionsOf('comparison', requestOf({ train: { comparators: false } }));
  expect(without.some(({ options }) => options.comparators)).toBe(false);
});

test('augmentations: each alone, all but one, all, of the recipe in use', async () => {
  const scenarios = async (...request: Parameters<typeof requestOf>) =>
    (await optionsOf('augmentations', requestOf(...request))).map(({ name, options: { recipe } }) => [
      name,
      typeof recipe === 'string' ? recipe : recipe.anomalous.map(one => one.name),
    ]);
  const all = presets['paper'].anomalous.map(({ name }) => name);
  if (presets['default'].anomalous.length === 1)
    expect(await scenarios()).toEqual([
      ['all', all],
      ...all.map(one => [`only ${one}`, [one]]),
      ...all.map(one => [`without ${one}`, all.filter(other => other !== one)]),
    ]);
  const [a, b] = presets['broad'].anomalous;
  const recipe = { ...presets['broad'], anomalous: [a, b] };
  expect(await scenarios({ train: { recipe }, given: ['recipe'] })).toEqual([
    ['all', [a.name, b.name]],
    [`only ${a.name}`, [a.name]],
    [`only ${b.name}`, [b.name]],
  ]);
  // a default recipe that has several scenarios is taken
  expect((await scenarios({ train: { recipe } })).map(([name]) => name)).toEqual([
    'all',
    `only ${a.name}`,
    `only ${b.name}`,
  ]);
});

test('dimension: sizes of the head, then of the encoder, whose proportions stay', async () => {
  const variants = await optionsOf(
    'dimension',
    requestOf({ train: { width: 48, feedForward: 96, heads: 6, bottleneck: 10, representation: 'pool' } as const }),
  );
  const of = (name: string) => {
    const { options, x } = variants.find(one => one.name === name) ?? variants[0];
    const { output, width, feedForward, heads, representation, bottleneck } = options;
    return { x, output, width, feedForward, heads, representation, bottleneck };
  };
  expect(variants.map(({ x }) => x)).toEqual([8, 16, 32, 64, 128, 256, 512, 16, 32, 64, 128, 256]);
  expect(of('output-8')).toEqual({
    x: 8,
    output: 8,
    width: 48,
    feedForward: 96,
    heads: 6,
    representation: 'last',
    bottleneck: 4,
  });
  expect(of('width-128')).toEqual({
    x: 128,
    output: 8,
    width: 128,
    feedForward: 256,
    heads: 4,
    representation: 'pool',
    bottleneck: 10,
  });
  const headless = await optionsOf('dimension', requestOf({ train: { headLayers: 0 } }));
  expect(headless.map(({ name }) => name)).toEqual([16, 32, 64, 128, 256].map(width => `width-${width}`));
});
