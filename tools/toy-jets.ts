// Toy jets, to try the machinery on: their physics is of the right kind, their numbers are nobody's. Jets of one radius,
// seen in the plane across their axis; momenta in GeV.
import { Draws } from '../src/events/philox.js';
import { GrowingHdf5 } from '../src/read/hdf5-growing.js';

/** `qcd`: quarks and gluons; `two-prong`: a heavy particle's two quarks; `semi-visible`: a dark shower, partly unseen. */
export const toyKinds = ['qcd', 'two-prong', 'semi-visible'] as const;
export type ToyKind = (typeof toyKinds)[number];

interface Momentum {
  readonly pt: number;
  readonly eta: number;
  readonly phi: number;
}

/** Constituents by falling pT, eta and phi relative to the jet's axis, and the jet's own pT, mass and how many there are. */
export interface ToyJet {
  readonly constituents: readonly Momentum[];
  readonly pt: number;
  readonly mass: number;
}

const radius = 0.8;
/** pT falls exponentially from the least. */
const [leastPt, slopePt] = [500, 60];
const quarkShare = 0.5;
/** Of the heavy particle. */
const heavyMass = 80.4;
/** Dark mesons: their mass, and the share of them that is not seen. */
const [darkMass, unseen] = [8, 0.4];
/** What a detector sees. */
const [leastSeenPt, ptResolution, angularResolution] = [0.5, 0.02, 0.003];

/** How a coupling radiates: emissions harder than `cutoff` in kT, at alpha(kT) = 1 / (b ln(kT^2 / lambda^2)). */
interface Coupling {
  readonly cutoff: number;
  readonly lambda: number;
  readonly b: number;
}
const strong: Coupling = { cutoff: 1, lambda: 0.25, b: 0.61 };
const dark: Coupling = { cutoff: 2 * darkMass, lambda: darkMass, b: 0.61 };
const [quark, gluon] = [4 / 3, 3]; // colour factors

/** Jet `index` of a kind: the same for the same seed, whatever was made before. */
export function toyJet(kind: ToyKind, seed: number, index: number): ToyJet {
  const draws = new Draws(seed, toyKinds.indexOf(kind), index, 0);
  for (;;) {
    const target = leastPt - slopePt * Math.log(draws.uniform());
    const seen = detect(particlesOf(kind, target, draws), draws);
    if (seen.length > 0) return measure(seen, target);
  }
}

/** Width 1 (Box and Muller). */
function normal(draws: Draws): number {
  return Math.sqrt(-2 * Math.log(draws.uniform())) * Math.cos(2 * Math.PI * draws.uniform());
}

function particlesOf(kind: ToyKind, pt: number, draws: Draws): Momentum[] {
  const axis = { pt, eta: 0, phi: 0 };
  if (kind === 'qcd') return quarks([axis], radius, draws, draws.uniform() < quarkShare ? quark : gluon);
  if (kind === 'two-prong') {
    const [angle, ...prongs] = decay(axis, heavyMass, draws);
    return quarks(prongs, Math.min(angle, radius), draws);
  }
  const mesons = shower({ ...axis, pt: pt / (1 - unseen) }, radius, gluon, dark, draws);
  return mesons
    .filter(() => draws.uniform() >= unseen)
    .flatMap(meson => {
      const [angle, ...prongs] = decay(meson, darkMass, draws);
      return quarks(prongs, Math.min(angle, radius), draws);
    });
}

/** Partons radiate and become hadrons. */
function quarks(partons: readonly Momentum[], angle: number, draws: Draws, colour = quark): Momentum[] {
  return partons.flatMap(parton => shower(parton, angle, colour, strong, draws).flatMap(one => hadrons(one, draws)));
}

/**
 * Two massless daughters of a particle of mass m, isotropic in its rest frame: shares z and 1 - z of its pT with z uniform,
 * their distance m / (pT sqrt(z (1 - z))).
 */
function decay(of: Momentum, mass: number, draws: Draws): [angle: number, one: Momentum, other: Momentum] {
  let z: number;
  let angle: number;
  const widest = Math.max(radius, (2.5 * mass) / of.pt);
  do {
    z = draws.uniform();
    angle = mass / (of.pt * Math.sqrt(z * (1 - z)));
  } while (!(angle < widest));
  return [angle, ...part(of, z, angle, draws)];
}

/** Shares z and 1 - z of a momentum at a distance, in a random direction, the sum where it was. */
function part({ pt, eta, phi }: Momentum, z: number, angle: number, draws: Draws): [Momentum, Momentum] {
  const turn = 2 * Math.PI * draws.uniform();
  const [x, y] = [angle * Math.cos(turn), angle * Math.sin(turn)];
  return [
    { pt: z * pt, eta: eta + (1 - z) * x, phi: phi + (1 - z) * y },
    { pt: (1 - z) * pt, eta: eta - z * x, phi: phi - z * y },
  ];
}

/**
 * Angular-ordered branchings, each narrower than the one before: d ln(1/angle) dz/z 2 C alpha(kT) / pi P(z), where
 * kT = z pT angle and P(z) = (1 + (1 - z)^2) / 2, by the veto algorithm. What is radiated are gluons.
 */
