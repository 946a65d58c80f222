import type { Card } from './card.js';

/** What a bundle says of some events. */
export interface BundleOutputs {
  /** [events]; undefined in a bundle of the encoder alone */
  readonly score: Float32Array | undefined;
  /** [events, card.representation.size]; empty where it was not asked for */
  readonly representation: Float32Array;
  /** 1 or 0. [events] */
  readonly inDomain: Uint8Array;
  /** [events] */
  readonly distance: Float32Array;
  /** [events, 5, 4], see card.ts */
  readonly crossed: Int32Array;
}

/** An opened bundle. Calls may overlap: they are shared out over its sessions, the others wait. */
export interface Bundle {
  readonly file: string;
  readonly card: Card;
  /** What computes, for instance `cpu`, and on how many sessions. */
  readonly provider: string;
  readonly sessions: number;
  /**
   * @param objects - [events, slots, 4] = pT [GeV], eta, phi [rad], class. Not changed, not kept.
   * @param want - whether the representations are asked for; default not
   */
  run(objects: Float32Array, events: number, slots: number, want?: { representation: boolean }): Promise<BundleOutputs>;
  dispose(): Promise<void>;
}

export interface OpenBundleOptions {
  readonly provider?: 'auto' | 'cpu' | 'cuda' | 'tensorrt';
  /** In all sessions together; 0 is one for every core. */
  readonly threads?: number;
  /** 0 is as many as pay. */
  readonly sessions?: number;
}
