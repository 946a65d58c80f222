import type { BundleOutputs } from '../bundle/bundle.js';
import type { Card } from '../bundle/card.js';
import type { Live } from './live.js';
import { AnomalyClrError } from '../errors.js';

/** Keeps what {@link Live} tells of the events that were scored, in bounded memory. */
export class Monitor {
  constructor(readonly card: Card) {}
  record(_objects: Float32Array, _events: number, _slots: number, _outputs: BundleOutputs): void {}
  snapshot(): Live {
    throw new AnomalyClrError('nothing is monitored yet');
  }
}
