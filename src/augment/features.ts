import type { Columns, EncoderConfig } from '../addon.js';
import { Kind } from '../events/objects.js';
import { log1p, sinCos } from './math.js';

const f = Math.fround;
const angle = new Float32Array(2); // sine, cosine

/**
 * From events in GeV and radians to the rows that the encoder reads, as native/core/features.h writes them, to the bit:
 *
 *     [pt', eta/etaScale, phi/phiScale, isMET, isElectron, isMuon, isJet]     7 features
 *     [pt', eta/etaScale, sin phi, cos phi, isMET, isElectron, isMuon, isJet]  8 features
 *
 * pt' = pt/scale, or log(1 + pt)/log(1 + scale). An object with pt = 0 (a MET that balances) makes no row;
 * a constituent of a jet has four zeros for a class.
 *
 * @returns x [rows, features] and the first row of each event [events + 1]
 */
export function featureRows(
  config: Pick<EncoderConfig, 'features' | 'ptFeature' | 'ptScale' | 'etaScale' | 'phiScale'>,
  { pt, eta, phi, kind, offsets }: Columns,
): { x: Float32Array; offsets: Int32Array } {
  const events = offsets.length - 1;
  const rows = new Int32Array(events + 1);
  for (let e = 0; e < events; e++) {
    rows[e + 1] = rows[e];
    for (let o = offsets[e]; o < offsets[e + 1]; o++) if (pt[o] > 0) rows[e + 1]++;
  }
  const logarithmic = config.ptFeature === 'log';
  const ptScale = f(config.ptScale);
  const scale = f(1 / (logarithmic ? log1p(ptScale) : ptScale));
  const scales = directionScales(config);
  const [etaScale, phiScale] = [f(scales.etaScale), f(scales.phiScale)];
  const x = new Float32Array(rows[events] * config.features);
  let at = 0;
  for (let o = offsets[0]; o < offsets[events]; o++) {
    if (!(pt[o] > 0)) continue;
    x[at++] = f(logarithmic ? log1p(pt[o]) : pt[o]) * scale;
    x[at++] = eta[o] / etaScale;
    if (config.features === 8) {
      sinCos(phi[o], angle);
      x[at++] = angle[0];
      x[at++] = angle[1];
    } else {
      x[at++] = phi[o] / phiScale;
    }
    if (kind[o] !== Kind.constituent) x[at + kind[o] - 1] = 1;
    at += 4;
  }
  return { x, offsets: rows };
}

/** What eta and phi are divided by: the addon's defaults where left out. */
export function directionScales({ etaScale = 4, phiScale = Math.PI }: Pick<EncoderConfig, 'etaScale' | 'phiScale'>): {
  etaScale: number;
  phiScale: number;
} {
  return { etaScale, phiScale };
}
