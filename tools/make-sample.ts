// Makes sample/ out of the full simulated data: npx tsx tools/make-sample.ts [DATA_FOLDER]
// DATA_FOLDER defaults to data/ in the folder that ANOMALYCLR_SHARED names, and that to ../shared.
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { AnomalyClrError } from '../src/errors.js';
import { readEvents, writeEvents } from '../src/read/index.js';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const data = process.argv[2] ?? path.join(process.env.ANOMALYCLR_SHARED ?? path.join(root, '../shared'), 'data');
const background = 'background_for_training.h5';

/** Rows `start` to `end - 1` of each source. The two backgrounds share no event. */
const samples = [
  { name: 'background_train.h5', source: background, start: 0, end: 60000 },
  { name: 'background_test.h5', source: background, start: 60000, end: 110000 },
  { name: 'Ato4l.h5', source: 'Ato4l_lepFilter_13TeV_filtered.h5', start: 0, end: 5000 },
  { name: 'leptoquark.h5', source: 'leptoquark_LOWMASS_lepFilter_13TeV_filtered.h5', start: 0, end: 5000 },
  { name: 'hToTauTau.h5', source: 'hToTauTau_13TeV_PU20_filtered.h5', start: 0, end: 5000 },
  { name: 'hChToTauNu.h5', source: 'hChToTauNu_13TeV_PU20_filtered.h5', start: 0, end: 5000 },
];

try {
  await mkdir(path.join(root, 'sample'), { recursive: true });
  let bytes = 0;
  for (const { name, source, start, end } of samples) {
    const file = path.join(root, 'sample', name);
    const events = readEvents(path.join(data, source), { start, end, onBadEvent: 'fail' });
    const written = await writeEvents(file, events, { gzip: 9 });
    if (written !== end - start)
      throw new AnomalyClrError(`${source}: only ${written} events in rows ${start} to ${end - 1}`);
    const { size } = await stat(file);
    bytes += size;
    process.stdout.write(`${name}: ${written} events, ${size} bytes\n`);
  }
  process.stdout.write(`in all ${bytes} bytes\n`);
} catch (error) {
  if (!(error instanceof AnomalyClrError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
