import { cpSync, rmSync } from 'node:fs';
import { parseOptions } from '../../../../src/config/parse.js';
import { entryFiguresSchema } from '../../../../src/scan/study-file.js';
import type { Plan } from '../../../../src/scan/plan.js';
import { isDone, Results } from '../../../../src/scan/results.js';
import type { StudyRequest } from '../../../../src/scan/study.js';
import { comparison } from '../../../../src/scan/studies/comparison.js';
import { basePath, readBase } from '../bases.js';
import { changed, Choices } from '../choices.js';
import { demand, nothingLeft, scratch, scratchFile, tried } from '../oracle.js';

const folder = scratch('trial');
scratchFile('trial', '');
rmSync(folder);
cpSync(basePath('trial'), folder, { recursive: true });

const options = parseOptions('train', { background: ['background.h5'], out: 'run' });
const request: StudyRequest = {
  study: 'comparison',
  background: ['background.h5'],
  test: ['test.h5'],
  signals: [{ name: 'signal', file: 'signal.h5' }],
  shifted: [],
  seeds: [1],
  options,
  given: [],
};
const variant = { name: 'anomclr+', options: {} };
const plan: Plan = {
  variants: [variant],
  samples: [
    { label: 'background', files: ['test.h5'], role: 'background' },
    { label: 'signal', files: ['signal.h5'], role: 'signal' },
  ],
  trials: [{ variant, seed: 1, options, key: '0'.repeat(64), folder }],
};
const names = ['trial.json', 'manifest.json', 'scores-0-0-1.f32', 'scores-1-1-1.f32'];

/** A finished trial of a study with one file changed. Byte 0: which; with bit 7 the whole file follows. */
export async function fuzz(data: Buffer): Promise<void> {
  const choices = new Choices(data);
  const kind = choices.byte();
  const place = `trial/${names[(kind & 127) % names.length]}`;
  const base = readBase(place);
  scratchFile(place, kind & 128 ? choices.rest() : changed(base, choices));
  await tried(present, folder, 'scores');
  scratchFile(place, base);
  nothingLeft();
}

/** What a study makes of its trials; one that is not whole is made anew. */
async function present(): Promise<void> {
  const results = await Results.open(request, plan);
  demand(results.trials.length === ((await isDone(plan.trials[0])) ? 1 : 0), 'trials that are not there');
  if (results.trials.length === 0) return;
  const { json, tables } = await comparison.present(results);
  for (const one of json['figures'] as unknown[]) demand(entryFiguresSchema.safeParse(one).success, 'odd figures');
  for (const { head, rows } of tables)
    demand(
      rows.every(row => row.length === head.length),
      'a table with holes',
    );
}
