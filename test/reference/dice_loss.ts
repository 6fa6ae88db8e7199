import type { DiceAttrs } from "../../kernels/dice_loss";
import { diceLoss } from "../../kernels/dice_loss";
import { elements } from "../../src/core/tensor";
import type { Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const odd = [3, 1, 5, 7, 9];
const both = (shape: number[]) => ({ logits: shape, target: shape });
const U = 2 ** -24;

/** Σpy, Σp and Σy of each patch. */
function sumsOf(logits: Float64Array, target: Float64Array, N: number): number[][] {
  const S = logits.length / N;
  return Array.from({ length: N }, (_, n) => {
    const sums = [0, 0, 0];
    for (let i = n * S; i < (n + 1) * S; i++) {
      const p = 1 / (1 + Math.exp(-logits[i]!));
      sums[0]! += p * target[i]!;
      sums[1]! += p;
      sums[2]! += target[i]!;
    }
    return sums;
  });
}

function forward({ logits, target }: Values, shapes: Shapes, { epsilon }: DiceAttrs): Values {
  const sums = sumsOf(logits!, target!, shapes.logits![0]!);
  const loss = sums.map(([py, p, y]) => 1 - (2 * py! + epsilon) / (p! + y! + epsilon));
  return { loss: Float64Array.from(loss), sums: Float64Array.from(sums.flat()) };
}

function backward(
  { logits, target }: Values,
  shapes: Shapes,
  { epsilon }: DiceAttrs,
  { loss: dloss }: Values,
): Values {
  const N = shapes.logits![0]!;
  const S = logits!.length / N;
  const sums = sumsOf(logits!, target!, N);
  const dx = logits!.map((x, i) => {
    const n = Math.floor(i / S);
    const A = 2 * sums[n]![0]! + epsilon;
    const B = sums[n]![1]! + sums[n]![2]! + epsilon;
    // p(1 − p) without the cancellation of 1 − p at large logits.
    const slope = 1 / (1 + Math.exp(-x)) / (1 + Math.exp(x));
    return ((dloss![n]! * (A - 2 * target![i]! * B)) / (B * B)) * slope;
  });
  return { logits: dx };
}

export const diceLossReference = defineReference({
  op: diceLoss,
  sized: [
    {
      base: { N: 2, S: 15 },
      edges: { N: [2, 64], S: [4, 64, 256, 1024, 4096] },
      make: ({ N = 0, S = 0 }) => ({ inputs: both([N, 1, S]), attrs: { epsilon: 1 } }),
    },
  ],
  cases: [
    { id: "odd", inputs: both(odd), attrs: { epsilon: 1e-5 } },
    { id: "one_voxel", inputs: both([2, 1, 1, 1, 1]), attrs: { epsilon: 1 } },
    { id: "more_than_a_workgroup", inputs: both([2, 1, 9, 11, 13]), attrs: { epsilon: 100 } },
    { id: "extreme_logits", inputs: both(odd), attrs: { epsilon: 1e-5 } },
    { id: "empty_target", inputs: both(odd), attrs: { epsilon: 1 } },
    { id: "empty_target_and_sure", inputs: both(odd), attrs: { epsilon: 1e-5 } },
    { id: "all_positive", inputs: both(odd), attrs: { epsilon: 1e-5 } },
  ],
  data(c, rng) {
    const count = elements(c.inputs.logits!);
    const fill = (value: () => number) => Float64Array.from({ length: count }, value);
    const logits = fill(() => {
      if (c.id === "extreme_logits") return [-100, 100, -30, 30, 0][rng.int(5)]!;
      return c.id === "empty_target_and_sure" ? -100 : 3 * rng.normal();
    });
    if (c.id.startsWith("empty")) return { logits, target: fill(() => 0) };
    if (c.id === "all_positive") return { logits, target: fill(() => 1) };
    return { logits, target: fill(() => (rng.uniform() < 0.3 ? 1 : 0)) };
  },
  forward,
  backward,
  differentiable: ["loss"],
  // Sums of positive terms: relative errors stay small. exp errs by a few + |x| units in the last
  // place of its result, and underflows to 0 at the far end.
  bound(name, inputs, shapes, attrs, dys) {
    if (name === "loss") return 32 * U;
    if (name === "sums") return forward(inputs, shapes, attrs).sums!.map((v) => 32 * U * v + 1e-30);
    const { logits } = backward(inputs, shapes, attrs, dys!);
    return logits!.map((d, i) => (64 + 4 * Math.abs(inputs.logits![i]!)) * U * Math.abs(d) + 1e-30);
  },
  cost: ({ logits }) => ({ flops: 8 * elements(logits!), bytes: 8 * elements(logits!) }),
});
