import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { DomainBuilder, inDomain } from '../src/events/domain.js';
import { take } from '../src/events/event-batch.js';
import { writeAtomically } from '../src/files.js';
import { saveEncoder } from '../src/model/encoder-file.js';
import { runFiles } from '../src/model/run-folder.js';
import { writeEvents } from '../src/read/index.js';
import { saveDetector } from '../src/score/detector-file.js';
import { scoreFiles } from '../src/score/score-files.js';
import { Scorer } from '../src/score/scorer.js';
import { readScores } from '../src/score/read-scores.js';
import { agree, type Case } from './case.js';
import { encoderWeights, fit, modelWords, openScorer } from './scoring-model.js';
import { events, places, published } from './setting.js';
import { isPeer } from './subjects.js';

const fitted = 8192;
const most = 32_768;

/** Scores from HDF5 file to HDF5 file: reading, checking, in-domain flags and writing too. */
export const scoreFilesCase: Case = {
  name: 'score-files',
  model: `${modelWords}, HDF5 to HDF5`,
  batches: subject => {
    if (isPeer(subject)) return undefined;
    const usual = subject.engine === 'cuda' || (subject.engine === 'native' && subject.precision === 'f32');
    return { usual: usual ? [most] : [], full: [most] };
  },
  async open(place) {
    const { subject, batch } = place;
    const engine = place.engine();
    const folder = mkdtempSync(path.join(tmpdir(), 'anomalyclr-bench-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    const sample = await events(batch);
    const some = take(sample, places(0, fitted, batch));
    const detector = await fit(place, some);
    const run = runFiles(folder);
    const domain = new DomainBuilder();
    domain.add(some);
    await writeAtomically(run.config, JSON.stringify({ seed: 1, loss: 'anomclr+', representation: 'pool' }));
    await writeAtomically(run.domain, JSON.stringify(domain.build()));
    await saveEncoder(run.encoder, { config: published, weights: encoderWeights });
    await saveDetector(run.detector, detector);
    const [data, out] = [path.join(folder, 'events.h5'), path.join(folder, 'scores.h5')];
    await writeEvents(data, [sample]);
    const precision = subject.precision === 'bf16' ? 'bf16' : 'auto';
    const request = {
      data: [data],
      out,
      batch: subject.engine === 'cuda' ? 16_384 : 4096,
      onBadEvent: 'fail',
    } as const;
    const score = async () => {
      const scorer = await Scorer.open(folder, engine, precision);
      await scoreFiles(request, scorer);
      scorer.dispose();
    };
    return {
      run: score,
      async check(reference) {
        await score();
        const got = await readScores(out);
        // bfloat16 is held against itself in memory, as its representations are checked there; on a GPU its rounding goes
        // with the size of a batch, and whitening lifts it
        const rounded = subject.precision === 'bf16';
        const onGpu = subject.engine === 'cuda';
        const scorer = openScorer(rounded && onGpu ? engine : reference, detector, rounded ? 'bf16' : 'f64');
        agree('scores', got.score, await scorer.score(sample), rounded && onGpu ? 5e-2 : 1e-5);
        agree('in-domain flags', got.inDomain, inDomain(domain.build(), sample), 0);
      },
    };
  },
};
