import fc from 'fast-check';
import type { Columns } from '../../src/addon.js';
import { Kind, layout } from '../../src/events/objects.js';

/** The most objects of an event: kMaxObjects of native/core/event.h. */
export const mostObjects = 64;

type One = [kind: number, pt: number, eta: number, phi: number];

const single = (min: number, max: number) =>
  fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true, noDefaultInfinity: true });
const azimuth = single(-Math.PI, Math.PI);

function objects(kind: 'electron' | 'muon' | 'jet', maxLength: number): fc.Arbitrary<One[]> {
  const { minPt, maxAbsEta } = layout[kind];
  return fc.array(fc.tuple(fc.constant(Kind[kind]), single(minPt, 500), single(-maxAbsEta, maxAbsEta), azimuth), {
    maxLength,
    size: 'max',
  });
}

function event(electrons: number, muons: number, jets: number): fc.Arbitrary<One[]> {
  const met = fc.tuple(fc.constant(Kind.met), single(0, 500), fc.constant(0), azimuth);
  return fc
    .tuple(
      fc.array(met, { maxLength: 1 }),
      objects('electron', electrons),
      objects('muon', muons),
      objects('jet', jets),
    )
    .map(parts => parts.flat());
}

/** Up to 20 events within the acceptance, pt in GeV: mostly as ADC2021 holds them, some crowded up to the limit. */
export const someEvents: fc.Arbitrary<Columns> = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: event(4, 4, 10) },
      { weight: 1, arbitrary: event(21, 21, 21) },
      { weight: 1, arbitrary: event(0, 0, mostObjects - 1) },
    ),
    { minLength: 1, maxLength: 20 },
  )
  .map(events => {
    const all = events.flat();
    const offsets = [0];
    for (const one of events) offsets.push(offsets[offsets.length - 1] + one.length);
    return {
      kind: Uint8Array.from(all, o => o[0]),
      pt: Float32Array.from(all, o => o[1]),
      eta: Float32Array.from(all, o => o[2]),
      phi: Float32Array.from(all, o => o[3]),
      offsets: Int32Array.from(offsets),
    };
  });
