import fc from 'fast-check';
import type { Columns } from '../../src/addon.js';
import { Draws } from '../../src/events/philox.js';
import { Kind } from '../../src/events/objects.js';
import { mostObjects } from './augment-events.js';

/** A constituent: pt in GeV, eta and phi relative to the axis. */
export type Constituent = readonly [pt: number, eta: number, phi: number];

export function jetColumns(jets: readonly (readonly Constituent[])[]): Columns {
  const all = jets.flat();
  const offsets = [0];
  for (const jet of jets) offsets.push(offsets[offsets.length - 1] + jet.length);
  const column = (place: 0 | 1 | 2) => Float32Array.from(all, o => o[place]);
  return {
    pt: column(0),
    eta: column(1),
    phi: column(2),
    kind: new Uint8Array(all.length).fill(Kind.constituent),
    offsets: Int32Array.from(offsets),
  };
}

/** Jets of 1 to `most` constituents, the hardest first, pt from 0.05 to 300 GeV, most of them near the axis. */
export function drawnJets(count: number, most: number, seed: number): Columns {
  const draws = new Draws(seed, 0, 0, 77);
  const uniform = (low: number, high: number) => low + (high - low) * draws.uniform();
  return jetColumns(
    Array.from({ length: count }, () =>
      Array.from({ length: 1 + Math.floor(most * draws.uniform()) }, (): Constituent => {
        const distance = 0.5 * draws.uniform() ** 2;
        const angle = uniform(-Math.PI, Math.PI);
        return [0.05 * 6000 ** (draws.uniform() ** 2), distance * Math.cos(angle), distance * Math.sin(angle)];
      }).toSorted((a, b) => b[0] - a[0]),
    ),
  );
}

/** Jets at the edges: one constituent, a full one, all of one pt, all on one point, at the ends of phi, none at all. */
export function edgeJets(): Columns {
  const many = (n: number, of: (i: number) => Constituent) => Array.from({ length: n }, (_, i) => of(i));
  const pi = Math.fround(Math.PI);
  return jetColumns([
    [],
    [[100, 0.1, -0.1]],
    [[100, 0, -0]],
    many(2, () => [50, 0.2, 0.3]),
    many(mostObjects, i => [300 / (i + 1), 0.01 * i, -0.005 * i]),
    many(mostObjects - 1, () => [10, 0.1, 0.1]),
    many(30, i => [7, 0.02 * (i % 6), 0.03 * (i % 5)]),
    many(12, i => [1e-3 * 10 ** i, 0.1 * (i % 3), 0.1 * (i % 4)]),
    [
      [80, 0.3, pi],
      [60, -0.3, -pi],
      [40, 0, 3],
    ],
    many(3, i => [20 - i, 2 * (i - 1), 1.5 * (i - 1)]),
    [],
  ]);
}

const single = (min: number, max: number) =>
  fc.float({ min: Math.fround(min), max: Math.fround(max), noNaN: true, noDefaultInfinity: true });

/** Up to 12 jets, some crowded up to the limit. */
export const someJets: fc.Arbitrary<Columns> = fc
  .array(
    fc.array(fc.tuple(single(1e-3, 2000), single(-1, 1), single(-1, 1)), { maxLength: mostObjects, size: 'max' }),
    { minLength: 1, maxLength: 12 },
  )
  .map(jetColumns);

/** Jet e alone. */
export function jetAt({ pt, eta, phi, kind, offsets }: Columns, e: number): Columns {
  const [from, to] = [offsets[e], offsets[e + 1]];
  return {
    pt: pt.subarray(from, to),
    eta: eta.subarray(from, to),
    phi: phi.subarray(from, to),
    kind: kind.subarray(from, to),
    offsets: Int32Array.of(0, to - from),
  };
}

/** Scalar sum of pt and centre of a jet. */
export function shapeOf({ pt, eta, phi }: Columns): { pt: number; eta: number; phi: number } {
  let [sum, x, y] = [0, 0, 0];
  pt.forEach((p, o) => {
    sum += p;
    x += p * eta[o];
    y += p * phi[o];
  });
  return { pt: sum, eta: x / sum, phi: y / sum };
}
