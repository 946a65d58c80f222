import { scan } from '../../src/scan/scan.js';
import { searches } from '../../src/scan/studies/searches.js';
import type { SampleOverlaps } from '../../src/scan/studies/searches-overlap.js';
import type { Interval } from '../../src/evaluate/intervals.js';
import type { EntryFigures } from '../../src/scan/entries.js';
import { temporaryFolder } from '../read/craft.js';
import { sample } from '../support/cli.js';
import { here, requestOf } from './trials.js';

const at = temporaryFolder();

test('plain searches beside the run, and what they select in common', async () => {
  const { start } = here(searches);
  const request = requestOf({ study: 'searches', test: [sample('hToTauTau')] });
  const { json, text, failed } = await scan(searches, request, { out: at('searches'), jobs: 1, version: '1', start });
  expect(failed).toEqual([]);
  const figures = json['figures'] as EntryFigures[];
  const fitted = ['mahalanobis', 'neighbours', 'forest'];
  const names = figures.map(({ name }) => name);
  expect(names[0]).toBe(request.options.loss);
  for (const method of [
    'raw-autoencoder',
    'raw-autoencoder-log',
    'untrained-encoder',
    'leading-pt',
    'ht',
    'met',
    'multiplicity',
    ...fitted.flatMap(name => [`raw-${name}`, `raw-${name}-log`, `quantities-${name}`]),
  ])
    expect(names).toContain(method);
  expect(new Set(names).size).toBe(names.length);
  const aucs = figures.map(({ signals }) => signals['leptoquark']!.auc!.value);
  expect(new Set(aucs).size).toBe(aucs.length); // no two are the same by mistake

  // 5000 events of background bear 1e-2 and not 1e-3
  const overlaps = json['overlaps'] as SampleOverlaps[];
  expect(overlaps.map(({ sample, rate }) => [sample, rate])).toEqual([
    ['background', '1e-2'],
    ['leptoquark', '1e-2'],
  ]);
  const efficiencyOf = (name: string): number =>
    figures.find(one => one.name === name)!.signals['leptoquark']!.efficiency_at_fpr['1e-2']!.value;
  const [background, signal] = overlaps;
  expect(signal.searches.map(({ method }) => method)).toEqual(names.slice(1));
  const run = efficiencyOf(names[0]);
  const share = (of: Interval | null): number => of?.value ?? 0; // of no events
  for (const { method, ofRun, ofSearch, runAlone, searchAlone, only } of signal.searches) {
    const search = efficiencyOf(method);
    expect(runAlone!.value).toBeCloseTo(run * (1 - share(ofRun)), 10);
    expect(searchAlone!.value).toBeCloseTo(search * (1 - share(ofSearch)), 10);
    expect(run * share(ofRun)).toBeCloseTo(search * share(ofSearch), 10);
    expect(only!.value).toBeLessThanOrEqual(searchAlone!.value);
    expect(signal.runOnly!.value).toBeLessThanOrEqual(runAlone!.value);
  }
  for (const { ofRun, runAlone } of background.searches)
    expect(runAlone!.value).toBeCloseTo(0.01 * (1 - ofRun!.value), 10);
  expect(Math.max(...background.searches.map(({ ofRun }) => ofRun!.value))).toBeGreaterThan(0);
  expect(text).toContain('## What is selected of leptoquark at ε_b = 1e-2');
});
