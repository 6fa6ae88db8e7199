import { UserError } from "../core/errors";
import { countNotFinite } from "../core/finite";
import { Philox } from "../core/random";
import { elements, RANGE_ALIGNMENT, type Shape, showShape } from "../core/tensor";

/**
 * The parameters of the 3-D U-Net: their names and shapes, which are those of the weights file and
 * of a plain torch.nn.Module, and where each lies in the one flat buffer that the engine keeps.
 */

/** One weight tensor, in PyTorch's order (Cout, Cin, kD, kH, kW). */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  /** "weight" and "bias" are a convolution's, "scale" and "shift" a group norm's weight and bias. */
  readonly kind: "weight" | "bias" | "scale" | "shift";
  /** Inputs of one output of the convolution, Cin · kD · kH · kW; 0 for a group norm. */
  readonly fanIn: number;
  /** Of no use after training: not in a weights file. Such parameters come last. */
  readonly trainingOnly?: boolean;
}

export interface UNetWidth {
  /** Channels of the input: the two visits, and their difference where it is given too. */
  readonly inChannels: number;
  /** Filters at full, half and quarter resolution. */
  readonly filters: readonly [number, number, number];
}

/**
 * The parameters of the U-Net in the order of the weights file, which is that of the PyTorch
 * module's state_dict (test/golden/unet3d.py).
 * @throws UserError if a width is not a positive whole number.
 */
export function unetParameters({ inChannels, filters }: UNetWidth): ParameterSpec[] {
  if ([inChannels, ...filters].some((n) => !Number.isInteger(n) || n < 1)) {
    throw new UserError(
      `filters ${filters.join(",")} on ${inChannels} input channels: expected positive whole ` +
        "numbers, such as 16,32,64",
    );
  }
  const [a, b, c] = filters;
  return [
    ...block("enc1", inChannels, a),
    ...block("enc2", a, b),
    ...block("mid", b, c),
    ...block("dec2", b + c, b),
    ...block("dec1", a + b, a),
    ...pointConvolution("head", a),
  ];
}

function block(name: string, channelsIn: number, channels: number): ParameterSpec[] {
  return [
    ...convolution(`${name}.conv1`, channelsIn, channels, 3),
    ...groupNorm(`${name}.norm1`, channels),
    ...convolution(`${name}.conv2`, channels, channels, 3),
    ...groupNorm(`${name}.norm2`, channels),
  ];
}

function convolution(name: string, channelsIn: number, channels: number, size: number) {
  const fanIn = channelsIn * size ** 3;
  const shape = [channels, channelsIn, size, size, size];
  return [
    { name: `${name}.weight`, shape, kind: "weight", fanIn },
    { name: `${name}.bias`, shape: [channels], kind: "bias", fanIn },
  ] satisfies ParameterSpec[];
}

/** A head: a 1×1×1 convolution to one channel. */
export function pointConvolution(name: string, channelsIn: number): ParameterSpec[] {
  return convolution(name, channelsIn, 1, 1);
}

function groupNorm(name: string, channels: number) {
  return [
    { name: `${name}.weight`, shape: [channels], kind: "scale", fanIn: 0 },
    { name: `${name}.bias`, shape: [channels], kind: "shift", fanIn: 0 },
  ] satisfies ParameterSpec[];
}

/** The count of numbers in the tensors, without the gaps of the flat buffer. */
export function parameterCount(specs: readonly ParameterSpec[]): number {
  return specs.reduce((sum, { shape }) => sum + elements(shape), 0);
}

/**
 * Where each tensor lies in the flat buffer, in elements: `offsets[i]`, a multiple of
 * RANGE_ALIGNMENT, is that of `specs[i]`; `total` is the buffer's length, such a multiple too.
 */
export function layout(specs: readonly ParameterSpec[]): { offsets: number[]; total: number } {
  let total = 0;
  const offsets = specs.map(({ shape }) => {
    const offset = total;
    total += Math.ceil(elements(shape) / RANGE_ALIGNMENT) * RANGE_ALIGNMENT;
    return offset;
  });
  return { offsets, total };
}

