import type { Addon, TokenRows } from '../../addon.js';
import { featureRows } from '../../augment/features.js';
import { AnomalyClrError } from '../../errors.js';
import { takeObjects } from '../../events/event-batch.js';
import { encoderLayout } from '../../model/layout.js';
import type { Kernels } from '../../ops/attention.js';
import { makeCurrent, type Backend } from '../../ops/backend.js';
import { contrastiveLoss } from '../../ops/contrast.js';
import tf, { type Scalar, type Tensor, type Tensor2D } from '../../ops/tf.js';
import type {
  Columns,
  ContrastiveModel,
  Floats,
  OptimiserState,
  StepRequest,
  StepResult,
  TrainerConfig,
} from '../engine.js';
import { drawDropout, type DropoutKey } from './dropout.js';
import { encode, layOutTokens, type LayerDropout, type Tokens } from './encoder.js';
import { Parameters, type Weights } from './parameters.js';

/** What the models of one engine share. */
export interface Surroundings {
  readonly backend: Backend;
  readonly kernels: Kernels;
  /** Draws random bytes faster than TypeScript does, where it is there. */
  readonly addon: Addon | undefined;
}

/** Rows of padding that are as dear as a bucket: native attention has no buckets and takes no padding. */
export const paddingOf = ({ backend, kernels }: Pick<Surroundings, 'backend' | 'kernels'>): number =>
  kernels === 'native' ? 0 : backend.bucketRows;

/** Makes one view of events, or of those at `index`. */
export type MakeView = (
  view: 0 | 1 | 2,
  events: Columns,
  key: { seed: number; epoch: number; index: Int32Array; ids?: Int32Array },
) => Promise<Columns>;

/** An encoder that learns by contrast on TensorFlow.js; all views of a batch go through it as one. */
export class TfjsTrainer implements ContrastiveModel {
  private readonly parameters: Parameters;

  /** @param views how many the loss takes: 2 or 3 */
  constructor(
    private readonly on: Surroundings,
    private readonly config: TrainerConfig,
    private readonly views: number,
    private readonly makeView: MakeView,
  ) {
    makeCurrent(on.backend);
    this.parameters = new Parameters(encoderLayout(config), config.optimiser);
  }

  weights(): Float32Array {
    return this.parameters.weights();
  }
  setWeights(weights: Floats): void {
    this.parameters.setWeights(weights);
  }
  optimiserState(): OptimiserState {
    return this.parameters.state();
  }
  setOptimiserState(state: OptimiserState): void {
    this.parameters.setState(state);
  }
  dispose(): void {
    this.parameters.dispose();
  }

  async step({ rate, ...request }: StepRequest): Promise<StepResult> {
    const { seed, epoch, index, ids = index } = request;
    return this.onViews(await this.viewsOf(request), rate, { seed, epoch, ids });
  }

  async loss(request: Omit<StepRequest, 'rate' | 'next'>): Promise<number> {
    return (await this.onViews(await this.viewsOf(request))).loss;
  }

  /** A step on views made elsewhere, without dropout; without a rate the loss alone. */
  stepOnViews(views: readonly TokenRows[], rate?: number): Promise<StepResult> {
    return this.onViews(views.slice(0, this.views), rate);
  }

  async embed(events: Columns, index?: Int32Array): Promise<Float32Array> {
    return this.reps(featureRows(this.config, index ? takeObjects(events, index) : events));
  }

  /** [events, width + headLayers * output]: representations of rows of features. */
  async reps(rows: TokenRows): Promise<Float32Array> {
    makeCurrent(this.on.backend);
    const tokens = this.layOut(rows);
    const [reps] = this.parameters.use(weights => [tf.concat(this.encode(weights, tokens, this.input(tokens)), 1)]);
    const values = await reps.data<'float32'>();
    reps.dispose();
    return values;
  }

  /** Gradients of sum(reps * dreps) with respect to weights and rows of features. */
  async gradients(rows: TokenRows & { dreps: Floats }): Promise<{ weights: Float32Array; x: Float32Array }> {
    makeCurrent(this.on.backend);
    const tokens = this.layOut(rows);
    const dreps = tf.tensor1d(Float32Array.from(rows.dreps));
    const [dx, dweights] = this.parameters.gradients(this.input(tokens), (weights, x) =>
      tf.sum(tf.mul(tf.reshape(tf.concat(this.encode(weights, tokens, x as Tensor2D), 1), [-1]), dreps)),
    );
    const [weights, ofRows] = await Promise.all([dweights.data<'float32'>(), dx.data<'float32'>()]);
    for (const tensor of [dreps, dx, dweights]) tensor.dispose();
    const { features } = this.config;
    const x = new Float32Array(rows.x.length);
    tokens.layout.rowOf.forEach((row, object) =>
      x.set(ofRows.subarray(row * features, (row + 1) * features), object * features),
    );
    return { weights, x };
  }

  private async viewsOf({ events, ...key }: Omit<StepRequest, 'rate' | 'next'>): Promise<TokenRows[]> {
    const rows: TokenRows[] = [];
    for (const view of ([0, 1, 2] as const).slice(0, this.views))
      rows.push(featureRows(this.config, await this.makeView(view, events, key)));
    return rows;
  }

  private async onViews(views: readonly TokenRows[], rate?: number, dropout?: DropoutKey): Promise<StepResult> {
    makeCurrent(this.on.backend);
    if (views.length < this.views || views.some(({ offsets }) => offsets.length !== views[0].offsets.length))
      throw new AnomalyClrError(`a step takes ${this.views} views of the same events`);
    const rows = joinRows(views);
    const tokens = this.layOut(rows);
    const drops = dropout && drawDropout(this.config, tokens.layout, rows.offsets, dropout, this.on.addon);
    return this.parameters.step(weights => this.lossOf(weights, tokens, drops), rate);
  }

  private lossOf(weights: Weights, tokens: Tokens, dropout: LayerDropout[] | undefined): Scalar {
    const reps = this.encode(weights, tokens, this.input(tokens), dropout);
    const [z, zPhysical, zAnomalous] = tf.split(reps[reps.length - 1], this.views) as Tensor2D[];
    return contrastiveLoss(z, zPhysical, zAnomalous, this.config, this.on.kernels);
  }

  private layOut(rows: TokenRows): Tokens {
    return layOutTokens(rows, this.config.features, paddingOf(this.on));
  }
  private input({ x, layout }: Tokens): Tensor2D {
    return tf.tensor2d(x, [layout.rows, this.config.features]);
  }
  private encode(weights: Weights, { layout }: Tokens, x: Tensor2D, dropout?: LayerDropout[]): Tensor[] {
    return encode(this.config, weights, x, layout, this.on.kernels, dropout);
  }
}

/** The rows of all views, one view after another. */
function joinRows(views: readonly TokenRows[]): TokenRows {
  const events = views[0].offsets.length - 1;
  const offsets = new Int32Array(views.length * events + 1);
  const x = new Float32Array(views.reduce((sum, view) => sum + view.x.length, 0));
  let at = 0;
  views.forEach((view, v) => {
    const first = offsets[v * events];
    for (let e = 1; e <= events; e++) offsets[v * events + e] = first + view.offsets[e];
    x.set(view.x, at);
    at += view.x.length;
  });
  return { x, offsets };
}
