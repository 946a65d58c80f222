import * as z from 'zod';
import { choicePositional, jsonOutput, optionalFiles, optionalNamedFiles, required, whole } from './option.js';
import { train } from './options-train.js';

/** The studies of `scan`, each with what it asks. A new one is a line here, a line in scan/studies/index.ts and its file. */
export const studySummaries = {
  comparison: 'detectors on raw data and on an untrained encoder against those on each learned representation',
  augmentations: 'each scenario of the recipe alone, all but one, and all',
  dimension: 'size of the representation, at the end of the head and before it',
  scenarios: '4 to 80 anomaly scenarios of the library at once: figures, time per step, memory',
  searches: 'whether plain searches would have seen the same events: cuts, forests, distances on plain features',
  detectors: 'detectors on every level of the representation, and ensembles of levels and seeds',
  uncertainties: 'shifted and faulty detectors: what they do to scores, and two cures',
} as const;

export type StudyName = keyof typeof studySummaries;
export const studyNames = Object.keys(studySummaries) as [StudyName, ...StudyName[]];

/** Options of `train` that are each trial's own, or mean something else here. */
type Own = 'background' | 'out' | 'resume' | 'ranks' | 'seeds' | 'threads';

function trainOptions(): Omit<typeof train.shape, Own> {
  const { background: _b, out: _o, resume: _r, ranks: _k, seeds: _s, threads: _t, ...rest } = train.shape;
  return rest;
}

export const scan = z.strictObject({
  study: choicePositional({
    group: 'Input and output',
    of: studyNames,
    help: Object.entries(studySummaries)
      .map(([name, asks]) => `${name}: ${asks}`)
      .join('; '),
  }),
  background: optionalFiles({
    group: 'Input and output',
    help: "event files of background to train on, globs, @lists; left out with --test and --signal it is the package's sample",
  }),
  test: optionalFiles({
    group: 'Input and output',
    help: 'event files of background to evaluate on, which nothing is trained on',
  }),
  signal: optionalNamedFiles({
    group: 'Input and output',
    help: 'event file of a signal under its name; repeat for more',
  }),
  shifted: optionalNamedFiles({
    group: 'Input and output',
    help: 'event file of the background as another detector sees it, under the name of the shift; for studies that ask for it',
  }),
  out: required({
    group: 'Input and output',
    argument: 'folder',
    help: 'folder for the trials, which are kept, and for STUDY.json, STUDY.md and STUDY.svg',
  }),
  json: jsonOutput({ group: 'Input and output', file: false, help: 'print the JSON in place of the table' }),
  seeds: whole({
    group: 'Optimisation',
    min: 0,
    max: 100,
    default: 0,
    help: 'trainings of each variant, with seeds counted up from --seed; 0 is as many as the study asks for',
  }),
  jobs: whole({ group: 'Machine', min: 0, max: 1024, default: 0, help: 'trials at once; 0 is one for each core' }),
  threads: whole({ group: 'Machine', min: 1, max: 1024, default: 1, help: 'threads of each trial' }),
  ...trainOptions(),
});
