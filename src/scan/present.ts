import os from 'node:os';
import path from 'node:path';
import { writeAtomically } from '../files.js';
import { drawFigure } from '../report/draw-figure.js';
import type { Presentation, Study, StudyResults, StudyTable } from './study.js';
import type { StudyFile } from './study-file.js';

/** A trial that is not there. */
export interface FailedTrial {
  readonly variant: string;
  readonly seed: number;
  readonly message: string;
}

/** What a study came to. */
export interface StudyOutcome {
  readonly json: StudyFile;
  /** Markdown. */
  readonly text: string;
  readonly failed: readonly FailedTrial[];
}

/** Shows a study: `<name>.json`, `<name>.md` and `<name>.svg` in `out`. */
export async function present(
  study: Study,
  results: StudyResults,
  failed: readonly FailedTrial[],
  out: string,
  version: string,
): Promise<StudyOutcome> {
  const shown = await study.present(results);
  const json = jsonOf(study, results, failed, shown, out, version);
  const text = textOf(study, results, failed, shown, version);
  const place = (suffix: string): string => path.join(out, `${study.name}.${suffix}`);
  await writeAtomically(place('json'), `${JSON.stringify(json, null, 2)}\n`);
  await writeAtomically(place('md'), text);
  await writeAtomically(place('svg'), drawFigure(shown.figure));
  return { json, text, failed };
}

function jsonOf(
  study: Study,
  { request, variants, samples, trials }: StudyResults,
  failed: readonly FailedTrial[],
  { json }: Presentation,
  out: string,
  version: string,
): StudyFile {
  return {
    format: 'anomalyclr.study.1',
    study: study.name,
    title: study.title,
    version,
    machine: os.cpus()[0]?.model ?? os.arch(),
    date: new Date().toISOString(),
    settings: { background: request.background, ...request.options },
    seeds: [...request.seeds],
    variants: variants.map(({ name, x, options }) => ({ name, x: x ?? null, options: { ...options } })),
    samples: samples.map(({ label, role, files, events, through }) => ({
      label,
      role,
      files: [...files],
      events,
      ...(through ? { through: [...through] } : {}),
    })),
    trials: trials.map(({ folder, run, ...trial }) => ({
      variant: trial.variant,
      seed: trial.seed,
      folder: path.relative(out, folder),
      run: path.relative(out, run),
      machine: trial.machine,
      engine: trial.engine,
      date: trial.date,
      seconds: trial.seconds,
      cpuSeconds: trial.cpuSeconds,
      training: trial.training,
      peakMemoryMb: trial.peakMemoryMb,
    })),
    failed: [...failed],
    ...json,
  };
}

function textOf(
  study: Study,
  { request, samples }: StudyResults,
  failed: readonly FailedTrial[],
  { tables }: Presentation,
  version: string,
): string {
  const [background, ...others] = samples;
  const counted = others.map(({ label, events }) => `${label} ${events}`).join(', ');
  const blocks = [
    `# ${study.title}`,
    `anomalyclr ${version}, seeds ${request.seeds.join(', ')}; background ${background.events} events; ${counted}. ` +
      '± half the 95 % interval, s the standard deviation over seeds, - too few events.',
    ...failed.map(({ variant, seed, message }) => `**Missing:** ${variant}, seed ${seed}: ${message}`),
    ...tables.map(markdown),
  ];
  return `${blocks.join('\n\n')}\n`;
}

/** A table whose columns are aligned as text, too. */
function markdown({ title, head, rows, note }: StudyTable): string {
  const safe = (text: string): string => text.replaceAll('|', '\\|');
  const all = [head, ...rows].map(row => row.map(safe));
  const widths = head.map((_, c) => Math.max(3, ...all.map(row => row[c].length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, c) => (c === 0 ? text.padEnd(widths[c]) : text.padStart(widths[c]))).join(' | ')} |`;
  const rule = `| ${widths.map((w, c) => (c === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`)).join(' | ')} |`;
  const [first, ...rest] = all;
  const below = note === undefined ? '' : `\n\n${note}`;
  return `## ${title}\n\n${[line(first), rule, ...rest.map(line)].join('\n')}${below}`;
}
