import type { EntryFigures } from '../../src/scan/entries.js';
import { levelNames } from '../../src/scan/levels.js';
import { scan } from '../../src/scan/scan.js';
import { detectors, standardiser } from '../../src/scan/studies/detectors.js';
import { type EnsembleFigures, methodOf, presentDetectors } from '../../src/scan/studies/detectors-present.js';
import type { StudyResults } from '../../src/scan/study.js';
import type { TrialRecord } from '../../src/scan/trial.js';
import { generator, normal } from '../evaluate/random.js';
import { temporaryFolder } from '../read/craft.js';
import { here, requestOf } from './trials.js';

const at = temporaryFolder();

test('levels: the pooled vector, then the layers of the head', () => {
  expect(levelNames(0)).toEqual(['pool']);
  expect(levelNames(2)).toEqual(['pool', 'head1', 'head2']);
});

test('scores are made alike, in the same order', () => {
  const scores = Float32Array.of(1, 10, 100, 1000);
  const alike = standardiser(scores, true)(scores);
  const unit = Math.sqrt(1.25);
  [-1.5, -0.5, 0.5, 1.5].forEach((value, i) => expect(alike[i]).toBeCloseTo(value / unit, 5));
  const [none, more, endless] = standardiser(scores, true)(Float32Array.of(0, 1e-3, Infinity));
  expect(Number.isFinite(none)).toBe(true);
  expect(none).toBeLessThan(more);
  expect(endless).toBe(Infinity);
  expect(standardiser(Float32Array.of(2, 2), true)(Float32Array.of(2, 3))[0]).toBe(0);
  expect([...standardiser(Float32Array.of(-1, 3), false)(Float32Array.of(-3, 5))]).toEqual([-2, 2]);
});

/** Two seeds, two levels, two detectors, each blind by noise that some other has with the opposite sign. */
function blindResults(): StudyResults {
  const events = 1500;
  const noise = { background: normal(events, 0, generator(1)), sig: normal(events, 0, generator(2)) };
  const samples = ['background', 'sig'].map(label => ({
    label,
    files: [],
    role: label === 'sig' ? ('signal' as const) : ('background' as const),
    events,
  }));
  const trials = [1, 2].map(seed => ({ seed, variant: 'run' }) as TrialRecord);
  return {
    samples,
    signals: ['sig'],
    trialsOf: () => trials,
    methodsOf: () => ['pool-a', 'pool-b', 'head1-a', 'head1-b'],
    scores: async ({ seed }: TrialRecord, method: string, sample: 'background' | 'sig') => {
      // detector a is blind by what cancels between seeds, b by what cancels between levels
      const sign = method.endsWith('a') ? (seed === 1 ? 1 : -1) : method.startsWith('pool') ? 1 : -1;
      return noise[sample].map(value => 50 * sign * value + (sample === 'sig' ? 1 : 0));
    },
  } as Partial<StudyResults> as StudyResults;
}

test('ensembles are of scores, over levels, detectors and seeds', async () => {
  const { json, figure } = await presentDetectors(blindResults(), ['pool', 'head1'], ['a', 'b']);
  const figures = json['figures'] as EnsembleFigures[];
  const aucOf = (level: string, detector: string, overSeeds: boolean): number => {
    const found = figures.find(one => one.level === level && one.detector === detector && one.overSeeds === overSeeds);
    expect(found?.mean?.auc?.value).toBe(found?.signals['sig']?.auc?.value);
    return found!.signals['sig']!.auc!.value;
  };
  for (const level of ['pool', 'head1', 'all levels']) {
    expect(aucOf(level, 'a', false)).toBeLessThan(0.6);
    expect(aucOf(level, 'a', true)).toBe(1);
  }
  for (const level of ['pool', 'head1']) expect(aucOf(level, 'b', true)).toBeLessThan(0.6);
  expect(aucOf('all levels', 'b', false)).toBe(1);
  expect(aucOf('all levels', 'all detectors', false)).toBeLessThan(0.6);
  expect(aucOf('all levels', 'all detectors', true)).toBe(1);
  expect(figures).toHaveLength(3 * 3 * 2);
  expect(figure.panels).toHaveLength(6);
});

test.each(['pool', 'head1'] as const)('detectors on every level of a run that reads %s', async representation => {
  const { start } = here(detectors);
  const request = requestOf({
    study: 'detectors',
    train: { comparators: false, detector: 'autoencoder', sums: false, ratioEpochs: 1, representation },
  });
  const { json, text, failed } = await scan(detectors, request, {
    out: at(representation),
    jobs: 1,
    version: '1',
    start,
  });
  expect(failed).toEqual([]);
  const figures = json['figures'] as EnsembleFigures[];
  const [own] = json['run'] as EntryFigures[];
  const aucOf = ({ signals }: EntryFigures): number => signals['leptoquark']!.auc!.value;
  const single = figures.filter(({ method }) => !method.startsWith('mean'));
  expect(single.map(({ method }) => method).toSorted()).toEqual(
    ['pool', 'head1']
      .flatMap(level =>
        ['autoencoder', 'ratio', 'mahalanobis', 'mixture', 'neighbours'].map(name => methodOf(level, name)),
      )
      .toSorted(),
  );
  expect(new Set(single.map(aucOf)).size).toBe(single.length);
  // where train reads the representation, its own detector is had again
  expect(own.method).toBe(request.options.loss);
  expect(aucOf(single.find(({ method }) => method === methodOf(representation, 'autoencoder'))!)).toBeCloseTo(
    aucOf(own),
    3,
  );
  expect(Object.keys(json['best'] as object)).toEqual(['autoencoder', 'ratio', 'mahalanobis', 'neighbours', 'mixture']);
  expect(text).toContain('## AUC, mean over the signals');
});
