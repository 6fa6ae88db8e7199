/** The forward pass and the Dice error in float64, put together from the references of the ops. */

import { dice } from "../../kernels/patch_loss";
import type { Shape } from "../../src/core/tensor";
import { elements } from "../../src/core/tensor";
import type { UNetConfig } from "../../src/nn/unet3d";
import { concatReference } from "./concat";
import { conv3dReference } from "./conv3d";
import { groupNormReference } from "./group_norm";
import { maxPool3dReference } from "./max_pool3d";
import { patchLossReference } from "./patch_loss";
import { upsample3dReference } from "./upsample3d";

interface Values {
  readonly shape: Shape;
  readonly data: Float64Array;
}

type Named = ReadonlyMap<string, { readonly shape: Shape; readonly data: ArrayLike<number> }>;

class Layers {
  constructor(
    private readonly params: Named,
    private readonly config: UNetConfig,
  ) {}

  private param(name: string): Values {
    const { shape, data } = this.params.get(name)!;
    return { shape, data: Float64Array.from(data) };
  }

  conv(name: string, x: Values): Values {
    const [w, b] = [this.param(`${name}.weight`), this.param(`${name}.bias`)];
    const shapes = { x: x.shape, w: w.shape, b: b.shape };
    const inputs = { x: x.data, w: w.data, b: b.data };
    const data = conv3dReference.forward(inputs, shapes, {}).y!;
    return { shape: [x.shape[0]!, w.shape[0]!, ...x.shape.slice(2)], data };
  }

  block(name: string, x: Values): Values {
    let y = x;
    for (const i of [1, 2]) {
      y = this.conv(`${name}.conv${i}`, y);
      const weight = this.param(`${name}.norm${i}.weight`);
      const bias = this.param(`${name}.norm${i}.bias`);
      const inputs = { x: y.data, weight: weight.data, bias: bias.data };
      const shapes = { x: y.shape, weight: weight.shape, bias: bias.shape };
      const attrs = { groups: this.config.groups, eps: this.config.epsilon, relu: true };
      y = { shape: y.shape, data: groupNormReference.forward(inputs, shapes, attrs).y! };
    }
    return y;
  }

  down(x: Values): Values {
    const [n, c, ...space] = x.shape;
    const data = maxPool3dReference.forward({ x: x.data }, { x: x.shape }, {}).y!;
    return { shape: [n!, c!, ...space.map((s) => s / 2)], data };
  }

  up(x: Values): Values {
    const [n, c, ...space] = x.shape;
    const { alignCorners } = this.config;
    const data = upsample3dReference.forward({ x: x.data }, { x: x.shape }, { alignCorners }).y!;
    return { shape: [n!, c!, ...space.map((s) => s * 2)], data };
  }

  join(a: Values, b: Values): Values {
    const shapes = { a: a.shape, b: b.shape };
    const { y } = concatReference.forward({ a: a.data, b: b.data }, shapes, {});
    const shape = [a.shape[0]!, a.shape[1]! + b.shape[1]!, ...a.shape.slice(2)];
    return { shape, data: y! };
  }
}

type Patches = { readonly x: ArrayLike<number>; readonly y: ArrayLike<number>; readonly n: number };

function levels(net: Layers, { inChannels }: UNetConfig, { x, y, n }: Patches) {
  const edge = Math.round(Math.cbrt(y.length / n));
  const input = { shape: [n, inChannels, edge, edge, edge], data: Float64Array.from(x) };
  const skip1 = net.block("enc1", input);
  const skip2 = net.block("enc2", net.down(skip1));
  const mid = net.block("mid", net.down(skip2));
  const dec2 = net.block("dec2", net.join(skip2, net.up(mid)));
  const dec1 = net.block("dec1", net.join(skip1, net.up(dec2)));
  return { logits: net.conv("head", dec1), dec2, mid };
}

function diceLosses(logits: Values, target: Values, epsilon: number): number[] {
  if (target.data.length !== elements(logits.shape)) throw new Error("unet64: y does not fit x");
  const inputs = { logits: logits.data, target: target.data };
  const shapes = { logits: logits.shape, target: logits.shape };
  return [...patchLossReference.forward(inputs, shapes, dice(epsilon)).loss!];
}

/** Dice loss of each of `n` cubic patches: x (n, 2, p, p, p), y (n, 1, p, p, p). */
export function unet64(
  params: Named,
  config: UNetConfig,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  epsilon: number,
  n: number,
): number[] {
  const { logits } = levels(new Layers(params, config), config, { x, y, n });
  return diceLosses(logits, { shape: logits.shape, data: Float64Array.from(y) }, epsilon);
}

/** What deep supervision makes small: the mean over the patches of the levels' losses in their shares. */
export function supervised64(
  params: Named,
  config: UNetConfig,
  patches: Patches,
  epsilon: number,
  shares: readonly number[],
): number {
  const net = new Layers(params, config);
  const { logits, dec2, mid } = levels(net, config, patches);
  let target: Values = { shape: logits.shape, data: Float64Array.from(patches.y) };
  let sum = 0;
  [logits, net.conv("dec2.head", dec2), net.conv("mid.head", mid)].forEach((at, level) => {
    if (level > 0) target = net.down(target);
    const losses = diceLosses(at, target, epsilon / 8 ** level);
    sum += (shares[level]! * losses.reduce((a, b) => a + b, 0)) / patches.n;
  });
  return sum;
}
