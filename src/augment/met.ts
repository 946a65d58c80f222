import { Kind } from '../events/objects.js';
import type { MutableEvent } from './event.js';
import { atan2, sinCos } from './math.js';

const { fround: f, sqrt } = Math;
const angle = new Float32Array(2); // sine, cosine

/**
 * MET - (px, py): what the visible objects gained, GeV. An event stored without MET has MET 0; one without MET and without
 * a place left for it keeps none.
 */
export function balanceMet(event: MutableEvent, px: number, py: number): void {
  if (event.met() < 0 && !event.add(0, 0, 0, Kind.met)) return;
  const met = event.met();
  sinCos(event.phi[met], angle);
  const x = f(f(event.pt[met] * angle[1]) - px);
  const y = f(f(event.pt[met] * angle[0]) - py);
  event.pt[met] = sqrt(f(f(x * x) + f(y * y)));
  event.phi[met] = atan2(y, x);
}
