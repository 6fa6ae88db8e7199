import { topCrossEntropy } from "../../kernels/loss/top_cross_entropy";
import { elements, type Shape } from "../core/tensor";
import { softplus } from "./patch_loss";
import type { Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const inputs = (shape: Shape): Record<string, Shape> => ({ logits: shape, target: shape });
const odd: Shape = [3, 1, 5, 7, 9];

function forward({ logits, target }: Values, shapes: Shapes, { share }: { share: number }) {
  const N = shapes.logits![0]!;
  const S = logits!.length / N;
  const K = Math.ceil(share * S);
  const values = logits!.map(
    (x, i) => target![i]! * softplus(-x) + (1 - target![i]!) * softplus(x),
  );
  const errors = Float64Array.from({ length: N }, (_, n) => {
    const sorted = values
      .slice(n * S, (n + 1) * S)
      .sort()
      .reverse();
    return sorted.subarray(0, K).reduce((a, b) => a + b, 0) / K;
  });
  return { errors } satisfies Values;
}

export const topCrossEntropyReference = defineReference({
  op: topCrossEntropy,
  cases: [
    // All four rounds of the search matter, as they do not where all are taken, or all are equal.
    { id: "tenth", inputs: inputs(odd), attrs: { share: 0.1 }, always: true },
    { id: "one_voxel_of_many", inputs: inputs([2, 1, 9, 11, 13]), attrs: { share: 1e-6 } },
    { id: "all", inputs: inputs([2, 1, 9, 11, 13]), attrs: { share: 1 } },
    { id: "ties", inputs: inputs(odd), attrs: { share: 0.37 } },
    { id: "one_voxel", inputs: inputs([2, 1, 1, 1, 1]), attrs: { share: 0.5 } },
    { id: "extreme_logits", inputs: inputs(odd), attrs: { share: 0.6 } },
    { id: "quiet", inputs: inputs(odd), attrs: { share: 0.01 } },
  ],
  data(c, rng) {
    const fill = (value: () => number) =>
      Float64Array.from({ length: elements(c.inputs.logits!) }, value);
    const logits = fill(() => {
      if (c.id === "extreme_logits") return [-1e4, 1e4, -50, 50, 0][rng.int(5)]!;
      if (c.id === "quiet") return -1e4;
      return c.id === "ties" ? rng.int(3) - 1 : 3 * rng.normal();
    });
    return { logits, target: fill(() => (c.id === "quiet" ? 0 : Number(rng.uniform() < 0.3))) };
  },
  forward,
  // exp errs by 3 + 2|x| units of the last place of something below 1, log1p and sums by a few.
  bound: (_name, values, shapes, attrs) =>
    forward(values, shapes, attrs).errors.map((v) => 64 * 2 ** -24 * v + 1e-30),
});
