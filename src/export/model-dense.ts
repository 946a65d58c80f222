import type { Card } from '../bundle/card.js';
import { AnomalyClrError } from '../errors.js';
import type { Graph } from './graph.js';
import { toBfloat16, toFloat16 } from './half.js';
import { transpose } from './weights.js';

/** Of int8, see {@link Dense}. */
const largestWeight = 63;

/** y = x W^T + b in float32, with W [outputs, inputs]. */
export function linear(graph: Graph, x: string, name: string, weight: Float32Array, bias: Float32Array): string {
  const outputs = bias.length;
  const w = graph.constant(`${name}/weight`, transpose(weight, outputs), [weight.length / outputs, outputs]);
  const b = graph.constant(`${name}/bias`, bias, [outputs]);
  return graph.node('Add', [graph.node('MatMul', [x, w], `${name}/product`), b], name);
}

/**
 * The encoder's weights and dense layers in one precision:
 *
 *     f32
 *     f16    factors of matrix products are float16, as automatic mixed precision has them
 *     bf16   matrices are stored as bfloat16 and widened, which ONNX Runtime does once when it loads
 *     int8   factors of matrix products quantised symmetrically: weights by output column, inputs by the range that
 *            quantise.ts measured. Written as QuantizeLinear and DequantizeLinear, which ONNX Runtime and TensorRT fuse.
 *            A fixed range, so that no event changes another's score; weights of 7 bits, since processors without VNNI
 *            add two products in 16 bits, where 8 would saturate: every processor gives the same scores.
 *
 * Biases, norms and attention stay float32 in all: a shift that all events share is what a whitening detector sees first.
 */
export class Dense {
  /** Inputs of the dense layers of the transformer, by the layers' paths. */
  readonly probes = new Map<string, string>();

  constructor(
    private readonly graph: Graph,
    readonly precision: Card['precision'],
    private readonly ranges: ReadonlyMap<string, number> | undefined,
  ) {}

  /** A dense layer of the transformer: y = x W^T + b. */
  layer(x: string, name: string, weight: Float32Array, bias: Float32Array): string {
    this.probes.set(this.graph.path(name), x);
    const product = this.product(x, name, weight, bias.length);
    return this.graph.node('Add', [product, this.graph.constant(`${name}/bias`, bias, [bias.length])], name);
  }

  /**
   * A dense layer that costs little, of the embedding or the head: its products stay float32. The embedding reads
   * features of unlike size, of which one range for all would leave little.
   */
  smallLayer(x: string, name: string, weight: Float32Array, bias: Float32Array): string {
    return this.precision === 'bf16' ? this.layer(x, name, weight, bias) : linear(this.graph, x, name, weight, bias);
  }

  private product(x: string, name: string, weight: Float32Array, outputs: number): string {
    const { graph, precision } = this;
    const [path, turned] = [`${name}/weight`, transpose(weight, outputs)];
    const shape = [weight.length / outputs, outputs];
    if (precision === 'int8') return this.quantisedProduct(x, name, turned, outputs);
    if (precision === 'f16') {
      const half = graph.constant(path, toFloat16(turned), shape, 'float16');
      const product = graph.node('MatMul', [graph.cast(x, 'float16', `${name}/input`), half], `${name}/half_product`);
      return graph.cast(product, 'float', `${name}/product`);
    }
    const w =
      precision === 'bf16'
        ? graph.cast(graph.constant(`${path}_stored`, toBfloat16(turned), shape, 'bfloat16'), 'float', path)
        : graph.constant(path, turned, shape);
    return graph.node('MatMul', [x, w], `${name}/product`);
  }

  /** @param weight [inputs, outputs] */
  private quantisedProduct(x: string, name: string, weight: Float32Array, outputs: number): string {
    const { graph } = this;
    const range = this.ranges?.get(graph.path(name));
    if (range === undefined)
      throw new AnomalyClrError(`layer ${graph.path(name)}: no range for int8; measure it on events first`);
    const scale = graph.constant(`${name}/input_scale`, Float32Array.of((range || 1) / 127), []);
    const zero = graph.constant(`${name}/input_zero`, Int8Array.of(0), []);
    // of three dimensions, since ONNX Runtime makes Gemm of two, for which it has no int8 kernel of this form
    const deep = graph.node('Unsqueeze', [x, graph.list(0)], `${name}/deep`);
    const quantised = graph.node('QuantizeLinear', [deep, scale, zero], `${name}/input_quantised`);
    const input = graph.node('DequantizeLinear', [quantised, scale, zero], `${name}/input`);
    const scales = new Float32Array(outputs);
    weight.forEach((w, i) => (scales[i % outputs] = Math.max(scales[i % outputs], Math.abs(w) / largestWeight)));
    const steps = scales.map(s => s || 1);
    const data = Int8Array.from(weight, (w, i) => Math.round(w / steps[i % outputs]));
    const w = graph.node(
      'DequantizeLinear',
      [
        graph.constant(`${name}/weight_quantised`, data, [weight.length / outputs, outputs]),
        graph.constant(`${name}/weight_scale`, steps, [outputs]),
        graph.constant(`${name}/weight_zero`, new Int8Array(outputs), [outputs]),
      ],
      `${name}/weight`,
      { axis: 1n },
    );
    return graph.node(
      'Squeeze',
      [graph.node('MatMul', [input, w], `${name}/deep_product`), graph.list(0)],
      `${name}/product`,
    );
  }
}
