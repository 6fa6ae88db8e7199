/**
 * The paper's 3D U-Net: B(f0)↓ → B(f1)↓ → B(f2) → ↑B(f1) → ↑B(f0) → Conv(1), where
 * B(n) = 2 × (3×3×3 convolution with n filters → group norm → ReLU). Skips are concatenated as
 * (skip, upsampled), following Çiçek et al. 2016; both halves are written straight into the
 * concatenated tensor.
 */

import { type ConvAttrs, conv3d } from "../../kernels/conv3d/conv3d";
import { add } from "../../kernels/elementwise/add";
import { groupNorm } from "../../kernels/norm/group_norm";
import { maxPool3d } from "../../kernels/resize/max_pool3d";
import { upsample3d } from "../../kernels/resize/upsample3d";
import { concat } from "../../kernels/rows/concat";
import { UserError } from "../core/errors";
import type { Graph } from "../core/graph";
import type { Tensors } from "../core/op";
import { channelsOf, type Precision, showShape, type Tensor } from "../core/tensor";
import type { UNetWidth } from "./parameters";

/**
 * All that says what the network computes from its weights. Every field is required: a weights file
 * and the trainer name each, so that a new one cannot be left out unseen.
 */
export interface UNetConfig extends UNetWidth {
  readonly groups: number;
  readonly epsilon: number;
  readonly alignCorners: boolean;
  /** Blocks are computed again in the backward pass: less memory, a third more time. */
  readonly recompute: boolean;
}

/** Parameters by name, `enc1.conv1.weight` and so on (src/nn/parameters.ts lists them). */
export type ParameterTensors = ReadonlyMap<string, Tensor>;

/** Patches must halve twice without remainder. */
export const SIZE_MULTIPLE = 4;

/** The decoder's output at each of its levels, finest first: half as large from one to the next. */
export interface UNetLevels {
  /** (N, 1, D, H, W), always f32. */
  readonly logits: Tensor;
  readonly dec2: Tensor;
  readonly mid: Tensor;
}

/**
 * Records the forward pass.
 * @param x (N, inChannels, D, H, W); D, H, W multiples of 4; activations are stored as it is
 * @returns logits (N, 1, D, H, W), always f32
 */
export function unet3d(g: Graph, params: ParameterTensors, x: Tensor, config: UNetConfig): Tensor {
  return unetLevels(g, params, x, config).logits;
}

/** The same, with the tensors that the logits are made of. */
export function unetLevels(
  g: Graph,
  params: ParameterTensors,
  x: Tensor,
  config: UNetConfig,
): UNetLevels {
  const [n, channels, ...size] = x.shape;
  if (channels !== config.inChannels || size.some((s) => s % SIZE_MULTIPLE !== 0)) {
    throw new Error(
      `unet3d: x is ${showShape(x.shape)}; expected N×${config.inChannels}×D×H×W with D, H and W ` +
        `multiples of ${SIZE_MULTIPLE}`,
    );
  }
  const net = new Layers(g, params, config);
  const [f0, f1, f2] = config.filters;
  const half = size.map((s) => s / 2);
  const cat1 = g.tensor("cat1", [n!, f0 + f1, ...size], x.dtype);
  const cat2 = g.tensor("cat2", [n!, f1 + f2, ...half], x.dtype);

  const skip1 = net.block("enc1", x, channelsOf(cat1, 0, f0));
  const skip2 = net.block("enc2", net.down(skip1), channelsOf(cat2, 0, f1));
  const mid = net.block("mid", net.down(skip2));
  const up2 = net.up(mid, channelsOf(cat2, f1, f2));
  const dec2 = net.block("dec2", net.join(skip2, up2));
  const up1 = net.up(dec2, channelsOf(cat1, f0, f1));
  const dec1 = net.block("dec1", net.join(skip1, up1));
  return { logits: net.conv("head", dec1, { dtype: "f32" }).y!, dec2, mid };
}

class Layers {
  constructor(
    private readonly g: Graph,
    private readonly params: ParameterTensors,
    private readonly config: UNetConfig,
  ) {}

  private param(name: string): Tensor {
    const found = this.params.get(name);
    if (!found) throw new Error(`unet3d: no parameter ${name}`);
    return found;
  }

  conv(name: string, x: Tensor, attrs: ConvAttrs): Tensors {
    const [w, b] = [this.param(`${name}.weight`), this.param(`${name}.bias`)];
    return this.g.apply(conv3d, { x, w, b }, attrs);
  }

  /** 2 × (convolution → group norm → ReLU); the last result is written to `out` if given. */
  block(name: string, x: Tensor, out?: Tensor): Tensor {
    if (!this.config.recompute) return this.layers(name, x, out);
    return this.g.recompute(x, (again) => this.layers(name, again, out), add);
  }

  private layers(name: string, x: Tensor, out?: Tensor): Tensor {
    const { groups, epsilon: eps } = this.config;
    let y = x;
    for (const i of [1, 2]) {
      const weight = this.param(`${name}.norm${i}.weight`);
      const bias = this.param(`${name}.norm${i}.bias`);
      const { y: x, moments } = this.conv(`${name}.conv${i}`, y, { moments: true });
      const attrs = { groups, eps, relu: true, moments, out: i === 2 ? out : undefined };
      y = this.g.apply(groupNorm, { x: x!, weight, bias }, attrs).y!;
    }
    return y;
  }

  down(x: Tensor): Tensor {
    return this.g.apply(maxPool3d, { x }, {}).y!;
  }

  up(x: Tensor, out: Tensor): Tensor {
    const { alignCorners } = this.config;
    return this.g.apply(upsample3d, { x }, { alignCorners, out }).y!;
  }

  join(a: Tensor, b: Tensor): Tensor {
    return this.g.apply(concat, { a, b }, {}).y!;
  }
}

/**
 * Patches of edge `patch` that one binding holds of the largest tensor of a forward pass, and no
 * more than `most`.
 * @param precision of the activations
 * @throws UserError when it does not hold one
 */
export function patchesPerDispatch(
  { filters: [f0, f1] }: UNetConfig,
  patch: number,
  maxBindingBytes: number,
  most: number,
  precision: Precision = "f32",
): number {
  const needed = (f0 + f1) * patch ** 3 * (precision === "f16" ? 2 : 4);
  const fits = Math.floor(maxBindingBytes / needed);
  if (fits < 1) {
    const [needs, binds] = [needed, maxBindingBytes].map((n) => Math.ceil(n / 2 ** 20));
    throw new UserError(
      `one patch of ${patch}³ with filters ${f0},${f1} takes ${needs} MiB at the top of the network, this ` +
        `adapter binds at most ${binds} MiB; smaller patches, fewer filters, or another adapter`,
    );
  }
  return Math.min(fits, most);
}
