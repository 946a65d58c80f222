import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { packageRoot } from '../addon.js';
import { parseOptions } from '../config/parse.js';
import type { DemoOptions } from '../config/schema.js';
import { openEngine } from '../engine/index.js';
import { AnomalyClrError, Stopped, UsageError } from '../errors.js';
import { removeStaleTemporaries } from '../files.js';
import { run as evaluate } from './evaluate.js';
import { run as train } from './train.js';
import type { Context } from './commands.js';

const signals = ['Ato4l', 'leptoquark', 'hToTauTau', 'hChToTauNu'];

/** What `npm start` does: trains on the sample that comes with the package and evaluates on its signals. */
export async function run(options: DemoOptions, context: Context): Promise<void> {
  const sample = (name: string): string => path.relative('.', path.join(packageRoot(), 'sample', `${name}.h5`));
  const { out, quiet, threads, seed, engine: wanted, device, tfjsBackend, tfjsKernels, config: _, ...rest } = options;
  await clear(out);
  const { name: engine, notice } = await openEngine({ engine: wanted, device, tfjsBackend, tfjsKernels, threads });
  if (notice !== undefined) context.output.info(notice);
  const seeds = rest.seeds > 0 ? rest.seeds : engine === 'native' ? 3 : 1;
  const common = { quiet, threads: String(threads), engine, device, tfjsBackend, tfjsKernels };
  context.output.info(`training on ${sample('background_train')}, then looking for ${signals.join(', ')}`);
  await train(
    parseOptions('train', {
      background: [sample('background_train')],
      out,
      ranks: 'off',
      seed: String(seed),
      ...texts({ ...rest, seeds }),
      ...common,
    }),
    context,
  ).catch((error: unknown) => {
    throw error instanceof Stopped ? new AnomalyClrError('stopped; the same command begins anew') : error;
  });
  const json = path.join(out, 'evaluation.json');
  const report = path.join(out, 'report.html');
  await evaluate(
    parseOptions('evaluate', {
      model: out,
      background: [sample('background_test')],
      signal: signals.map(name => `${name}=${sample(name)}`),
      json,
      report,
      ...common,
    }),
    context,
  );
  context.output.result(`figures: ${json}\nreport:  ${path.resolve(report)}`);
}

/** A run of an earlier demo makes way; anything else stays. */
async function clear(folder: string): Promise<void> {
  await removeStaleTemporaries(folder); // one that was killed before its first file was whole
  if (!existsSync(folder) || (await readdir(folder)).length === 0) return;
  if (!existsSync(path.join(folder, 'config.json')))
    throw new UsageError(`${folder}: holds something that is not a run; name another --out`);
  await rm(folder, { recursive: true });
}

/** Options as flags give them. */
function texts(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name, typeof value === 'number' ? String(value) : value]),
  );
}
