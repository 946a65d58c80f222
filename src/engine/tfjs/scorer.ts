import type { NativeMember } from '../../addon.js';
import { featureRows } from '../../augment/features.js';
import { encoderLayout, perceptronLayout } from '../../model/layout.js';
import { makeCurrent } from '../../ops/backend.js';
import tf, { type Tensor1D, type Tensor2D } from '../../ops/tf.js';
import { AnomalyClrError } from '../../errors.js';
import { noKinds, sumCount, withSums } from '../../events/event-sums.js';
import type { Columns, DetectorConfig, DetectorModel, Floats, ScorerConfig, ScoringModel } from '../engine.js';
import { encode, layOutTokens } from './encoder.js';
import { Parameters } from './parameters.js';
import { matrix, read, scoresOf, TfjsPreparation } from './perceptron.js';
import { paddingOf, type Surroundings } from './trainer.js';

/** What `scoreNow` takes at most, as the native engine does. */
const mostNow = 64;
const frozen = { kind: 'adam' } as const;
/** What is reconstructed without any error has no logarithm; as the native scorer has it. */
const leastError = 1e-30;

/** A preparation, and networks on what it makes of rows. */
export class TfjsDetector implements DetectorModel {
  private readonly preparation: TfjsPreparation;
  private readonly members: readonly { config: NativeMember; parameters: Parameters }[];

  constructor(
    private readonly on: Surroundings,
    private readonly config: DetectorConfig,
  ) {
    makeCurrent(on.backend);
    this.preparation = new TfjsPreparation(config.preparation);
    this.members = config.members.map(member => {
      const parameters = new Parameters(perceptronLayout(member.widths), frozen);
      parameters.setWeights(member.weights);
      return { config: member, parameters };
    });
  }

  async score(x: Floats): Promise<Float32Array> {
    makeCurrent(this.on.backend);
    return read(tf.tidy(() => this.scores(matrix(x, this.config.preparation.inputs))));
  }

  /** The sum of the members on each row. */
  scores(rows: Tensor2D): Tensor1D {
    const prepared = this.preparation.apply(rows);
    const scores = this.members.map(({ config, parameters }) => {
      const [score] = parameters.use(weights => [scoresOf(config, weights, prepared)]);
      const f = config.logarithm ? tf.log(tf.maximum(score, leastError)) : score;
      return tf.div<Tensor1D>(tf.sub(f, config.mean), config.deviation);
    });
    return scores.length === 1 ? scores[0] : tf.addN(scores);
  }

  dispose(): void {
    this.preparation.dispose();
    for (const { parameters } of this.members) parameters.dispose();
  }
}

/** An encoder read at some columns, sums of events, and a detector on both. */
export class TfjsScorer implements ScoringModel {
  private readonly detector: TfjsDetector;
  private readonly parameters: Parameters;

  constructor(
    private readonly on: Surroundings,
    private readonly config: ScorerConfig,
  ) {
    this.detector = new TfjsDetector(on, config);
    this.parameters = new Parameters(encoderLayout(config.encoder), frozen);
    this.parameters.setWeights(config.encoder.weights);
  }

  async score(events: Columns): Promise<Float32Array> {
    return read(this.scores(events));
  }

  scoreNow(events: Columns): Float32Array {
    const count = events.offsets.length - 1;
    if (count > mostNow)
      throw new AnomalyClrError(`scoreNow takes at most ${mostNow} events, was given ${count}; use score`);
    const scores = this.scores(events);
    const values = scores.dataSync<'float32'>().slice();
    scores.dispose();
    return values;
  }

  async embed(events: Columns): Promise<Float32Array> {
    makeCurrent(this.on.backend);
    return read(tf.tidy(() => this.rows(events)));
  }

  dispose(): void {
    this.detector.dispose();
    this.parameters.dispose();
  }

  private scores(events: Columns) {
    makeCurrent(this.on.backend);
    return tf.tidy(() => this.detector.scores(this.rows(events)));
  }

  /** What the detector reads: only the layers of the head that it needs are computed. */
  private rows(events: Columns): Tensor2D {
    const { encoder } = this.config;
    const { width, output, from, to, sums = noKinds } = encoder;
    const headLayers = Math.min(encoder.headLayers, Math.ceil(Math.max(0, to - width) / output));
    const { layout, x } = layOutTokens(featureRows(encoder, events), encoder.features, paddingOf(this.on));
    const [rows] = this.parameters.use(weights => {
      const reps = encode(
        { ...encoder, headLayers },
        weights,
        tf.tensor2d(x, [layout.rows, encoder.features]),
        layout,
        this.on.kernels,
      );
      const columns = tf.slice(tf.concat(reps, 1), [0, from], [-1, to - from]);
      return [sums.length === 0 ? columns : tf.concat([columns, sumsOf(events, sums)], 1)];
    });
    return rows;
  }
}

/** [events, sums] */
function sumsOf(events: Columns, codes: Int32Array): Tensor2D {
  const count = events.offsets.length - 1;
  return tf.tensor2d(withSums(new Float32Array(0), events, codes) as Float32Array, [count, sumCount(codes)]);
}
