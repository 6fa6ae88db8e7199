import {
  dice,
  type PatchLossAttrs,
  patchLoss,
  type RegionTerm,
  TERMS,
} from "../../kernels/loss/patch_loss";
import { elements, type Shape } from "../core/tensor";
import type { Case, Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const U = 2 ** -24;

/** log(1 + eˣ). */
export const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
export const sigmoid = (x: number) => Math.exp(-softplus(-x));

/** A voxel's own loss and its slopes. */
function voxel(x: number, y: number, { positive, negative, gamma }: NonNullable<Attrs["voxels"]>) {
  const [p, q, logP, logQ] = [sigmoid(x), sigmoid(-x), softplus(-x), softplus(x)];
  const [inside, outside] = [positive * y * q ** gamma, negative * (1 - y) * p ** gamma];
  return {
    value: inside * logP + outside * logQ,
    /** By the logit, of what is inside the lesion and what is outside; soft labels have both. */
    slopes: [-inside * (gamma * p * logP + q), outside * (gamma * q * logQ + p)],
  };
}

type Attrs = PatchLossAttrs;

/** Σpy, Σp(1 − y), Σ(1 − p)y and Σ of the voxels' losses of each patch, and Σy. */
function termsOf({ logits, target }: Values, N: number, { voxels }: Attrs): number[][] {
  const S = logits!.length / N;
  return Array.from({ length: N }, (_, n) => {
    const terms = [0, 0, 0, 0, 0];
    for (let i = n * S; i < (n + 1) * S; i++) {
      const [x, y] = [logits![i]!, target![i]!];
      const [p, q] = [sigmoid(x), sigmoid(-x)];
      const own = voxels ? voxel(x, y, voxels).value : 0;
      [p * y, p * (1 - y), q * y, own, y].forEach((v, k) => {
        terms[k]! += v;
      });
    }
    return terms;
  });
}

/** F, and its derivatives by TP, FP, FN and ε. */
function region([tp, fp, fn]: readonly number[], r: RegionTerm) {
  const u = r.falsePositive * fp! + r.falseNegative * fn!;
  const num = 2 * tp! + r.epsilon;
  const d = num + u;
  // A fractional power has no slope at 0: the kernel stays 1e-30 away from it.
  const base = r.power === 1 ? u / d : Math.max(u / d, 1e-30);
  const slope = (r.power * base ** (r.power - 1)) / d ** 2;
  const byU = slope * num;
  return {
    value: base ** r.power,
    by: [-2 * u * slope, byU * r.falsePositive, byU * r.falseNegative, -u * slope],
  };
}

function forward(inputs: Values, shapes: Shapes, attrs: Attrs): Values {
  const N = shapes.logits![0]!;
  const S = inputs.logits!.length / N;
  const terms = termsOf(inputs, N, attrs);
  const { region: r, voxels, errors = 0, batch } = attrs;
  const loss = terms.map((own) => {
    let value = ((voxels?.weight ?? 0) * own[3]!) / S + errors * (own[1]! + own[2]!);
    if (!r) return value;
    if (batch === undefined) value += r.weight * region(own, r).value;
    else {
      const { value: whole, by } = region([...inputs.totals!], r);
      const part = [own[0]!, own[1]!, own[2]!, r.epsilon / batch];
      value += r.weight * (whole + batch * part.reduce((sum, v, k) => sum + v * by[k]!, 0));
    }
    return value;
  });
  return {
    loss: Float64Array.from(loss),
    sums: Float64Array.from(terms.flatMap(([tp, fp, , , y]) => [tp!, tp! + fp!, y!])),
    terms: Float64Array.from(terms.flatMap((own) => own.slice(0, TERMS))),
  };
}

/** Gradient of each logit as the parts that are added up to it. */
function gradientParts(inputs: Values, shapes: Shapes, attrs: Attrs, dloss: Float64Array) {
  const { logits, target, totals } = inputs;
  const N = shapes.logits![0]!;
  const S = logits!.length / N;
  const terms = termsOf(inputs, N, attrs);
  const { region: r, voxels, errors = 0, batch } = attrs;
  const slopes = terms.map((own) => {
    if (!r) return [0, 0] as const;
    const { by } = region(batch === undefined ? own : [...totals!], r);
    const scale = r.weight * (batch ?? 1);
    return [scale * (by[0]! - by[2]!), scale * by[1]!] as const;
  });
  return [...logits!].map((x, i) => {
    const n = Math.floor(i / S);
    const y = target![i]!;
    const [inside, outside] = slopes[n]!;
    const byP = [y * (inside - errors), (1 - y) * (outside + errors)];
    const own = voxels ? voxel(x, y, voxels).slopes.map((v) => (v * voxels.weight) / S) : [];
    const parts = [...byP.map((v) => v * sigmoid(x) * sigmoid(-x)), ...own];
    return parts.map((v) => v * dloss[n]!);
  });
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

function backward(inputs: Values, shapes: Shapes, attrs: Attrs, { loss: dloss }: Values): Values {
  return { logits: Float64Array.from(gradientParts(inputs, shapes, attrs, dloss!), sum) };
}

const odd: Shape = [3, 1, 5, 7, 9];
const big: Shape = [2, 1, 9, 11, 13];
/** More vectors than a part of a patch has on a GPU. */
const parts: Shape = [2, 1, 11, 14, 18];
/** And more parts than lanes that add them up. */
const manyParts: Shape = [1, 1, 41, 42, 40];
const ce = { weight: 1, positive: 1, negative: 1, gamma: 0 };
const focal = { weight: 1, positive: 0.25, negative: 0.75, gamma: 2 };
const tversky: RegionTerm = { ...dice(1).region, falsePositive: 0.6, falseNegative: 1.4 };
const focalTversky: RegionTerm = { ...tversky, power: 0.75 };

/** Every loss with ordinary, extreme, empty and full patches; names of data sets end the ids. */
const LOSSES: Readonly<Record<string, Attrs>> = {
  dice: dice(1e-5),
  ce: { voxels: { ...ce, positive: 3 } },
  dice_ce: { region: { ...dice(1).region, weight: 0.7 }, voxels: { ...ce, weight: 1.3 } },
  focal: { voxels: focal },
  focal_half: { voxels: { ...focal, gamma: 0.5 } },
  tversky: { region: tversky },
  focal_tversky: { region: focalTversky },
  errors: { errors: 1 },
};
const BATCHED: Readonly<Record<string, Attrs>> = {
  batch_dice: { ...dice(1), batch: 7 },
  batch_dice_ce: { ...dice(1e-5), voxels: ce, batch: 7 },
  batch_focal_tversky: { region: focalTversky, batch: 5 },
};

function casesOf(id: string, attrs: Attrs): Case<Attrs>[] {
  const inputs = (shape: Shape): Record<string, Shape> => ({
    ...{ logits: shape, target: shape },
    ...(attrs.batch !== undefined && { totals: [TERMS] }),
  });
  const extreme = ["extreme", "empty", "full", "quiet", "sure"].map((data) => ({
    ...{ id: `${id}_${data}`, inputs: inputs(odd), attrs },
    // Differences of 1e-6 say nothing where the loss is flat or as large as 1e4.
    smooth: data === "empty" || data === "full",
  }));
  return [
    { id: `${id}_odd`, inputs: inputs(odd), attrs },
    { id: `${id}_soft`, inputs: inputs(odd), attrs },
    { id: `${id}_one_voxel`, inputs: inputs([2, 1, 1, 1, 1]), attrs },
    { id: `${id}_more_than_a_workgroup`, inputs: inputs(big), attrs },
    { id: `${id}_parts`, inputs: inputs(parts), attrs },
    ...(id === "dice_ce"
      ? [{ id: `${id}_many_parts`, inputs: inputs(manyParts), attrs, always: true }]
      : []),
    ...extreme,
  ];
}

/**
 * exp(−|x|) errs by 3 + 2|x| units in the last place (WGSL), pow by the error of its logarithm, the
 * rest by a few; all sums but those of a batch's shares are of terms of one sign.
 */
function relativeBound(attrs: Attrs, x: number): number {
  const pow = attrs.region && attrs.region.power !== 1 ? 600 : 0;
  const gamma = attrs.voxels?.gamma ?? 0;
  return (64 + pow + (4 + 4 * gamma) * Math.min(Math.abs(x), 100)) * U;
}

export const patchLossReference = defineReference({
  op: patchLoss,
  sized: [
    {
      base: { N: 2, S: 15 },
      large: { N: 32, S: 32 ** 3 },
      edges: { N: [2, 64], S: [4, 64, 256, 1024, 4096] },
      make: ({ N = 0, S = 0 }) => ({
        inputs: { logits: [N, 1, S], target: [N, 1, S] },
        attrs: LOSSES.dice_ce!,
      }),
    },
  ],
  crowded: [
    {
      id: "65537_patches",
      inputs: { logits: [65537, 1, 2], target: [65537, 1, 2] },
      attrs: LOSSES.dice_ce!,
    },
  ],
  crowdedSlowly: true,
  cases: [...Object.entries(LOSSES), ...Object.entries(BATCHED)].flatMap(([id, attrs]) =>
    casesOf(id, attrs),
  ),
  data(c, rng) {
    const count = elements(c.inputs.logits!);
    const fill = (value: () => number) => Float64Array.from({ length: count }, value);
    const kind = c.id.slice(c.id.lastIndexOf("_") + 1);
    const logits = fill(() => {
      if (kind === "extreme") return [-1e4, 1e4, -100, 100, -30, 30, 0][rng.int(7)]!;
      if (kind === "quiet") return -1e4;
      return kind === "sure" ? 1e4 : 3 * rng.normal();
    });
    const target = fill(() => {
      if (kind === "empty" || kind === "quiet" || kind === "sure") return 0;
      if (kind === "full") return 1;
      return kind === "soft" ? rng.uniform() : Number(rng.uniform() < 0.3);
    });
    const totals = Float64Array.of(40, 60, 55, 0).map((v) => v * (1 + rng.uniform()));
    return { logits, target, ...(c.inputs.totals && { totals }) };
  },
  forward,
  backward,
  differentiable: ["loss"],
  bound(name, inputs, shapes, attrs, dys) {
    const { logits } = inputs;
    if (name === "dlogits") {
      const sizes = gradientParts(inputs, shapes, attrs, dys!.loss!).map((v) =>
        sum(v.map(Math.abs)),
      );
      const relative = (i: number) => 2 * relativeBound(attrs, logits![i]!);
      return Float64Array.from(sizes, (size, i) => relative(i) * size + 1e-30);
    }
    const outputs = forward(inputs, shapes, attrs);
    if (name !== "loss") return outputs[name]!.map((v) => 100 * U * Math.abs(v) + 1e-30);
    // A share of the batch's loss is a difference: of numbers of the size of its largest part.
    const size =
      attrs.batch === undefined ? 0 : attrs.batch * outputs.terms!.reduce((a, b) => a + b);
    return outputs.loss!.map(
      (v) => relativeBound(attrs, 0) * 2 * (Math.abs(v) + size / 60) + 1e-30,
    );
  },
});
