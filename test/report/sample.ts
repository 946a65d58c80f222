import { cutScores } from '../../src/evaluate/cuts.js';
import { curvePoints } from '../../src/evaluate/curve.js';
import { evaluateMethods, type ScoredSeed } from '../../src/evaluate/evaluation.js';
import { roc } from '../../src/evaluate/roc.js';
import { DomainBuilder } from '../../src/events/domain.js';
import { type EventBatch, EventBatchBuilder } from '../../src/events/event-batch.js';
import { Kind, type KindName, kindNames } from '../../src/events/objects.js';
import type { EventPicture, ReportData } from '../../src/report/data.js';
import { spectrum } from '../../src/report/histogram.js';
import { generator, normal } from '../evaluate/random.js';

const signalShift: Record<string, number> = { Ato4l: 2, leptoquark: 1.4, hToTauTau: 1, hChToTauNu: 0.1 };
const separation: Record<string, number> = {
  'anomclr+': 1,
  'raw-autoencoder': 0.7,
  'raw-autoencoder-log': 0.85,
  'untrained-encoder': 0.95,
};

/** A toy sample: falling pT spectra, a lepton, some jets; `hardness` scales pT and counts. */
function toyEvents(events: number, hardness: number, random: () => number): EventBatch {
  const builder = new EventBatchBuilder();
  const angle = () => (2 * random() - 1) * Math.PI;
  for (let e = 0; e < events; e++) {
    builder.addObject(-25 * hardness * Math.log(random()), 0, angle(), Kind.met);
    const lepton = random() < 0.55 ? Kind.electron : Kind.muon;
    builder.addObject(23 - 15 * hardness * Math.log(random()), (2 * random() - 1) * 2.1, angle(), lepton);
    const jets = Math.min(10, Math.floor(-1.5 * hardness * Math.log(random())));
    for (let j = 0; j < jets; j++)
      builder.addObject(15 - 20 * hardness * Math.log(random()), (2 * random() - 1) * 4, angle(), Kind.jet);
    builder.endEvent(e, BigInt(1000 + e));
  }
  return builder.build();
}

function pictures(batch: EventBatch, count: number): EventPicture[] {
  return Array.from({ length: count }, (_, k) => {
    const objects: EventPicture['objects'][number][] = [];
    for (let o = batch.offsets[k]; o < batch.offsets[k + 1]; o++) {
      const kind: KindName = kindNames[batch.kind[o] - 1];
      objects.push({ kind, pt: batch.pt[o], eta: batch.eta[o], phi: batch.phi[o] });
    }
    return {
      label: 'BlackBox.h5',
      score: 40 / (k + 1),
      row: batch.rows[k],
      eventId: String(batch.eventIds![k]),
      objects,
    };
  });
}

/** A made-up run with every part of the report; scores are heavy-tailed like reconstruction errors. */
export function sampleReport(): ReportData {
  const random = generator(7);
  const [nb, ns] = [20_000, 1000];
  const errors = (n: number, shift: number) => normal(n, shift, random).map(x => Math.exp(0.8 * x - 2));
  const methods: Record<string, ScoredSeed[]> = {};
  for (const [method, strength] of Object.entries(separation)) {
    methods[method] = (method === 'raw-autoencoder' ? [1] : [1, 2, 3]).map(seed => ({
      seed,
      background: errors(nb, 0),
      signals: Object.fromEntries(
        Object.entries(signalShift).map(([s, shift]) => [s, errors(ns, shift * strength + 0.03 * seed)]),
      ),
    }));
  }
  const background = toyEvents(nb, 1, random);
  const cutsOf = {
    background: cutScores(background),
    signals: Object.entries(signalShift).map(
      ([s, shift]) => [s, cutScores(toyEvents(ns, 1 + shift / 2, random))] as const,
    ),
  };
  for (const cut of ['leading-pt', 'ht', 'met', 'multiplicity'] as const)
    methods[cut] = [
      {
        seed: 0,
        background: cutsOf.background[cut],
        signals: Object.fromEntries(cutsOf.signals.map(([s, scores]) => [s, scores[cut]])),
      },
    ];
  const curves = Object.fromEntries(
    Object.keys(signalShift).map(signal => [
      signal,
      Object.fromEntries(
        Object.entries(methods).map(([m, [first]]) => [m, curvePoints(roc(first.background, first.signals[signal]))]),
      ),
    ]),
  );
  const domain = new DomainBuilder();
  domain.add(background);
  const samples = (m: string) => [
    { label: 'background', scores: methods[m][0].background },
    ...Object.entries(methods[m][0].signals).map(([label, scores]) => ({ label, scores })),
  ];
  const loss = (k: number, noise: number) => -6 * (1 - Math.exp(-k / 400)) + noise * (random() - 0.5);
  return {
    method: 'anomclr+',
    evaluation: evaluateMethods({ background: { events: nb }, methods }),
    curves,
    spectra: ['anomclr+', 'raw-autoencoder-log'].map(m => spectrum(m, samples(m))),
    losses: ['encoder', 'autoencoder'].map(label => ({
      label,
      steps: Array.from({ length: 3000 }, (_, k) => ({ step: k + 1, loss: loss(k, 1) })),
      epochs: Array.from({ length: 12 }, (_, k) => ({ epoch: k + 1, validation: loss(250 * (k + 1), 0.1) })),
    })),
    map: [['background', 0, 3000] as const, ...Object.entries(signalShift).map(([s, x]) => [s, x, 500] as const)].map(
      ([label, shift, n]) => ({ label, x: normal(n, 1.5 * shift, random), y: normal(n, -shift / 2, random) }),
    ),
    domain: domain.build(),
    events: pictures(toyEvents(9, 3, random), 9),
    invariance: { before: 0.41, after: 0.032 },
    settings: {
      loss: 'anomclr+',
      epochs: 12,
      encoder: { dim: 64, layers: 3 },
      augmentations: ['rotate', 'smear'],
      resume: false,
    },
    provenance: {
      version: '0.1.0',
      date: '2025-01-31T12:00:00Z',
      machine: '2 cores of an x86-64 processor with AVX-512',
      engine: 'native, avx512, float32',
      backgroundFiles: ['sample/background.h5'],
      signalFiles: Object.keys(signalShift).map(s => `sample/${s}.h5`),
      seeds: [1, 2, 3],
      trainingSeconds: 95.2,
      eventsPerSecond: 12_345.6,
    },
  };
}
