import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { agree } from '../../bench/case.js';
import { openOnnxScorer } from '../../bench/peers/onnx.js';
import type { EncoderConfig } from '../../src/addon.js';
import { crossedBits, crossedColumns, crossedRowsOf, crossedSizeOf, type Card } from '../../src/bundle/card.js';
import { padEvents } from '../../src/bundle/pad.js';
import { openSession, type OnnxSession } from '../../src/bundle/session.js';
import { openEngine } from '../../src/engine/index.js';
import { DomainBuilder, inDomain, outsideOf, type Domain } from '../../src/events/domain.js';
import { codesOf, noKinds, sumCount } from '../../src/events/event-sums.js';
import { EventBatchBuilder, range, take, type EventBatch } from '../../src/events/event-batch.js';
import { eventKindNames, Kind, type KindName } from '../../src/events/objects.js';
import { buildModel, type ModelParts } from '../../src/export/model.js';
import { activationRanges } from '../../src/export/quantise.js';
import { initialWeights } from '../../src/model/initialise.js';
import { perceptronLayout, encoderLayout } from '../../src/model/layout.js';
import { readAll } from '../../src/read/index.js';
import { detectorConfig, type DetectorMember, type DetectorWeights } from '../../src/score/detector.js';
import { fitPreparation, type PreparationKind } from '../../src/score/prepare.js';
import { columnsOf, rowLength, type RepresentationName } from '../../src/score/representation.js';
import { sample } from '../support/cli.js';
import { encoderConfig, smallEncoder } from '../support/encoder.js';
import { Golden, goldenTest, worst } from '../support/golden.js';

const crossedRows = crossedRowsOf({});
const crossedSize = crossedSizeOf({});
const ort = await import('onnxruntime-node').catch(() => undefined);
if (!ort) console.log('onnxruntime-node is not installed here: its tests are left out');
const needs = ort ? test : test.skip;

const small = smallEncoder;
const layouts = ['packed', 'padded'] as const;
const engine = await openEngine({ engine: 'native', threads: 2 });
let events: EventBatch;
let domain: Domain;
beforeAll(async () => {
  ({ batch: events } = await readAll([sample('background_train')], { onBadEvent: 'fail', maxEvents: 300 }));
  const builder = new DomainBuilder();
  builder.add(range(events, 0, 200)); // so that some of the others lie outside
  domain = builder.build();
});

/** A model with layers that all differ, and the engine's representations and scores of the events. */
async function make(
  encoder: EncoderConfig = small,
  representation: RepresentationName = 'pool',
  kind: PreparationKind = 'standardise',
  activation: DetectorMember['activation'] = 'elu',
  kinds: readonly DetectorMember['kind'][] = [],
  sums: Int32Array = noKinds,
) {
  const [from, to] = columnsOf(representation, encoder);
  const weights = initialWeights(encoderLayout(encoder), 3, 'f64');
  const scorerWith = (preparation: DetectorWeights['preparation']) => {
    const n = preparation.outputs;
    const member = (memberOf: DetectorMember['kind'], widths: number[]): DetectorMember => {
      const weightsOfIt = initialWeights(perceptronLayout(widths), 5, 'f64');
      return { kind: memberOf, widths, activation, weights: weightsOfIt };
    };
    const standard = { mean: 0.3, deviation: 0.7 };
    const error = member('autoencoder', [n, 9, 4, 9, n]);
    const named = { autoencoder: error, ratio: member('ratio', [n, 6, 5, 1]) };
    const members = kinds.length === 0 ? [error] : kinds.map(one => ({ ...named[one], standard }));
    const detector: DetectorWeights = { preparation, members };
    const native = engine.scorer({
      ...detectorConfig(detector, 'f64'),
      encoder: { ...encoder, weights, from, to, sums },
    });
    return { detector, native };
  };
  const size = to - from + sumCount(sums);
  const first = scorerWith(fitPreparation('none', new Float64Array(size), size));
  const rows = await first.native.embed(events);
  first.native.dispose();
  const { detector, native } = scorerWith(fitPreparation(kind, rows, size));
  const parts: ModelParts = { encoder: { config: encoder, weights }, columns: [from, to], sums, detector, domain };
  return { parts, native };
}

const opened: OnnxSession[] = [];
afterEach(async () => {
  for (const session of opened.splice(0)) await session.dispose();
});

