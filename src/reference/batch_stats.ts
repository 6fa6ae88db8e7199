import { batchStats } from "../../kernels/mining/batch_stats";
import type { Shape } from "../core/tensor";
import { defineReference } from "./reference";

const batch = (B: number, E: number, K: number, width = 8): Record<string, Shape> => ({
  loss: [B],
  sums: [B, 3],
  errors: [E],
  step: [16],
  log: [K, width],
});
const ROW: Record<string, number> = {
  odd: 2,
  single: 0,
  more_than_a_workgroup: 6,
  past_the_end: 3,
  scaled: 1,
  gradients: 2,
  gradients_skipped: 0,
};

export const batchStatsReference = defineReference({
  op: batchStats,
  sized: [
    {
      base: { B: 3, E: 5 },
      large: { B: 32, E: 128 },
      edges: { B: [2, 64, 128], E: [2, 64, 128] },
      make: ({ B = 0, E = 0 }) => ({ inputs: batch(B, E, 3), attrs: {} }),
    },
  ],
  cases: [
    { id: "odd", inputs: batch(5, 13, 4), attrs: {} },
    { id: "single", inputs: batch(1, 1, 1), attrs: {} },
    { id: "more_than_a_workgroup", inputs: batch(70, 133, 7), attrs: {} },
    { id: "past_the_end", inputs: batch(5, 5, 3), attrs: {} },
    { id: "scaled", inputs: { ...batch(6, 9, 2), scale: [4] }, attrs: {} },
    { id: "gradients", inputs: { ...batch(70, 9, 3, 13), gradients: [70, 2] }, attrs: {} },
    {
      id: "gradients_skipped",
      always: true, // the scale of these gradients is no more there
      inputs: { ...batch(5, 9, 3, 11), gradients: [5, 2], scale: [4] },
      attrs: {},
    },
  ],
  data(c, rng) {
    const step = new Float64Array(16);
    step[3] = ROW[c.id] ?? 1;
    const sums = Float64Array.from({ length: 3 * c.inputs.loss![0]! }, (_, i) =>
      i % 3 === 2 ? rng.int(3) : 100 * rng.uniform(),
    );
    const gradients = Float64Array.from({ length: 2 * c.inputs.loss![0]! }, () => rng.uniform());
    const scale = Float64Array.of(4096, c.id === "gradients_skipped" ? 0 : 1 / 4096, 3, 0);
    return { step, sums, scale, gradients };
  },
  forward({ loss, sums, errors, step, scale, log, gradients }, shapes) {
    const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
    const column = (k: number) => sums!.filter((_, i) => i % 3 === k);
    const positive = mean(column(2).map((y) => (y > 0 ? 1 : 0)));
    const row = [mean(loss!), positive, mean(errors!), mean(column(1))];
    row.push(Math.min(...loss!), Math.max(...loss!), scale?.[0] ?? 0, scale?.[2] ?? 0);
    if (gradients) {
      const skipped = scale?.[1] === 0;
      const factor = !scale ? 1 : skipped ? 1 / (2 * scale[0]!) : scale[1]!;
      const norm = (take: (n: number, k: number) => boolean) =>
        factor * Math.sqrt(gradients.reduce((s, d, i) => s + (take(i >> 1, i & 1) ? d : 0), 0));
      row.push(
        norm((_, k) => k === 0),
        norm((_, k) => k === 1),
      );
      row.push(norm((n, k) => k === 1 && sums![3 * n + 2] === 0));
    }
    const out = log!.slice();
    const at = shapes.log![1]! * step![3]!;
    if (at < out.length) out.set(row, at);
    return { log: out };
  },
  bound: (_name, { log, sums }) => 16 * 2 ** -24 * Math.max(1, ...sums!) * (log ? 1 : 0),
});
