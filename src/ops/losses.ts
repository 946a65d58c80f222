import tf, { type Tensor1D } from './tf.js';

/** What the share of each event is made of. All [N]; 0 where the loss does not use it. */
export interface LossTerms {
  /** Cosines of the anchors with their physical and anomalous views. */
  readonly uv: Tensor1D;
  readonly uw: Tensor1D;
  /** log sum of exp(cosine/temperature) of each anchor, and of each physical view, with all other events. */
  readonly lseU: Tensor1D;
  readonly lseV: Tensor1D;
  readonly inverseTemperature: number;
  readonly invariance: number;
  readonly anomaly: number;
}

/** The TensorFlow.js form of a loss of native/loss/, whose headers have the formulas. */
export interface PureLoss {
  readonly usesAnomalous: boolean;
  /** `required`: undefined without another event; `optional`: it has the physical pair in it. */
  readonly denominator: 'none' | 'required' | 'optional';
  /** The share of each event, whose mean is the loss. */
  readonly row: (terms: LossTerms) => Tensor1D;
}

const clr: PureLoss = {
  usesAnomalous: false,
  denominator: 'required',
  row: ({ uv, lseU, lseV, inverseTemperature, invariance }) =>
    tf.sub(tf.mul(tf.add(lseU, lseV), 0.5), tf.mul(uv, invariance * inverseTemperature)),
};

const repulsion = ({ uw, anomaly, inverseTemperature }: LossTerms): Tensor1D =>
  tf.mul(uw, anomaly * inverseTemperature);

/** By the names of native/loss/; the parity test finds pairs. */
export const pureLosses: Readonly<Record<string, PureLoss>> = {
  clr,
  anomclr: { ...clr, usesAnomalous: true, row: terms => tf.add(clr.row(terms), repulsion(terms)) },
  'anomclr+': {
    usesAnomalous: true,
    denominator: 'none',
    row: terms => tf.sub(repulsion(terms), tf.mul(terms.uv, terms.invariance * terms.inverseTemperature)),
  },
  ntxent: {
    usesAnomalous: false,
    denominator: 'optional',
    // log(e^lse + e^s) - s = softplus(lse - s), which does not cancel where the pair is far above all others
    row: ({ uv, lseU, lseV, inverseTemperature, invariance }) => {
      const pair = tf.mul(uv, inverseTemperature);
      const share = (lse: Tensor1D) => tf.softplus(tf.sub(lse, pair));
      const both = tf.mul(tf.add(share(lseU), share(lseV)), 0.5) as Tensor1D;
      return invariance === 1 ? both : tf.add(both, tf.mul(pair, 1 - invariance));
    },
  },
};
