// Makes files of toy jets in the layout of JetNet: npx tsx tools/make-jets.ts FOLDER [JETS] [SEED]
// One file of background to train on, qcd_train.h5, with JETS jets (default 20,000), one to test on, qcd_test.h5, and one
// for each signal, each of a quarter of that. No two files share a jet.
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { AnomalyClrError } from '../src/errors.js';
import { toyKinds, writeToyJets } from './toy-jets.js';

const [folder, count = '20000', seed = '1'] = process.argv.slice(2);

try {
  const jets = Number(count);
  if (folder === undefined || !(Number.isInteger(jets) && jets >= 4) || !Number.isInteger(Number(seed)))
    throw new AnomalyClrError(
      'npx tsx tools/make-jets.ts FOLDER [JETS] [SEED]: a folder, a number of jets from 4 on, a seed',
    );
  await mkdir(folder, { recursive: true });
  const few = Math.floor(jets / 4);
  const files = [
    { name: 'qcd_train.h5', kind: 'qcd', jets, first: 0 },
    { name: 'qcd_test.h5', kind: 'qcd', jets: few, first: jets },
    ...toyKinds.slice(1).map(kind => ({ name: `${kind}.h5`, kind, jets: few, first: 0 })),
  ] as const;
  for (const { name, kind, ...which } of files) {
    const file = path.join(folder, name);
    await writeToyJets(file, kind, { ...which, seed: Number(seed) });
    process.stdout.write(`${name}: ${which.jets} jets, ${(await stat(file)).size} bytes\n`);
  }
} catch (error) {
  if (!(error instanceof AnomalyClrError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
