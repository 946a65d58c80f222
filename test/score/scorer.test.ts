import type { Floats, Precision } from '../../src/addon.js';
import { openEngine, type ScoringModel } from '../../src/engine/index.js';
import { take, type EventBatch } from '../../src/events/event-batch.js';
import { codesOf, withSums } from '../../src/events/event-sums.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import { detectorConfig, perceptronConfig, type DetectorWeights } from '../../src/score/detector.js';
import { fitPreparation, type Preparation } from '../../src/score/prepare.js';
import { columnsOf, rowLength, selectColumns, type RepresentationName } from '../../src/score/representation.js';
import { sample } from '../support/cli.js';
import { smallEncoder, trainerDefaults } from '../support/encoder.js';
import { worst } from '../support/golden.js';

const config = smallEncoder;
const engine = await openEngine({ engine: 'native', threads: 2 });
const weights = initialWeights(encoderLayout(config), 3, 'f64');
let events: EventBatch;
beforeAll(async () => {
  ({ batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 700 }));
});

/** What the detector reads, through a training session. */
async function embed(representation: RepresentationName): Promise<Floats> {
  const noRecipe = { name: 'none', anchor: [], physical: [], anomalous: [] };
  const model = engine.contrastive({ ...config, ...trainerDefaults, precision: 'f64' }, noRecipe);
  model.setWeights(weights);
  const rows = selectColumns(await model.embed(events), rowLength(config), columnsOf(representation, config));
  model.dispose();
  return rows;
}

function detectorOn(preparation: Preparation): DetectorWeights {
  const n = preparation.outputs;
  const widths = [n, 9, 4, 9, n];
  const member = { kind: 'autoencoder', widths, activation: 'elu' } as const;
  return { preparation, members: [{ ...member, weights: initialWeights(perceptronLayout(widths), 5, 'f64') }] };
}

function open(representation: RepresentationName, detector: DetectorWeights, precision: Precision): ScoringModel {
  const [from, to] = columnsOf(representation, config);
  const cast = precision === 'f64' ? weights : Float32Array.from(weights);
  return engine.scorer({ ...detectorConfig(detector, precision), encoder: { ...config, weights: cast, from, to } });
}

/** matrix (x - mean), plainly. */
function prepared({ inputs, outputs, mean, matrix }: Preparation, x: Floats): Float64Array {
  if (!matrix) return Float64Array.from(x);
  return Float64Array.from({ length: (x.length / inputs) * outputs }, (_, i) => {
    const [row, o] = [Math.floor(i / outputs), i % outputs];
    return mean.reduce((sum, m, c) => sum + matrix[o * inputs + c] * (x[row * inputs + c] - m), 0);
  });
}

describe.each(['pool', 'head1', 'last'] as const)('%s', representation => {
  test.each(['none', 'standardise', 'whiten'] as const)('%s: scores are those of the steps one by one', async kind => {
    const rows = await embed(representation);
    const detector = detectorOn(fitPreparation(kind, rows, rows.length / events.count));
    const [member] = detector.members;
    const autoencoder = engine.perceptron(perceptronConfig(member, 'f64'));
    autoencoder.setWeights(member.weights);
    const want = await autoencoder.score(prepared(detector.preparation, rows));
    const [double, single] = [open(representation, detector, 'f64'), open(representation, detector, 'f32')];
    expect(worst(await double.embed(events), rows)).toBeLessThan(1e-12);
    expect(worst(await double.score(events), want)).toBeLessThan(1e-10);
    expect(worst(await single.score(events), want)).toBeLessThan(1e-5);
    for (const one of [autoencoder, double, single]) one.dispose();
  });
});

test('sums of an event stand behind its representation, to the bit', async () => {
  const [from, to] = columnsOf('pool', config);
  const codes = codesOf(['jet', 'met', 'muon']);
  for (const precision of ['f32', 'f64'] as const) {
    const cast = precision === 'f64' ? weights : Float32Array.from(weights);
    const encoder = { ...config, weights: cast, from, to };
    const nothing = fitPreparation('none', new Float64Array(), config.width);
    const alone = engine.scorer({ ...detectorConfig(detectorOn(nothing), precision), encoder });
    const wider = fitPreparation('none', new Float64Array(), config.width + 7);
    const both = engine.scorer({
      ...detectorConfig(detectorOn(wider), precision),
      encoder: { ...encoder, sums: codes },
    });
    expect(await both.embed(events)).toEqual(withSums(await alone.embed(events), events, codes));
    for (const one of [alone, both]) one.dispose();
  }
});

test('a score now is the score later, bit for bit', async () => {
  const detector = detectorOn(fitPreparation('whiten', await embed('pool'), config.width));
  for (const precision of ['f32', 'f64'] as const) {
    const model = open('pool', detector, precision);
    const want = await model.score(events);
    for (const e of [0, 1, 42, 699]) expect(model.scoreNow(take(events, [e]))).toEqual(want.slice(e, e + 1));
    const some = take(
      events,
      Int32Array.from({ length: 64 }, (_, i) => 10 * i),
    );
    expect(model.scoreNow(some)).toEqual(want.filter((_, e) => e % 10 === 0 && e < 640));
    expect(model.scoreNow(take(events, []))).toHaveLength(0);
    expect(() =>
      model.scoreNow(
        take(
          events,
          Int32Array.from({ length: 65 }, (_, i) => i),
        ),
      ),
    ).toThrow(/scoreNow takes at most 64 events, was given 65; use score/);
    model.dispose();
  }
});
