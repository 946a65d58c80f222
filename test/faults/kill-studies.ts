import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { contents } from './kill-commands.js';
import { type Inputs, tinyTraining } from './kill-data.js';
import { isCheckpoint, runChecker, runContent } from './kill-trainings.js';
import { type Command, filesIn, isTemporary, type Kind } from './kills.js';

/** Three trials, two at once, each in a process of its own. */
export function studyArgs(
  { background, test, signal }: Pick<Inputs, 'background' | 'test' | 'signal'>,
  out: string,
): string[] {
  const study = 'scan comparison --seeds 1 --jobs 2 --detector autoencoder --no-sums --no-comparators'.split(' ');
  const data = ['--background', background, '--test', test, '--signal', `s=${signal}`];
  return [...study, ...data, ...tinyTraining, '--out', out];
}

/** A study's files by what is equal for equal studies. */
export const studyContents = (folder: string): Promise<Record<string, string>> =>
  contents(folder, (name, bytes) => runContent(path.join(folder, name), bytes));

/** A study into `study`. */
function scanning(inputs: Inputs): Command {
  const root = (folder: string): string => path.join(folder, 'study');
  const checkers = new Map<string, ReturnType<typeof runChecker>>();
  let want: Record<string, string> | undefined;
  return {
    setUp: folder => mkdirSync(root(folder)),
    starts: folder => [{ args: studyArgs(inputs, root(folder)) }],
    phase(folder) {
      const files = filesIn(root(folder));
      if (files.includes('comparison.svg')) return 'done';
      const trials = files.filter(name => !isTemporary(name) && name.endsWith('trial.json')).length;
      return files.length === 0 ? 'before' : trials === 3 ? 'figures' : `${trials} trials there`;
    },
    async check(folder) {
      const complete: string[] = [];
      const whole = filesIn(root(folder)).filter(name => !isTemporary(name));
      for (const run of new Set(whole.filter(name => name.startsWith('runs/')).map(name => name.split('/')[1]))) {
        const checked = checkers.get(run) ?? runChecker();
        checkers.set(run, checked);
        const found = await checked(path.join(root(folder), 'runs', run));
        // these go once the run is whole
        complete.push(...found.filter(name => !isCheckpoint(name)).map(name => `runs/${run}/${name}`));
      }
      want ??= await studyContents(root(folder));
      for (const name of whole.filter(name => !name.startsWith('runs/'))) {
        const place = path.join(root(folder), name);
        if ((await runContent(place, readFileSync(place))) !== want[name]) throw new Error(`${name} is not whole`);
        complete.push(name);
      }
      return complete;
    },
    result: folder => studyContents(root(folder)),
  };
}

export const studyKinds = (inputs: Inputs): Record<'scan', Kind> => ({
  scan: { name: 'scan', commands: [scanning(inputs)] },
});
