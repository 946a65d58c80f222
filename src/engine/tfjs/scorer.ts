import { featureRows } from '../../augment/features.js';
import { encoderLayout, autoencoderLayout } from '../../model/layout.js';
import { makeCurrent } from '../../ops/backend.js';
import tf, { type Tensor2D } from '../../ops/tf.js';
import { AnomalyClrError } from '../../errors.js';
import type { Columns, DetectorConfig, DetectorModel, Floats, ScorerConfig, ScoringModel } from '../engine.js';
import { errorsOf, matrix, read, TfjsPreparation } from './autoencoder.js';
import { encode, layOutTokens } from './encoder.js';
import { Parameters } from './parameters.js';
import { paddingOf, type Surroundings } from './trainer.js';

/** What `scoreNow` takes at most, as the native engine does. */
const mostNow = 64;
const frozen = { kind: 'adam' } as const;

/** A preparation, and an autoencoder on what it makes of rows. */
export class TfjsDetector implements DetectorModel {
  private readonly preparation: TfjsPreparation;
  private readonly parameters: Parameters;

  constructor(
    private readonly on: Surroundings,
    private readonly config: DetectorConfig,
  ) {
    makeCurrent(on.backend);
    this.preparation = new TfjsPreparation(config.preparation);
    this.parameters = new Parameters(autoencoderLayout(config.autoencoder.widths), frozen);
    this.parameters.setWeights(config.autoencoder.weights);
  }

  async score(x: Floats): Promise<Float32Array> {
    makeCurrent(this.on.backend);
    const [errors] = tf.tidy(() => [this.errors(matrix(x, this.config.preparation.inputs))]);
    return read(errors);
  }

  errors(rows: Tensor2D) {
    const prepared = this.preparation.apply(rows);
    return this.parameters.use(weights => [errorsOf(this.config.autoencoder, weights, prepared)])[0];
  }

  dispose(): void {
    this.preparation.dispose();
    this.parameters.dispose();
  }
}

/** An encoder read at some columns, and a detector on these. */
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
    return tf.tidy(() => this.detector.errors(this.rows(events)));
  }

  /** What the detector reads: only the layers of the head that it needs are computed. */
  private rows(events: Columns): Tensor2D {
    const { encoder } = this.config;
    const { width, output, from, to } = encoder;
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
      return [tf.slice(tf.concat(reps, 1), [0, from], [-1, to - from])];
    });
    return rows;
  }
}
