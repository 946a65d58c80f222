import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';

type Attribute = number | bigint | readonly bigint[];
/** A length known when the graph is built, or the name of one that each call may choose. */
type Length = number | string;

const opset = 17n;
const irVersion = 8n;

/** An ONNX graph of standard operations that grows node by node; every value is called by the node that makes it. */
export class Graph {
  private readonly nodes: MessageInitShape<typeof onnx.NodeProtoSchema>[] = [];
  private readonly constants: MessageInitShape<typeof onnx.TensorProtoSchema>[] = [];
  private readonly inputs: MessageInitShape<typeof onnx.ValueInfoProtoSchema>[] = [];

  input(name: string, shape: readonly Length[]): string {
    this.inputs.push(value(name, shape));
    return name;
  }

  constant(name: string, data: Float32Array | BigInt64Array, shape: readonly number[]): string {
    const { FLOAT, INT64 } = onnx.TensorProto_DataType;
    this.constants.push({
      name,
      dataType: data instanceof BigInt64Array ? INT64 : FLOAT,
      dims: shape.map(BigInt),
      rawData: new Uint8Array(data.slice().buffer),
    });
    return name;
  }

  /** A list of whole numbers, as operations take axes and shapes. */
  list(name: string, values: readonly number[]): string {
    return this.constant(name, BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** @param attributes a number is a float, a bigint an integer */
  node(opType: string, input: string[], name: string, attributes: Readonly<Record<string, Attribute>> = {}): string {
    const attribute = Object.entries(attributes).map(([key, of]) => ({ name: key, ...attributeValue(of) }));
    this.nodes.push({ opType, name, input, output: [name], attribute });
    return name;
  }

  /** y = x W^T + b, with W [outputs, inputs] as PyTorch keeps it. */
  linear(x: string, name: string, weight: Float32Array, bias: Float32Array): string {
    const outputs = bias.length;
    const inputs = weight.length / outputs;
    const turned = Float32Array.from(weight, (_, i) => weight[(i % outputs) * inputs + Math.floor(i / outputs)]);
    const product = this.node('MatMul', [x, this.constant(`${name}.w`, turned, [inputs, outputs])], `${name}.product`);
    return this.node('Add', [product, this.constant(`${name}.b`, bias, [outputs])], name);
  }

  layerNorm(x: string, name: string, gain: Float32Array, offset: Float32Array): string {
    const [g, o] = [gain, offset].map((of, k) => this.constant(`${name}.${'go'[k]}`, of, [of.length]));
    return this.node('LayerNormalization', [x, g, o], name, { axis: -1n, epsilon: 1e-5 });
  }

  /** The model as a file would hold it, with one output of this shape. */
  bytes(output: string, shape: readonly Length[]): Uint8Array {
    const model = create(onnx.ModelProtoSchema, {
      irVersion,
      producerName: 'anomalyclr',
      opsetImport: [{ domain: '', version: opset }],
      graph: {
        name: 'anomalyclr',
        node: this.nodes,
        initializer: this.constants,
        input: this.inputs,
        output: [value(output, shape)],
      },
    });
    return toBinary(onnx.ModelProtoSchema, model);
  }
}

function attributeValue(of: Attribute): MessageInitShape<typeof onnx.AttributeProtoSchema> {
  const { FLOAT, INT, INTS } = onnx.AttributeProto_AttributeType;
  if (typeof of === 'number') return { type: FLOAT, f: of };
  if (typeof of === 'bigint') return { type: INT, i: of };
  return { type: INTS, ints: [...of] };
}

function value(name: string, shape: readonly Length[]): MessageInitShape<typeof onnx.ValueInfoProtoSchema> {
  const dim = shape.map(of => ({
    value:
      typeof of === 'string'
        ? { case: 'dimParam' as const, value: of }
        : { case: 'dimValue' as const, value: BigInt(of) },
  }));
  const tensor = { elemType: onnx.TensorProto_DataType.FLOAT, shape: { dim } };
  return { name, type: { value: { case: 'tensorType', value: tensor } } };
}
