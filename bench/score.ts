import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import type { Precision } from '../src/addon.js';
import type { Engine, ScoringModel } from '../src/engine/index.js';
import { DomainBuilder, inDomain } from '../src/events/domain.js';
import { take, type EventBatch } from '../src/events/event-batch.js';
import { writeAtomically } from '../src/files.js';
import { saveEncoder } from '../src/model/encoder-file.js';
import { initialWeights } from '../src/model/initialise.js';
import { autoencoderLayout, encoderLayout } from '../src/model/layout.js';
import { runFiles } from '../src/model/run-folder.js';
import { writeEvents } from '../src/read/index.js';
import { detectorConfig, saveDetector, type DetectorWeights } from '../src/score/detector.js';
import { fitPreparation } from '../src/score/prepare.js';
import { columnsOf, rowLength, selectColumns } from '../src/score/representation.js';
import { scoreFiles } from '../src/score/score-files.js';
import { readScores } from '../src/score/write-scores.js';
import { agree, doubles, type Case } from './case.js';
import { events, places, published, recipe, words } from './setting.js';

const pool = 8192;
const fileEvents = 32_768;
const encoder = initialWeights(encoderLayout(published), 1, 'f32');
const model = `${words(published)}, whitened, autoencoder`;

/** Events to scores, in memory: encoder, pooled representation, whitening, autoencoder. */
function inMemory(
  name: string,
  batch: number,
  score: (model: ScoringModel, events: EventBatch) => unknown,
  precision: 'f32' | 'bf16' = 'f32',
): Case {
  return {
    name,
    batch,
    ...inPrecision(model, precision),
    async open(engine) {
      const sample = await events(pool);
      const detector = await fit(engine, sample);
      const scorer = open(engine, detector, precision);
      const batches = Array.from({ length: Math.min(64, pool / batch) }, (_, i) =>
        take(sample, places(i * batch, batch, pool)),
      );
      let call = 0;
      return {
        run: async () => score(scorer, batches[call++ % batches.length]),
        async check() {
          const reference = open(engine, detector, 'f64');
          if (precision === 'bf16') {
            // whitening an untrained encoder lifts the rounding of its idle directions into the scores
            agree('representations', await scorer.embed(sample), await reference.embed(sample), 2e-2);
            return;
          }
          const want = await reference.score(sample);
          const got: number[] = [];
          for (const one of batches) got.push(...((await score(scorer, one)) as Float32Array));
          agree('scores', got, want.slice(0, got.length), 1e-5);
        },
      };
    },
  };
}

/** The same from HDF5 file to HDF5 file: reading, checking, in-domain flags and writing too. */
const files = (precision: 'f32' | 'bf16'): Case => ({
  name: 'score-files',
  batch: fileEvents,
  ...inPrecision(`${model}, HDF5 to HDF5`, precision),
  async open(engine) {
    const folder = mkdtempSync(path.join(tmpdir(), 'anomalyclr-bench-'));
    process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
    const sample = await events(fileEvents);
    const detector = await fit(engine, take(sample, places(0, pool, fileEvents)));
    const run = runFiles(folder);
    const domain = new DomainBuilder();
    domain.add(take(sample, places(0, pool, fileEvents)));
    await writeAtomically(run.config, JSON.stringify({ seed: 1, loss: 'anomclr+', representation: 'pool' }));
    await writeAtomically(run.domain, JSON.stringify(domain.build()));
    await saveEncoder(run.encoder, { config: published, weights: encoder });
    await saveDetector(run.detector, detector);
    const [data, out] = [path.join(folder, 'events.h5'), path.join(folder, 'scores.h5')];
    await writeEvents(data, [sample]);
    const auto = precision === 'f32' ? 'auto' : precision;
    const request = { model: folder, data: [data], out, batch: 4096, onBadEvent: 'fail', precision: auto } as const;
    return {
      run: () => scoreFiles(request, engine),
      async check() {
        await scoreFiles(request, engine);
        const got = await readScores(out);
        const reference = open(engine, detector, precision === 'f32' ? 'f64' : precision);
        agree('scores', got.score, await reference.score(sample), 1e-5);
        agree('in-domain flags', got.inDomain, inDomain(domain.build(), sample), 0);
      },
    };
  },
});

const inPrecision = (what: string, precision: 'f32' | 'bf16') =>
  precision === 'f32' ? { model: what } : { model: `${what}, bf16`, precision };

/** A detector on the pooled representation of `sample`, untrained but for its whitening. */
async function fit(engine: Engine, sample: EventBatch): Promise<DetectorWeights> {
  const trainer = engine.contrastive(
    { ...published, precision: 'f64', loss: 'anomclr+', temperature: 0.1, optimiser: { kind: 'adam' } },
    recipe,
  );
  trainer.setWeights(doubles(encoder));
  const rows = selectColumns(await trainer.embed(sample), rowLength(published), columnsOf('pool', published));
  trainer.dispose();
  const preparation = fitPreparation('whiten', rows, published.width);
  const n = preparation.outputs;
  const widths = [n, 64, 25, 10, 25, 64, n];
  return { preparation, widths, activation: 'elu', weights: initialWeights(autoencoderLayout(widths), 1, 'f32') };
}

function open(engine: Engine, detector: DetectorWeights, precision: Precision): ScoringModel {
  const [from, to] = columnsOf('pool', published);
  const weights = precision === 'f64' ? doubles(encoder) : encoder;
  return engine.scorer({ ...detectorConfig(detector, precision), encoder: { ...published, weights, from, to } });
}

export const scores: Case[] = [
  inMemory('score', 4096, (scorer, batch) => scorer.score(batch)),
  inMemory('score', 4096, (scorer, batch) => scorer.score(batch), 'bf16'),
  inMemory('score-one', 1, (scorer, event) => scorer.scoreNow(event)),
  files('f32'),
  files('bf16'),
];
