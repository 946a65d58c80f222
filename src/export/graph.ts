import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf';
import * as onnx from 'onnx-buf';

type Attribute = number | bigint | string | readonly bigint[];
/** A length known when the graph is built, or the name of one that each call may choose. */
export type Length = number | string;
type Shape = readonly Length[];

/** Element types and the arrays that hold them; half-size floats as their bits. */
const elementTypes = {
  float: onnx.TensorProto_DataType.FLOAT,
  float16: onnx.TensorProto_DataType.FLOAT16,
  bfloat16: onnx.TensorProto_DataType.BFLOAT16,
  int8: onnx.TensorProto_DataType.INT8,
  int32: onnx.TensorProto_DataType.INT32,
  int64: onnx.TensorProto_DataType.INT64,
  bool: onnx.TensorProto_DataType.BOOL,
} as const;
export type ElementType = keyof typeof elementTypes;
export type ConstantData = Float32Array | BigInt64Array | Int32Array | Int8Array | Uint16Array | Uint8Array;

/** LayerNormalization came with 17; what later sets add, older compilers lack. */
const opset = 17n;
const irVersion = 8n;

/**
 * An ONNX graph of standard operations that grows node by node. Every value is called by the node that makes it, and the
 * names are paths (`layer0/attention/query`), which viewers fold into blocks.
 */
export class Graph {
  private readonly nodes: MessageInitShape<typeof onnx.NodeProtoSchema>[] = [];
  private readonly constants = new Map<string, MessageInitShape<typeof onnx.TensorProtoSchema>>();
  private readonly inputs: MessageInitShape<typeof onnx.ValueInfoProtoSchema>[] = [];
  private readonly outputs: MessageInitShape<typeof onnx.ValueInfoProtoSchema>[] = [];
  private scope = '';

  /** Names of what `build` adds begin with `name/`. */
  within<T>(name: string, build: () => T): T {
    const outer = this.scope;
    this.scope = `${outer}${name}/`;
    try {
      return build();
    } finally {
      this.scope = outer;
    }
  }

  /** What a value of this name is called here. */
  path(name: string): string {
    return this.scope + name;
  }

  input(name: string, shape: Shape, type: ElementType = 'float'): string {
    this.inputs.push(value(name, shape, type));
    return name;
  }

  /** Makes an output of the value `of`, under a name that no scope changes. */
  output(name: string, of: string, shape: Shape, type: ElementType = 'float'): void {
    this.nodes.push({ opType: 'Identity', name: `output/${name}`, input: [of], output: [name] });
    this.outputs.push(value(name, shape, type));
  }

  constant(name: string, data: ConstantData, shape: readonly number[], type?: ElementType): string {
    const full = this.scope + name;
    this.add(full, data, shape, type ?? typeOf(data));
    return full;
  }

  /** One float; equal ones are one. */
  scalar(of: number): string {
    return this.shared(`float ${of}`, Float32Array.of(of), []);
  }

  /** Whole numbers as operations take axes and shapes; equal lists are one. */
  list(...values: readonly number[]): string {
    return this.shared(`list ${values.join(' ')}`, BigInt64Array.from(values, BigInt), [values.length]);
  }

  /** One whole number. */
  index(of: number): string {
    return this.shared(`index ${of}`, BigInt64Array.of(BigInt(of)), []);
  }

  /** @param attributes a number is a float, a bigint an integer */
  node(
    opType: string,
    input: readonly string[],
    name: string,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string {
    return this.split(opType, input, [name], attributes)[0];
  }

  /** A node with several outputs. */
  split(
    opType: string,
    input: readonly string[],
    names: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): string[] {
    const output = names.map(name => this.scope + name);
    const attribute = Object.entries(attributes).map(([key, of]) => ({ name: key, ...attributeValue(of) }));
    this.nodes.push({ opType, name: output[0], input: [...input], output, attribute });
    return output;
  }

  cast(x: string, type: ElementType, name: string): string {
    return this.node('Cast', [x], name, { to: BigInt(elementTypes[type]) });
  }

  layerNorm(x: string, name: string, gain: string, offset: string): string {
    return this.node('LayerNormalization', [x, gain, offset], name, { axis: -1n, epsilon: 1e-5 });
  }

  /** The model as its file holds it. */
  bytes(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    const model = create(onnx.ModelProtoSchema, {
      irVersion,
      producerName: 'anomalyclr',
      opsetImport: [{ domain: '', version: opset }],
      metadataProps: Object.entries(metadata).map(([key, text]) => ({ key, value: text })),
      graph: {
        name: 'anomalyclr',
        node: this.nodes,
        initializer: [...this.constants.values()],
        input: this.inputs,
        output: this.outputs,
      },
    });
    return toBinary(onnx.ModelProtoSchema, model);
  }

  private shared(name: string, data: ConstantData, shape: readonly number[]): string {
    if (!this.constants.has(name)) this.add(name, data, shape, typeOf(data));
    return name;
  }

  private add(name: string, data: ConstantData, shape: readonly number[], type: ElementType): void {
    const rawData = new Uint8Array(data.slice().buffer);
    this.constants.set(name, { name, dataType: elementTypes[type], dims: shape.map(BigInt), rawData });
  }
}

function typeOf(data: ConstantData): ElementType {
  if (data instanceof BigInt64Array) return 'int64';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Int8Array) return 'int8';
  return 'float';
}

function attributeValue(of: Attribute): MessageInitShape<typeof onnx.AttributeProtoSchema> {
  const { FLOAT, INT, INTS, STRING } = onnx.AttributeProto_AttributeType;
  if (typeof of === 'number') return { type: FLOAT, f: of };
  if (typeof of === 'bigint') return { type: INT, i: of };
  if (typeof of === 'string') return { type: STRING, s: new TextEncoder().encode(of) };
  return { type: INTS, ints: [...of] };
}

function value(name: string, shape: Shape, type: ElementType): MessageInitShape<typeof onnx.ValueInfoProtoSchema> {
  const dim = shape.map(of => ({
    value:
      typeof of === 'string'
        ? { case: 'dimParam' as const, value: of }
        : { case: 'dimValue' as const, value: BigInt(of) },
  }));
  const tensor = { elemType: elementTypes[type], shape: { dim } };
  return { name, type: { value: { case: 'tensorType', value: tensor } } };
}