function shower(of: Momentum, from: number, colour: number, coupling: Coupling, draws: Draws): Momentum[] {
  const { cutoff, lambda, b } = coupling;
  const alpha = (kt: number) => 1 / (b * Math.log((kt * kt) / (lambda * lambda)));
  let angle = from;
  for (;;) {
    const least = cutoff / (of.pt * angle);
    if (least >= 0.5) return [of];
    const rate = ((2 * colour) / Math.PI) * alpha(cutoff) * Math.log(0.5 / least);
    angle *= draws.uniform() ** (1 / rate);
    const z = least * (0.5 / least) ** draws.uniform();
    const kt = z * of.pt * angle;
    if (kt < cutoff || draws.uniform() > (alpha(kt) / alpha(cutoff)) * ((1 + (1 - z) ** 2) / 2)) continue;
    const [soft, hard] = part(of, z, angle, draws);
    return [...shower(hard, angle, colour, coupling, draws), ...shower(soft, angle, gluon, coupling, draws)];
  }
}

/** A parton as a few hadrons: random shares of its pT, each with a kT of some 0.3 GeV across it. */
function hadrons({ pt, eta, phi }: Momentum, draws: Draws): Momentum[] {
  const count = 2 + Math.floor(draws.uniform() * 2 * Math.log(1 + pt));
  const shares = Array.from({ length: count }, () => -Math.log(draws.uniform()));
  const total = shares.reduce((a, s) => a + s, 0);
  return shares.map(share => {
    const own = (pt * share) / total;
    const width = Math.min(0.3, 0.3 / own);
    return { pt: own, eta: eta + width * normal(draws), phi: phi + width * normal(draws) };
  });
}

/** What is left of particles within the radius, smeared. */
function detect(particles: readonly Momentum[], draws: Draws): Momentum[] {
  return particles
    .map(({ pt, eta, phi }) => ({
      pt: pt * (1 + ptResolution * normal(draws)),
      eta: eta + angularResolution * normal(draws),
      phi: phi + angularResolution * normal(draws),
    }))
    .filter(({ pt, eta, phi }) => pt > leastSeenPt && Math.hypot(eta, phi) < radius);
}

/** Brings the jet to pT `target`, so that pT by itself tells no kinds apart, and its constituents to its axis. */
function measure(seen: readonly Momentum[], target: number): ToyJet {
  let [energy, px, py, pz] = [0, 0, 0, 0];
  for (const { pt, eta, phi } of seen) {
    energy += pt * Math.cosh(eta);
    px += pt * Math.cos(phi);
    py += pt * Math.sin(phi);
    pz += pt * Math.sinh(eta);
  }
  const pt = Math.hypot(px, py);
  const [eta, phi, scale] = [Math.asinh(pz / pt), Math.atan2(py, px), target / pt];
  const constituents = seen
    .map(one => ({ pt: one.pt * scale, eta: one.eta - eta, phi: one.phi - phi }))
    .toSorted((a, b) => b.pt - a.pt);
  return { constituents, pt: target, mass: scale * Math.sqrt(Math.max(0, energy ** 2 - px ** 2 - py ** 2 - pz ** 2)) };
}

/**
 * Writes jets in the layout of JetNet: `particle_features` [jets, particles, 4] = eta and phi relative to the jet's axis,
 * pT relative to the jet's, mask; `jet_features` [jets, 4] = pT [GeV], eta, mass [GeV], number of particles.
 *
 * @param options - `particles`: how many the file has room for, the hardest are kept; `first`: index of the first jet
 */
export async function writeToyJets(
  file: string,
  kind: ToyKind,
  options: { readonly jets: number; readonly seed: number; readonly particles?: number; readonly first?: number },
): Promise<void> {
  const { jets, seed, particles = 40, first = 0 } = options;
  const chunk = 1024;
  const output = await GrowingHdf5.create(
    file,
    [
      { name: 'particle_features', type: 'float32', chunk: [chunk, particles, 4] },
      { name: 'jet_features', type: 'float32', chunk: [chunk, 4] },
    ],
    4,
  );
  try {
    for (let from = 0; from < jets; from += chunk) {
      const rows = Math.min(chunk, jets - from);
      const ofParticles = new Float32Array(rows * particles * 4);
      const ofJets = new Float32Array(rows * 4);
      for (let row = 0; row < rows; row++) {
        const index = first + from + row;
        const jet = toyJet(kind, seed, index);
        const kept = jet.constituents.slice(0, particles);
        for (const [i, { pt, eta, phi }] of kept.entries())
          ofParticles.set([eta, phi, pt / jet.pt, 1], (row * particles + i) * 4);
        // where it lay in the detector, which its constituents do not tell
        const eta = 2 * (2 * new Draws(seed, toyKinds.length, index, 0).uniform() - 1);
        ofJets.set([jet.pt, eta, jet.mass, kept.length], row * 4);
      }
      output.append('particle_features', ofParticles);
      output.append('jet_features', ofJets);
    }
  } catch (error) {
    await output.abort();
    throw error;
  }
  await output.close();
}
