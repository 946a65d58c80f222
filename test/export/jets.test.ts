import { agree } from '../../bench/case.js';
import { crossedBits, crossedColumns, crossedRowsOf, crossedSizeOf } from '../../src/bundle/card.js';
import { padEvents } from '../../src/bundle/pad.js';
import { openSession } from '../../src/bundle/session.js';
import { openEngine } from '../../src/engine/index.js';
import { dataKinds } from '../../src/events/data-kinds.js';
import { DomainBuilder, inDomain } from '../../src/events/domain.js';
import { type EventBatch, EventBatchBuilder, range } from '../../src/events/event-batch.js';
import { Kind } from '../../src/events/objects.js';
import { drawEvents } from '../../src/export/draw-events.js';
import { buildModel, type ModelParts } from '../../src/export/model.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../src/model/layout.js';
import { detectorConfig, type DetectorWeights } from '../../src/score/detector.js';
import { fitPreparation } from '../../src/score/prepare.js';
import { toyJet } from '../../tools/toy-jets.js';
import { needsRuntime } from '../support/bundle.js';
import { smallEncoder } from '../support/encoder.js';

function toyJets(count: number): EventBatch {
  const builder = new EventBatchBuilder();
  for (let e = 0; e < count; e++) {
    for (const { pt, eta, phi } of toyJet('qcd', 3, e).constituents.slice(0, 40))
      builder.addObject(pt, eta, phi, Kind.constituent);
    builder.endEvent(e);
  }
  return builder.build();
}

const { etaScale, phiScale } = dataKinds.jet;
const encoder = { ...smallEncoder, features: 7 as const, etaScale, phiScale };

needsRuntime.each(['packed', 'padded'] as const)(
  '%s: the graph of a model of jets does what the engine does',
  async layout => {
    const jets = toyJets(200);
    const builder = new DomainBuilder('jet');
    builder.add(range(jets, 0, 120)); // so that some of the others lie outside
    const domain = builder.build();
    const weights = initialWeights(encoderLayout(encoder), 3, 'f64');
    const { width } = encoder;
    const widths = [width, 4, width];
    const weightsOfDetector = initialWeights(perceptronLayout(widths), 5, 'f64');
    const detector: DetectorWeights = {
      preparation: fitPreparation('none', new Float64Array(width), width),
      members: [{ kind: 'autoencoder', widths, activation: 'elu', weights: weightsOfDetector }],
    };
    const parts: ModelParts = { encoder: { config: encoder, weights }, columns: [0, width], detector, domain };
    const engine = await openEngine({ engine: 'native', threads: 1 });
    const native = engine.scorer({
      ...detectorConfig(detector, 'f64'),
      encoder: { ...encoder, weights, from: 0, to: width },
    });
    const session = await openSession(buildModel(parts, { part: 'scorer', precision: 'f32', layout }), { threads: 1 });
    const run = async (objects: Float32Array, count: number, slots: number) => {
      const outputs = await session.run({ objects: { type: 'float32', dims: [count, slots, 4], data: objects } });
      return (name: string) => Array.from(outputs[name].data as Float32Array, Number);
    };
    for (const batch of [jets, drawEvents(domain, 90, 1)]) {
      const { objects, events, slots } = padEvents(batch);
      const of = await run(objects, events, slots);
      agree('representations', Float32Array.from(of('representation')), await native.embed(batch), 1e-5);
      agree('scores', Float32Array.from(of('score')), await native.score(batch), 1e-5);
      const inside = Array.from(inDomain(domain, batch));
      expect(of('in_domain')).toEqual(inside);
      expect(of('domain_distance').map(d => Number(d === 0))).toEqual(inside);
      expect(new Set(inside).size).toBe(2);
    }

    const size = crossedSizeOf(domain);
    const cells = crossedRowsOf(domain).flatMap(row => crossedColumns.map(column => `${row} ${column}`));
    expect(size).toBe(8);
    // outside in phi, which is no circle; then what the data kind has not
    const odd = [
      [
        [100, 0, 0, Kind.constituent],
        [50, 0, 3, Kind.constituent],
      ],
      [
        [100, 0, 0, Kind.constituent],
        [50, 0, 0, Kind.jet],
      ],
      [
        [100, 0, 0, Kind.constituent],
        [0, 0, 0, Kind.met],
      ],
      [
        [100, 0, 0, Kind.constituent],
        [0, 0, 0, Kind.constituent],
      ],
    ];
    const of = await run(Float32Array.from(odd.flat(2)), odd.length, 2);
    const found = odd.map((_, e) =>
      of('crossed')
        .slice(e * size, (e + 1) * size)
        .flatMap((bits, i) => (bits === 0 ? [] : [`${cells[i]} ${bits}`])),
    );
    const { below, above, invalid } = crossedBits;
    expect(found[0]).toContain(`constituent phi ${above}`);
    expect(found[1]).toEqual(expect.arrayContaining([`event pt ${invalid}`]));
    expect(found[3]).toContain(`constituent pt ${below + invalid}`);
    expect(of('score').map(Number.isFinite)).toEqual([true, false, false, false]);
    await session.dispose();
    native.dispose();
  },
);
