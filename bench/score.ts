import { take } from '../src/events/event-batch.js';
import { agree, toleranceOf, type Batches, type Case } from './case.js';
import { fit, modelWords, openScorer, openScorerAt } from './scoring-model.js';
import { events, places } from './setting.js';
import { isGpu, isSlow, type Subject } from './subjects.js';

const pool = 16_384;
/** What the detector is fitted on, and the most that a check compares. */
const fitted = 8192;
const slowlyCompared = 128;

/** Events to scores, in memory: encoder, pooled representation, whitening, autoencoder. */
const score = (name: string, now: boolean, batches: (subject: Subject) => Batches | undefined): Case => ({
  name,
  model: modelWords,
  torch: ['--task', 'score'],
  batches,
  async open(place) {
    const { batch, subject } = place;
    const sample = await events(pool);
    const some = take(sample, places(0, fitted, pool));
    const detector = await fit(place, some);
    const scorer = await openScorerAt(place, detector);
    const inputs = Array.from({ length: Math.max(1, Math.min(64, pool / batch)) }, (_, i) =>
      take(sample, places(i * batch, batch, pool)),
    );
    const one = async (i: number) => (now && scorer.scoreNow ? scorer.scoreNow(inputs[i]) : scorer.score(inputs[i]));
    let call = 0;
    return {
      run: () => one(call++ % inputs.length),
      async check(engine) {
        const reference = openScorer(engine, detector, 'f64');
        if (subject.precision === 'bf16') {
          // whitening an untrained encoder lifts the rounding of its idle directions into the scores
          agree('representations', await scorer.embed(some), await reference.embed(some), toleranceOf(subject));
          return;
        }
        const most = isSlow(subject) ? slowlyCompared : fitted;
        const [got, want]: number[][] = [[], []];
        for (const [i, input] of inputs.slice(0, Math.ceil(most / batch)).entries()) {
          got.push(...(await one(i)));
          want.push(...(await reference.score(input)));
        }
        agree('scores', got, want, toleranceOf(subject));
      },
    };
  },
});

const curve = [16, 128, 512, 2048, 16_384];

export const scores: Case[] = [
  score('score', false, subject =>
    isGpu(subject)
      ? { usual: [512, 2048, 16_384, 65_536], full: [1, 512, 2048, 16_384, 65_536, 262_144] }
      : {
          usual: subject.engine === 'native' ? curve : isSlow(subject) ? [16] : [16, 512, 2048],
          full: [1, ...curve],
        },
  ),
  score('score-one', true, subject =>
    subject.precision === 'bf16' ? undefined : { usual: isSlow(subject) ? [] : [1], full: [1] },
  ),
];