async function open(
  parts: ModelParts,
  layout: Card['layout'] = 'packed',
  precision: Card['precision'] = 'f32',
  ranges?: ReadonlyMap<string, number>,
): Promise<OnnxSession> {
  const options = { part: parts.detector ? 'scorer' : 'encoder', precision, layout } as const;
  const session = await openSession(buildModel(parts, ranges ? { ...options, ranges } : options), { threads: 1 });
  opened.push(session);
  return session;
}

async function runOn(session: OnnxSession, objects: Float32Array, count: number, slots: number) {
  const outputs = await session.run({ objects: { type: 'float32', dims: [count, slots, 4], data: objects } });
  const of = (name: string) => outputs[name]?.data as Float32Array;
  return {
    score: of('score'),
    representation: of('representation'),
    inDomain: Array.from(of('in_domain'), Number),
    distance: of('domain_distance'),
    crossed: Array.from(of('crossed'), Number),
  };
}

async function runEvents(session: OnnxSession, batch: EventBatch) {
  const { objects, events: count, slots } = padEvents(batch);
  return runOn(session, objects, count, slots);
}

describe.each(layouts)('%s', layout => {
  needs.each<
    [
      string,
      EncoderConfig,
      RepresentationName,
      PreparationKind,
      DetectorMember['activation'],
      DetectorMember['kind'][]?,
      KindName[]?,
    ]
  >([
    ['8 features, last layer of a head with norms', small, 'last', 'standardise', 'elu'],
    ['7 features, pooled', { ...small, features: 7, headNorm: false }, 'pool', 'whiten', 'relu'],
    ['an autoencoder and a ratio', small, 'pool', 'whiten', 'elu', ['autoencoder', 'ratio']],
    ['sums of all kinds', small, 'pool', 'standardise', 'elu', ['ratio'], [...eventKindNames]],
    ['sums of some', small, 'head1', 'none', 'elu', [], ['jet', 'electron']],
    ['a ratio alone', small, 'pool', 'standardise', 'elu', ['ratio']],
    [
      'a layer between, linear momenta',
      { ...small, ptFeature: 'linear', headNorm: false },
      'head1',
      'none',
      'leaky_relu',
    ],
    ['continuous mask', { ...small, mask: 'continuous' }, 'pool', 'standardise', 'elu'],
    ['scales of eta and phi', { ...small, features: 7, etaScale: 0.4, phiScale: 0.7 }, 'pool', 'standardise', 'elu'],
    ['no head, one head of attention', { ...small, headLayers: 0, heads: 1 }, 'pool', 'none', 'elu'],
  ])(
    '%s: as the native engine in float64',
    // jest gives functions of more parameters than a row has a `done` to call; one with a default does not count
    async (_, encoder, representation, kind, activation, kinds = [], sums = []) => {
      const { parts, native } = await make(encoder, representation, kind, activation, kinds, codesOf(sums));
      const got = await runEvents(await open(parts, layout), events);
      agree('representations', got.representation, await native.embed(events), 1e-5);
      agree('scores', got.score, await native.score(events), kind === 'whiten' ? 1e-4 : 1e-5);
      native.dispose();
    },
  );

  needs('batch and slots as they come, objects in any order: an event is what it is alone', async () => {
    const { parts, native } = await make();
    const session = await open(parts, layout);
    const all = await runEvents(session, events);
    for (const [count, slots] of [
      [1, 19],
      [7, 64],
      [64, 20],
      [300, 19],
    ]) {
      const objects = shuffled(range(events, 0, count), slots);
      const got = await runOn(session, objects, count, slots);
      agree('representations', got.representation, all.representation.subarray(0, count * small.width), 1e-5);
      agree('scores', got.score, all.score.subarray(0, count), 1e-5);
      expect(got.inDomain).toEqual(all.inDomain.slice(0, count));
      expect(got.crossed).toEqual(all.crossed.slice(0, count * crossedSize));
    }
    native.dispose();
  });

  needs('events without objects, with 1 slot, with 64 objects, and a MET without pT', async () => {
    const { parts, native } = await make();
    const builder = new EventBatchBuilder();
    builder.endEvent(0);
    for (let i = 0; i < 64; i++)
      builder.addObject(20 + i, 0.1 * (i % 40) - 2, 0.09 * i - 3, i === 0 ? Kind.met : Kind.jet);
    builder.endEvent(1);
    builder.addObject(0, 0, 0, Kind.met);
    builder.addObject(50, 0.1, 0.2, Kind.jet);
    builder.endEvent(2);
    const odd = builder.build();
    const session = await open(parts, layout);
    const got = await runEvents(session, odd);
    agree('representations', got.representation, await native.embed(odd), 1e-5);
    agree('scores', got.score, await native.score(odd), 1e-5);
    const empty = await runOn(session, new Float32Array(4), 1, 1);
    agree('an empty event alone', empty.score, got.score.subarray(0, 1), 1e-5);
    expect(empty.representation.every(x => x === 0)).toBe(true);
    const met = await runOn(session, Float32Array.of(30, 0, 1, 1), 1, 1);
    expect(Number.isFinite(met.score[0])).toBe(true);
    native.dispose();
  });

  needs('what breaks the rules gets no score, says where, and changes nothing for others', async () => {
    const { parts, native } = await make();
    const session = await open(parts, layout);
    const clean = await runEvents(session, range(events, 0, 3));
    const slots = 12;
    const invalidAt = (crossed: number[], event: number): string[] =>
      crossed
        .slice(event * crossedSize, (event + 1) * crossedSize)
        .flatMap((bits, i) => (bits & crossedBits.invalid ? [`${crossedRows[i >> 2]} ${crossedColumns[i & 3]}`] : []));
    const cases: [what: string, object: number[], where: string[]][] = [
      ['NaN', [NaN, 0, 0, Kind.jet], ['jet pt']],
      ['infinite pT', [Infinity, 0, 0, Kind.muon], ['muon pt']],
      ['NaN eta', [20, NaN, 0, Kind.jet], ['jet eta']],
      ['infinite phi', [20, 0, -Infinity, Kind.electron], ['electron phi']],
      ['negative pT', [-20, 0, 0, Kind.jet], ['jet pt']],
      ['MET below 0', [-1, 0, 0, Kind.met], ['met pt']],
      ['a jet of no pT', [0, 1, 0, Kind.jet], ['jet pt']],
      ['an unknown class', [20, 0, 0, 7], ['event pt', 'event count']],
      ['half a class', [20, 0, 0, 2.5], ['event pt', 'event count']],
      ['NaN class', [0, 0, 0, NaN], ['event count']],
      ['numbers in an empty slot', [0, 0, 0.5, 0], ['event phi']],
    ];
    for (const [what, object, where] of cases) {
      const objects = new Float32Array(3 * slots * 4);
      const { objects: tight, slots: used } = padEvents(range(events, 0, 3));
      for (let e = 0; e < 3; e++) objects.set(tight.subarray(e * used * 4, (e + 1) * used * 4), e * slots * 4);
      objects.set(object, (slots + slots - 1) * 4); // last slot of event 1
      const got = await runOn(session, objects, 3, slots);
      expect([what, got.score[1], got.inDomain[1], got.distance[1]]).toEqual([what, NaN, 0, Infinity]);
      expect(got.representation.subarray(small.width, 2 * small.width).every(Number.isNaN)).toBe(true);
      expect([what, invalidAt(got.crossed, 1)]).toEqual([what, where]);
      for (const e of [0, 2]) {
        agree('the others', got.score.subarray(e, e + 1), clean.score.subarray(e, e + 1), 1e-5);
        expect(got.inDomain[e]).toBe(clean.inDomain[e]);
        expect(invalidAt(got.crossed, e)).toEqual([]);
      }
    }
    native.dispose();
  });
});

