import { type BlobAttrs, blobLoss } from "../../kernels/loss/blob_loss";
import { NO_ROOT } from "../../kernels/loss/components";
import { elements, type Shape } from "../core/tensor";
import { rootsOf } from "./components";
import { sigmoid } from "./patch_loss";
import type { Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const U = 2 ** -24;

/** Of one patch: FP, and by root I and FN of each lesion. */
function lesionsOf(logits: Float64Array, roots: Float64Array) {
  let fp = 0;
  const lesions = new Map<number, { inside: number; missed: number }>();
  logits.forEach((x, i) => {
    const root = roots[i]!;
    if (root === NO_ROOT) fp += sigmoid(x);
    else {
      const { inside, missed } = lesions.get(root) ?? { inside: 0, missed: 0 };
      lesions.set(root, { inside: inside + sigmoid(x), missed: missed + sigmoid(-x) });
    }
  });
  return { fp, lesions };
}

function forward({ logits, roots }: Values, shapes: Shapes, { weight, epsilon }: BlobAttrs) {
  const N = shapes.logits![0]!;
  const S = logits!.length / N;
  const loss = new Float64Array(N);
  const slopes = new Float64Array(logits!.length);
  for (let n = 0; n < N; n++) {
    const range = [n * S, (n + 1) * S] as const;
    const own = roots!.subarray(...range);
    const { fp, lesions } = lesionsOf(logits!.subarray(...range), own);
    const scale = weight / Math.max(1, lesions.size);
    let outside = 0;
    const byRoot = new Map<number, number>();
    for (const [root, { inside, missed }] of lesions) {
      const [num, u] = [2 * inside + epsilon, fp + missed];
      loss[n]! += (scale * u) / (num + u);
      outside += (scale * num) / (num + u) ** 2;
      byRoot.set(root, (-scale * (2 * u + num)) / (num + u) ** 2);
    }
    own.forEach((root, i) => {
      slopes[n * S + i] = byRoot.get(root) ?? outside;
    });
  }
  return { loss, slopes } satisfies Values;
}

function backward(values: Values, shapes: Shapes, attrs: BlobAttrs, { loss: dloss }: Values) {
  const { slopes } = forward(values, shapes, attrs);
  const S = slopes.length / shapes.logits![0]!;
  const by = (x: number, i: number) =>
    dloss![Math.floor(i / S)]! * slopes[i]! * sigmoid(x) * sigmoid(-x);
  return { logits: values.logits!.map(by) } satisfies Values;
}

const inputs = (shape: Shape): Record<string, Shape> => ({ logits: shape, roots: shape });
const odd: Shape = [3, 1, 5, 7, 9];
const attrs: BlobAttrs = { weight: 1.5, epsilon: 1e-5 };

export const blobLossReference = defineReference({
  op: blobLoss,
  cases: [
    { id: "sparse", inputs: inputs(odd), attrs },
    { id: "many_lesions", inputs: inputs([2, 1, 9, 11, 13]), attrs: { ...attrs, epsilon: 1 } },
    { id: "one_lesion", inputs: inputs(odd), attrs },
    { id: "one_voxel", inputs: inputs([2, 1, 1, 1, 1]), attrs },
    { id: "empty", inputs: inputs(odd), attrs },
    { id: "full", inputs: inputs(odd), attrs: { ...attrs, epsilon: 1 } },
    // Differences of 1e-6 say nothing where the loss is flat.
    { id: "extreme_logits", inputs: inputs(odd), attrs, smooth: false },
  ],
  types: { roots: "u32" },
  data(c, rng) {
    const shape = c.inputs.logits!;
    const fill = (value: (i: number) => number) =>
      Float64Array.from({ length: elements(shape) }, (_, i) => value(i));
    const share: Record<string, number> = { many_lesions: 0.25, empty: 0, full: 1 };
    const target = fill((i) =>
      c.id === "one_lesion" ? Number(i % 315 < 5) : Number(rng.uniform() < (share[c.id] ?? 0.1)),
    );
    const logits = fill(() =>
      c.id === "extreme_logits" ? [-1e4, 1e4, -50, 50, 0][rng.int(5)]! : 3 * rng.normal(),
    );
    return { logits, roots: rootsOf(target, shape) };
  },
  forward,
  backward,
  differentiable: ["loss"],
  // Sums of terms of one sign, and a lesion's own in units of 2⁻²⁴ a voxel, against its size; ratios
  // of them, squared in the slopes. exp errs by 3 + 2|x| units in the last place.
  bound(name, values, shapes, given, dys) {
    const outputs = forward(values, shapes, given);
    if (name !== "dlogits")
      return outputs[name as "loss" | "slopes"].map((v) => 128 * U * Math.abs(v) + 64 * U);
    const dx = backward(values, shapes, given, dys!).logits;
    const relative = (i: number) => 256 + 4 * Math.abs(values.logits![i]!);
    return dx.map((d, i) => relative(i) * U * Math.abs(d) + 1e-30);
  },
});