/**
 * Start weights in the flat layout, gaps zero: PyTorch's defaults, uniform in ±1/√fanIn for the
 * weight and bias of a convolution, 1 and 0 for those of a group norm. Each tensor has a random
 * stream of its own, keyed by seed and name, so its values do not depend on the other tensors.
 */
export function initialise(specs: readonly ParameterSpec[], seed: number): Float32Array {
  const { offsets, total } = layout(specs);
  const flat = new Float32Array(total);
  specs.forEach(({ name, shape, kind, fanIn }, i) => {
    const values = flat.subarray(offsets[i]!, offsets[i]! + elements(shape));
    if (kind === "weight" || kind === "bias") {
      const random = new Philox(seed, ...new TextEncoder().encode(name));
      const bound = 1 / Math.sqrt(fanIn);
      for (let k = 0; k < values.length; k++) values[k] = random.uniform(-bound, bound);
    } else if (kind === "scale") values.fill(1);
    else kind satisfies "shift";
  });
  return flat;
}

/**
 * Sets the bias of every head so that an untrained network says lesion with probability `prior`
 * everywhere (Lin et al. 2017, "Focal loss for dense object detection", section 3.3), in place.
 */
export function setHeadPrior(
  specs: readonly ParameterSpec[],
  flat: Float32Array,
  prior: number,
): void {
  const { offsets } = layout(specs);
  for (const [i, { name }] of specs.entries()) {
    if (/(^|\.)head\.bias$/.test(name)) flat[offsets[i]!] = Math.log(prior / (1 - prior));
  }
}

/** The tensors of a flat buffer by name, in order, as the weights file holds them (copies). */
export function toNamed(specs: readonly ParameterSpec[], flat: Float32Array) {
  const { offsets, total } = layout(specs);
  if (flat.length !== total) {
    throw new RangeError(`toNamed: the flat buffer has ${flat.length} elements, not ${total}`);
  }
  return new Map(
    specs.map(({ name, shape }, i) => {
      const data = flat.slice(offsets[i]!, offsets[i]! + elements(shape));
      return [name, { shape, data }] as const;
    }),
  );
}

/** A tensor as a file holds it. */
interface Stored {
  readonly shape: Shape;
  readonly data: ArrayBufferView;
}

/**
 * The flat buffer, gaps zero, of tensors by name, as read from a weights file; `file` is only named
 * in messages.
 * @throws UserError if a tensor is missing, unknown, of another shape or type, or not finite.
 */
export function fromNamed(
  specs: readonly ParameterSpec[],
  tensors: ReadonlyMap<string, Stored>,
  file: string,
): Float32Array {
  const known = new Set(specs.map(({ name }) => name));
  const unknown = [...tensors.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new UserError(
      `${file}: holds ${unknown}, which this network has not; name a weights file of voxgrad`,
    );
  }
  // All are checked before the buffer is made: its size is what the file says of itself.
  const values = specs.map((spec) => valuesOf(spec, tensors.get(spec.name), file));
  const { offsets, total } = layout(specs);
  const flat = new Float32Array(total);
  for (const [i, data] of values.entries()) flat.set(data, offsets[i]!);
  return flat;
}

function valuesOf(
  { name, shape }: ParameterSpec,
  tensor: Stored | undefined,
  file: string,
): Float32Array {
  const fail = (problem: string): never => {
    throw new UserError(`${file}: ${name} ${problem}`);
  };
  if (!tensor) return fail(`(${showShape(shape)}) is missing; name a weights file of voxgrad`);
  const { data } = tensor;
  if (showShape(tensor.shape) !== showShape(shape)) {
    return fail(
      `is ${showShape(tensor.shape)}, expected ${showShape(shape)}; use the filters that the file ` +
        "was trained with",
    );
  }
  if (!(data instanceof Float32Array)) {
    return fail(`is a ${data.constructor.name}, expected float32; convert the file`);
  }
  const bad = countNotFinite(data);
  if (bad === 0) return data;
  return fail(
    `holds ${bad} of ${data.length} weights that are NaN or infinite: the training that wrote it ` +
      "diverged, or the file is damaged; use another checkpoint",
  );
}