/** Objects of each event in slots drawn at random. */
function shuffled(batch: EventBatch, slots: number): Float32Array {
  const objects = new Float32Array(batch.count * slots * 4);
  for (let e = 0; e < batch.count; e++) {
    const places = Array.from({ length: slots }, (_, s) => s).sort((a, b) => ((a * 37 + e) % 64) - ((b * 37 + e) % 64));
    for (let o = batch.offsets[e], i = 0; o < batch.offsets[e + 1]; o++, i++)
      objects.set([batch.pt[o], batch.eta[o], batch.phi[o], batch.kind[o]], (e * slots + places[i]) * 4);
  }
  return objects;
}

needs('verdict, distance and mask: as inDomain and outsideOf', async () => {
  const { parts, native } = await make();
  const { batch: signal } = await readAll([sample('Ato4l')], { onBadEvent: 'fail', maxEvents: 700 });
  const session = await open(parts);
  let outside = 0;
  for (const batch of [events, signal]) {
    const { inDomain: inside, crossed, distance } = await runEvents(session, batch);
    expect(inside).toEqual(Array.from(inDomain(domain, batch)));
    for (let e = 0; e < batch.count; e++) {
      const told = outsideOf(domain, batch, e);
      const bits = crossed.slice(e * crossedSize, (e + 1) * crossedSize);
      const words = bits.flatMap((mask, i) => {
        const [row, column] = [crossedRows[i >> 2], crossedColumns[i & 3]];
        const what =
          column === 'count'
            ? `${row === 'event' ? 'object' : row} count`
            : `${row} ${column === 'pt' ? 'pT' : column}`;
        return [
          ...(mask & crossedBits.below ? [`${what} below`] : []),
          ...(mask & crossedBits.above ? [`${what} above`] : []),
        ];
      });
      // `jet 2: pT 612.5 GeV is above the greatest seen, 568` and `jet count 11 is above ..`
      const expected = told.map(line => {
        const side = line.includes(' is below ') ? 'below' : 'above';
        const object = /^(\w+) \d+: (\w+) /.exec(line);
        return object ? `${object[1]} ${object[2]} ${side}` : `${/^(\w+) count/.exec(line)?.[1]} count ${side}`;
      });
      expect(words.sort()).toEqual([...new Set(expected)].sort());
      expect(distance[e] > 0).toBe(told.length > 0);
      outside += told.length > 0 ? 1 : 0;
    }
  }
  expect(outside).toBeGreaterThan(50);
  // pT 100 GeV beyond the greatest, in standard deviations of jets' pT
  const { max, std } = domain.kinds.jet.pt!;
  const far = await runOn(session, Float32Array.of(max + 100, 0, 0, Kind.jet, 20, 0, 1, Kind.met), 1, 2);
  expect(far.distance[0]).toBeCloseTo(100 / std, 3);
  native.dispose();
});

