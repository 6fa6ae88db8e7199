/** The U-Net, and single convolutions, as ONNX models (opset 15) with their weights inside. */
import { onnx } from "onnx-proto";
import { floats, type Tensors, weightsOf } from "../../engine";

const { AttributeType } = onnx.AttributeProto;
const { DataType } = onnx.TensorProto;
const [GROUPS, EPSILON] = [8, 1e-5];
const [OPSET, IR_VERSION] = [15, 8]; // ONNX 1.10

interface Floats {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

type Attributes = Readonly<Record<string, number | string | readonly number[]>>;

function attribute(name: string, value: Attributes[string]): onnx.IAttributeProto {
  if (typeof value === "string") {
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) };
  }
  if (typeof value !== "number") return { name, type: AttributeType.INTS, ints: [...value] };
  const isWhole = Number.isInteger(value);
  return isWhole
    ? { name, type: AttributeType.INT, i: value }
    : { name, type: AttributeType.FLOAT, f: value };
}

/** Nodes in order, and the constants that they read. */
class GraphBuilder {
  private readonly nodes: onnx.INodeProto[] = [];
  private readonly constants: onnx.ITensorProto[] = [];

  floats(name: string, { shape, data }: Floats): string {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    this.constants.push({ name, dims: [...shape], dataType: DataType.FLOAT, rawData });
    return name;
  }

  integers(name: string, values: readonly number[]): string {
    const rawData = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.constants.push({ name, dims: [values.length], dataType: DataType.INT64, rawData });
    return name;
  }

  /** Adds a node; returns its output's name, which is the node's own. */
  op(name: string, opType: string, input: string[], attributes: Attributes = {}): string {
    const entries = Object.entries(attributes).map(([key, value]) => attribute(key, value));
    this.nodes.push({ name, opType, input, output: [name], attribute: entries });
    return name;
  }

  /** @param output name of the node that is the model's output */
  encode(x: readonly number[], output: string, y: readonly number[]): Uint8Array {
    const value = (name: string, shape: readonly number[]) => {
      const dim = shape.map((dimValue) => ({ dimValue }));
      return { name, type: { tensorType: { elemType: DataType.FLOAT, shape: { dim } } } };
    };
    const graph: onnx.IGraphProto = {
      name: "graph",
      node: this.nodes,
      initializer: this.constants,
      input: [value("x", x)],
      output: [value(output, y)],
    };
    const opsetImport = [{ domain: "", version: OPSET }];
    return onnx.ModelProto.encode({
      irVersion: IR_VERSION,
      opsetImport,
      producerName: "voxgrad",
      graph,
    }).finish();
  }
}

const sameConv = (k: number): Attributes => ({
  kernel_shape: [k, k, k],
  pads: Array(6).fill((k - 1) / 2),
});

/** y = conv(x, w) */
export function convModel(inputs: Tensors): Uint8Array {
  const g = new GraphBuilder();
  const [x, w] = [floats(inputs, "x"), floats(inputs, "w")];
  const y = g.op("y", "Conv", ["x", g.floats("w", w)], sameConv(3));
  return g.encode(x.shape, y, [x.shape[0]!, w.shape[0]!, ...x.shape.slice(2)]);
}

/** logits = unet(x), as PyTorch's exporter writes it: group norm by way of InstanceNormalization. */
export function networkModel(inputs: Tensors): Uint8Array {
  const g = new GraphBuilder();
  const weights = new Map(weightsOf(inputs).map(({ name, ...tensor }) => [name, tensor]));
  const parameter = (name: string, shape?: readonly number[]) => {
    const found = weights.get(name)!;
    return g.floats(name, { data: found.data, shape: shape ?? found.shape });
  };
  const grouped = g.integers("grouped", [0, GROUPS, -1]);
  const scales = g.floats("scales", { shape: [5], data: Float32Array.of(1, 1, 2, 2, 2) });
  const ones = g.floats("ones", { shape: [GROUPS], data: new Float32Array(GROUPS).fill(1) });
  const zeros = g.floats("zeros", { shape: [GROUPS], data: new Float32Array(GROUPS) });

  const conv = (name: string, x: string) => {
    const wanted = [x, parameter(`${name}.weight`), parameter(`${name}.bias`)];
    return g.op(name, "Conv", wanted, sameConv(weights.get(`${name}.weight`)!.shape[4]!));
  };
  const norm = (name: string, x: string) => {
    const channels = weights.get(`${name}.weight`)!.shape[0]!;
    const reshaped = g.op(`${name}.in`, "Reshape", [x, grouped]);
    const unit = [reshaped, ones, zeros];
    const normal = g.op(`${name}.unit`, "InstanceNormalization", unit, { epsilon: EPSILON });
    const shape = g.op(`${name}.shape`, "Shape", [x]);
    const back = g.op(`${name}.out`, "Reshape", [normal, shape]);
    const affine = [channels, 1, 1, 1];
    const scaled = g.op(`${name}.mul`, "Mul", [back, parameter(`${name}.weight`, affine)]);
    return g.op(name, "Add", [scaled, parameter(`${name}.bias`, affine)]);
  };
  const block = (name: string, x: string) =>
    [1, 2].reduce((y, i) => {
      const z = norm(`${name}.norm${i}`, conv(`${name}.conv${i}`, y));
      return g.op(`${name}.relu${i}`, "Relu", [z]);
    }, x);
  const window = { kernel_shape: [2, 2, 2], strides: [2, 2, 2] };
  const down = (x: string) => g.op(`${x}.pool`, "MaxPool", [x], window);
  const linear = { mode: "linear", coordinate_transformation_mode: "align_corners" };
  const up = (x: string) => g.op(`${x}.up`, "Resize", [x, "", scales], linear);
  const join = (a: string, b: string) => g.op(`${a}.cat`, "Concat", [a, up(b)], { axis: 1 });

  const skip1 = block("enc1", "x");
  const skip2 = block("enc2", down(skip1));
  const mid = block("mid", down(skip2));
  const logits = conv("head", block("dec1", join(skip1, block("dec2", join(skip2, mid)))));
  const { shape } = floats(inputs, "x");
  return g.encode(shape, logits, [shape[0]!, 1, ...shape.slice(2)]);
}
