/** Runs the kept corpora of targets through them, without a fuzzer; see scripts/fuzz-readers.cjs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../../src/addon.js';
import { outcomes } from './oracle.js';

const corpora = path.join(packageRoot(), 'test', 'fuzz', 'corpus', 'readers');
let failed = 0;
for (const target of process.argv.slice(2)) {
  const { fuzz } = (await import(new URL(`./targets/${target}.js`, import.meta.url).href)) as {
    fuzz: (data: Buffer) => Promise<void>;
  };
  const folder = path.join(corpora, target);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  Object.assign(outcomes, { read: 0, refused: 0 });
  const begun = performance.now();
  for (const name of names)
    await fuzz(readFileSync(path.join(folder, name))).catch((error: unknown) => {
      failed += 1;
      console.log(`${target}: ${name}: ${(error as Error).stack}`);
    });
  console.log(
    `${target}: ${names.length} inputs, ${outcomes.read} read, ${outcomes.refused} refused, ${((performance.now() - begun) / 1000).toFixed(1)} s`,
  );
}
process.exit(failed > 0 ? 1 : 0);