describe('other precisions', () => {
  needs.each([
    ['f16', 5e-3],
    ['bf16', 2e-2],
    ['int8', 1e-1],
  ] as const)('%s: near float32, in both layouts', async (precision, tolerance) => {
    const { parts, native } = await make();
    const want = await native.embed(events);
    for (const layout of layouts) {
      const ranges = precision === 'int8' ? await activationRanges(parts, { layout }, events) : undefined;
      const session = await open(parts, layout, precision, ranges);
      const got = await runEvents(session, events);
      agree('representations', got.representation, want, tolerance);
      expect(got.inDomain).toEqual(Array.from(inDomain(domain, events)));
      // no event changes another, whatever its batch holds
      const one = await runEvents(session, take(events, Int32Array.of(77)));
      agree('one event', one.score, got.score.subarray(77, 78), 1e-3);
    }
    native.dispose();
  });

  needs('a model is smaller in them; int8 without ranges is refused', async () => {
    const { parts, native } = await make({ ...small, width: 64, feedForward: 128 });
    const size = (precision: Card['precision'], ranges?: ReadonlyMap<string, number>) =>
      buildModel(parts, { part: 'scorer', precision, layout: 'packed', ...(ranges ? { ranges } : {}) }).length;
    const ranges = await activationRanges(parts, { layout: 'packed' }, events);
    expect(size('bf16')).toBeLessThan(0.75 * size('f32'));
    expect(size('f16')).toBeLessThan(0.75 * size('f32'));
    expect(size('int8', ranges)).toBeLessThan(size('f16'));
    expect(() => size('int8')).toThrow(/layer .*: no range for int8/);
    native.dispose();
  });
});

describe('golden encoder', () => {
  for (const [stem, keys] of [
    [
      'small',
      [
        'hard_head2',
        'hard_head2_norm',
        'cont_head2',
        'cont_head2_norm',
        'hard_head0',
        'hard_head1',
        'hard_head3',
        'hard_head3_norm',
      ],
    ],
    ['paper', ['hard_head2', 'cont_head2', 'hard_head2_norm']],
  ] as const)
    for (const key of ort ? keys : [])
      goldenTest(`encoder/${stem}_cases.safetensors`, `${stem} ${key}`, async () => {
        const golden = await Golden.load(`encoder/${stem}_cases`);
        const stored = await Golden.load(`encoder/${stem}_weights`);
        const { config: sizes, cases } = golden.json;
        const { mask, n_head_layers, head_norm } = cases[key];
        const config = encoderConfig(sizes, mask === 'cont' ? 'continuous' : 'hard', n_head_layers, head_norm);
        const layout = encoderLayout(config);
        const weights = initialWeights(layout, 1, 'f64');
        for (const { name, offset } of layout) weights.set(stored.f64(name), offset);
        const shape = golden.shape('x');
        const objects = objectsOf(golden.f64('x'), shape);
        const parts = { encoder: { config, weights }, columns: [0, rowLength(config)] as const, domain };
        for (const form of layouts) {
          const got = await runOn(await open(parts, form), objects, shape[0], shape[1]);
          expect(worst(got.representation, golden.f64(`${key}/reps`))).toBeLessThan(1e-5);
        }
      });
});

