/** The network, its Dice error and its gradients in float64, put together from the references of the ops. */

import { dice } from "../../kernels/loss/patch_loss";
import type { Shape } from "../core/tensor";
import { elements } from "../core/tensor";
import { concatReference } from "./concat";
import { conv3dReference } from "./conv3d";
import { groupNormReference } from "./group_norm";
import { maxPool3dReference } from "./max_pool3d";
import { patchLossReference } from "./patch_loss";
import type { Reference } from "./reference";
import { upsample3dReference } from "./upsample3d";

/** Settings of the network that decide what it computes, as in src/nn/unet3d.ts. */
interface Config {
  readonly inChannels: number;
  readonly groups: number;
  readonly epsilon: number;
  readonly alignCorners: boolean;
}

interface Values {
  readonly shape: Shape;
  readonly data: Float64Array;
  /** Of what {@link Layers.backward} was asked for. */
  gradient?: Float64Array;
}

type Named = ReadonlyMap<string, { readonly shape: Shape; readonly data: ArrayLike<number> }>;
type Inputs = Readonly<Record<string, Values>>;

/** Layers in float64 that remember how they were made. */
class Layers {
  private readonly known = new Map<string, Values>();
  private readonly tape: (() => void)[] = [];

  constructor(
    private readonly params: Named,
    private readonly config: Config,
  ) {}

  private param(name: string): Values {
    const { shape, data } = this.params.get(name)!;
    const found = this.known.get(name) ?? { shape, data: Float64Array.from(data) };
    this.known.set(name, found);
    return found;
  }

  /** An output of an op, `y` unless another one is named. */
  apply(
    { forward, backward }: Reference<unknown>,
    inputs: Inputs,
    attrs: unknown,
    shape: Shape,
    output = "y",
  ): Values {
    const each = <T>(of: (t: Values) => T) =>
      Object.fromEntries(Object.entries(inputs).map(([name, t]) => [name, of(t)]));
    const [values, shapes] = [each((t) => t.data), each((t) => t.shape)];
    const made: Values = { shape, data: forward(values, shapes, attrs)[output]! };
    this.tape.push(() => {
      const dys = { [output]: made.gradient! };
      for (const [name, part] of Object.entries(backward!(values, shapes, attrs, dys))) {
        const t = inputs[name]!;
        t.gradient = t.gradient ? t.gradient.map((v, i) => v + part[i]!) : part;
      }
    });
    return made;
  }

  /** The gradients of all parameters by name, from that of the last thing made. */
  backward(last: Values, gradient: Float64Array): Map<string, Float64Array> {
    last.gradient = gradient;
    for (const step of this.tape.toReversed()) step();
    return new Map([...this.known].map(([name, t]) => [name, t.gradient!]));
  }

  conv(name: string, x: Values): Values {
    const [w, b] = [this.param(`${name}.weight`), this.param(`${name}.bias`)];
    const shape = [x.shape[0]!, w.shape[0]!, ...x.shape.slice(2)];
    return this.apply(conv3dReference, { x, w, b }, {}, shape);
  }

  block(name: string, x: Values): Values {
    const { groups, epsilon: eps } = this.config;
    let y = x;
    for (const i of [1, 2]) {
      y = this.conv(`${name}.conv${i}`, y);
      const weight = this.param(`${name}.norm${i}.weight`);
      const bias = this.param(`${name}.norm${i}.bias`);
      const attrs = { groups, eps, relu: true };
      y = this.apply(groupNormReference, { x: y, weight, bias }, attrs, y.shape);
    }
    return y;
  }

  down(x: Values): Values {
    const [n, c, ...space] = x.shape;
    return this.apply(maxPool3dReference, { x }, {}, [n!, c!, ...space.map((s) => s / 2)]);
  }

  up(x: Values): Values {
    const [n, c, ...space] = x.shape;
    const shape = [n!, c!, ...space.map((s) => s * 2)];
    return this.apply(
      upsample3dReference,
      { x },
      { alignCorners: this.config.alignCorners },
      shape,
    );
  }

  join(a: Values, b: Values): Values {
    const shape = [a.shape[0]!, a.shape[1]! + b.shape[1]!, ...a.shape.slice(2)];
    return this.apply(concatReference, { a, b }, {}, shape);
  }
}

export type Patches = {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly n: number;
};

function levels(net: Layers, { inChannels }: Config, { x, y, n }: Patches) {
  const edge = Math.round(Math.cbrt(y.length / n));
  const input = { shape: [n, inChannels, edge, edge, edge], data: Float64Array.from(x) };
  const skip1 = net.block("enc1", input);
  const skip2 = net.block("enc2", net.down(skip1));
  const mid = net.block("mid", net.down(skip2));
  const dec2 = net.block("dec2", net.join(skip2, net.up(mid)));
  const dec1 = net.block("dec1", net.join(skip1, net.up(dec2)));
  return { logits: net.conv("head", dec1), dec2, mid };
}

/** Labels of half the size: a voxel is lesion if one of the eight below it is. */
function coarser({ shape: [N = 0, C = 0, ...space], data }: Values): Values {
  const [D = 0, H = 0, W = 0] = space.map((n) => n / 2);
  const shape = [N, C, D, H, W];
  const found = new Float64Array(elements(shape));
  for (const [i, label] of data.entries()) {
    const [x, y] = [i % (2 * W), Math.floor(i / (2 * W)) % (2 * H)];
    const plane = Math.floor(i / (4 * H * W));
    const at = (Math.floor(plane / 2) * H + Math.floor(y / 2)) * W + Math.floor(x / 2);
    found[at] = Math.max(found[at]!, label);
  }
  return { shape, data: found };
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
  config: Config,
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  epsilon: number,
  n: number,
): number[] {
  const { logits } = levels(new Layers(params, config), config, { x, y, n });
  return diceLosses(logits, { shape: logits.shape, data: Float64Array.from(y) }, epsilon);
}

/** Logits of `n` cubic patches. */
export function logits64(params: Named, config: Config, patches: Patches): Float64Array {
  return levels(new Layers(params, config), config, patches).logits.data;
}

/** The Dice loss of each patch, and the gradient of their mean by the name of the parameter. */
export function gradients64(
  params: Named,
  config: Config,
  patches: Patches,
  epsilon: number,
): { losses: Float64Array; gradients: Map<string, Float64Array> } {
  const net = new Layers(params, config);
  const { logits } = levels(net, config, patches);
  const target: Values = { shape: logits.shape, data: Float64Array.from(patches.y) };
  const { n } = patches;
  const loss = net.apply(patchLossReference, { logits, target }, dice(epsilon), [n], "loss");
  const gradients = net.backward(loss, new Float64Array(n).fill(1 / n));
  return { losses: loss.data, gradients };
}

/** The loss of deep supervision: the mean over the patches of the levels' losses in their shares. */
export function supervised64(
  params: Named,
  config: Config,
  patches: Patches,
  epsilon: number,
  shares: readonly number[],
): number {
  const net = new Layers(params, config);
  const { logits, dec2, mid } = levels(net, config, patches);
  let target: Values = { shape: logits.shape, data: Float64Array.from(patches.y) };
  let sum = 0;
  [logits, net.conv("dec2.head", dec2), net.conv("mid.head", mid)].forEach((at, level) => {
    if (level > 0) target = coarser(target);
    const losses = diceLosses(at, target, epsilon / 8 ** level);
    sum += (shares[level]! * losses.reduce((a, b) => a + b, 0)) / patches.n;
  });
  return sum;
}
