import type { AdamAttrs } from "../../kernels/optimiser/adam";
import { adam } from "../../kernels/optimiser/adam";
import type { Shapes, Values } from "./reference";
import { defineReference } from "./reference";

const flat = (P: number) => ({ w: [P], g: [P], m: [P], v: [P], average: [P], step: [16] });
const scaled = (P: number) => ({ ...flat(P), scale: [4] });
const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8 };
const U = 2 ** -24;

function forward(
  { w, g: given, m, v, average, step, scale }: Values,
  _shapes: Shapes,
  { beta1, beta2, eps }: AdamAttrs,
): Values {
  const inverse = scale?.[1] ?? 1;
  if (inverse === 0) return { w: w!, m: m!, v: v!, average: average! };
  const g = given!.map((value) => inverse * value);
  const m1 = m!.map((value, i) => beta1 * value + (1 - beta1) * g![i]!);
  const v1 = v!.map((value, i) => beta2 * value + (1 - beta2) * g![i]! ** 2);
  const w1 = w!.map(
    (value, i) => value - (step![0]! * m1[i]!) / (Math.sqrt(v1[i]!) * step![1]! + eps),
  );
  const mu = step![2]!;
  return { w: w1, m: m1, v: v1, average: average!.map((a, i) => mu * a + (1 - mu) * w1[i]!) };
}

/** μ of the average by case. */
const MU: Readonly<Record<string, number>> = {
  first_step_193: 0.1,
  later_step_70: 0.999,
  tiny_gradient_33: 0,
  keep_average_67: 1,
  later_scaled_65: 0.9,
  skipped_65: 0.9,
};

export const adamReference = defineReference({
  op: adam,
  sized: [
    {
      base: { P: 7 },
      large: { P: 2 ** 20 },
      edges: { P: [64, 128, 1024] },
      make: ({ P = 0 }) => ({ inputs: flat(P), attrs }),
    },
  ],
  cases: [
    { id: "first_step_193", inputs: flat(193), attrs },
    { id: "later_step_70", inputs: flat(70), attrs: { beta1: 0.8, beta2: 0.95, eps: 1e-3 } },
    { id: "tiny_gradient_33", inputs: flat(33), attrs },
    { id: "keep_average_67", inputs: flat(67), attrs },
    { id: "later_scaled_65", inputs: scaled(65), attrs },
    { id: "skipped_65", inputs: scaled(65), attrs },
  ],
  data(c, rng) {
    const t = c.id.startsWith("later") ? 7 : 1;
    const step = new Float64Array(16);
    step[0] = Math.fround(1e-3 / (1 - c.attrs.beta1 ** t));
    step[1] = Math.fround(1 / Math.sqrt(1 - c.attrs.beta2 ** t));
    step[2] = Math.fround(MU[c.id] ?? 0.99);
    const scale = c.id.startsWith("tiny") ? 1e-9 : 1;
    const fill = (draw: () => number) => Float64Array.from({ length: c.inputs.w![0]! }, draw);
    const g = fill(() => scale * rng.normal());
    const inverse = c.id.startsWith("skipped") ? 0 : 1 / 1024;
    const factor = { scale: Float64Array.of(1024, inverse, 0, 0) };
    if (c.id.startsWith("skipped")) return { ...factor, step, g: fill(() => Number.NaN) };
    if (c.inputs.scale) return { ...factor, g, step, v: fill(() => rng.normal() ** 2) };
    if (t === 1) return { g, step, m: fill(() => 0), v: fill(() => 0) };
    return { g, step, v: fill(() => rng.normal() ** 2) };
  },
  forward,
  bound(name, inputs, shapes, a) {
    if (inputs.scale?.[1] === 0) return 0;
    const { w, m, v } = forward(inputs, shapes, a);
    if (name === "v") return v!.map((value) => 4 * U * value + 1e-37);
    const inverse = inputs.scale?.[1] ?? 1;
    const terms = m!.map((_, i) => Math.abs(inputs.m![i]!) + inverse * Math.abs(inputs.g![i]!));
    if (name === "m") return terms.map((sum) => 4 * U * sum);
    const ofW = w!.map((value, i) => {
      const change =
        (inputs.step![0]! * terms[i]!) / (Math.sqrt(v![i]!) * inputs.step![1]! + a.eps);
      return U * (2 * Math.abs(value) + 16 * change);
    });
    if (name === "w") return ofW;
    const mu = inputs.step![2]!;
    if (mu === 1) return 0;
    const size = (i: number) => mu * Math.abs(inputs.average![i]!) + (1 - mu) * Math.abs(w![i]!);
    return ofW.map((bound, i) => bound + 4 * U * size(i));
  },
});