/** Golden rows [pT/40, eta/4, phi/pi, flags] as objects; what is left in empty slots, which a bundle refuses, is wiped. */
function objectsOf(x: Float64Array, [count, slots, width]: readonly number[]): Float32Array {
  const objects = new Float32Array(count * slots * 4);
  for (let s = 0; s < count * slots; s++) {
    const row = x.subarray(s * width, (s + 1) * width);
    const code = row.subarray(3).findIndex(flag => flag === 1) + 1;
    if (code > 0) objects.set([row[0] * 40, row[1] * 4, row[2] * Math.PI, code], s * 4);
  }
  return objects;
}

describe('the file', () => {
  needs('standard operations of opset 17 alone, every node named, blocks by path', async () => {
    const { parts, native } = await make();
    for (const layout of layouts) {
      const bytes = buildModel(parts, { part: 'scorer', precision: 'f32', layout }, { key: 'text' });
      const { opsetImport, graph, metadataProps } = fromBinary(ModelProtoSchema, bytes);
      expect(opsetImport.map(({ domain: of, version }) => [of, Number(version)])).toEqual([['', 17]]);
      expect(metadataProps.map(({ key, value }) => [key, value])).toEqual([['key', 'text']]);
      const names = graph!.node.map(({ name }) => name);
      expect(names.every(name => name !== '')).toBe(true);
      expect(new Set(names).size).toBe(names.length);
      const blocks = new Set(names.map(name => name.split('/')[0]));
      for (const block of [
        'objects',
        'features',
        'mask',
        'embedding',
        'layer0',
        'layer1',
        'pool',
        'detector',
        'domain',
      ])
        expect(blocks).toContain(block);
      expect(graph!.node.every(({ domain: of }) => of === '')).toBe(true);
      const dependsOnData = graph!.node.some(({ opType }) => opType === 'NonZero' || opType === 'Range');
      expect(dependsOnData).toBe(layout === 'packed');
    }
    native.dispose();
  });

  needs('ONNX Runtime fuses what it can: biases, norms with their sums, turned keys, int8 products', async () => {
    const { parts, native } = await make();
    const { layers } = small;
    const packed = await optimised(buildModel(parts, { part: 'scorer', precision: 'f32', layout: 'packed' }));
    expect(packed('Gemm') + packed('FusedGemm')).toBeGreaterThanOrEqual(1 + 6 * layers);
    expect(packed('FusedMatMul')).toBe(layers + 1); // the keys, and the owners of the verdict
    const padded = await optimised(buildModel(parts, { part: 'scorer', precision: 'f32', layout: 'padded' }));
    expect(padded('SkipLayerNormalization')).toBe(2 * layers);
    const ranges = await activationRanges(parts, { layout: 'packed' }, events);
    const int8 = await optimised(buildModel(parts, { part: 'scorer', precision: 'int8', layout: 'packed', ranges }));
    expect(int8('MatMulIntegerToFloat')).toBe(6 * layers);
    native.dispose();
  });
});

/** How many operations of a kind ONNX Runtime makes of a model. */
async function optimised(bytes: Uint8Array): Promise<(kind: string) => number> {
  const file = path.join(tmpdir(), `anomalyclr-optimised-${process.pid}.onnx`);
  const session = await ort!.InferenceSession.create(bytes, {
    optimizedModelFilePath: file,
    executionProviders: ['cpu'],
    logSeverityLevel: 3,
  });
  await session.release();
  const { graph } = fromBinary(ModelProtoSchema, new Uint8Array(await readFile(file)));
  await rm(file);
  return kind => graph!.node.filter(({ opType }) => opType === kind).length;
}

needs('the benchmark has scores and representations of the same graph', async () => {
  const { parts, native } = await make();
  const encoder = { ...small, weights: parts.encoder.weights, from: 0, to: small.width };
  const scorer = await openOnnxScorer({ encoder, detector: parts.detector!, threads: 1 });
  agree('scores', await scorer.score(events), await native.score(events), 1e-5);
  expect(await scorer.score(take(events, new Int32Array(0)))).toEqual(new Float32Array(0));
  await scorer.dispose();
  const plain = await openOnnxScorer({ encoder, threads: 1 });
  expect(await plain.embed(events)).toHaveLength(300 * small.width);
  await expect(plain.score(events)).rejects.toThrow(/no detector/);
  await plain.dispose();
  native.dispose();
});
