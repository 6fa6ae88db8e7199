import { ema } from "../../kernels/ema";
import { defineReference } from "./reference";

const flat = (P: number) => ({ average: [P], w: [P], step: [16] });
const MU: Record<string, number> = { keep_67: 1, copy_67: 0, paper_193: 0.999, ramp_5: 0.1 };

export const emaReference = defineReference({
  op: ema,
  cases: Object.keys(MU).map((id) => ({ id, inputs: flat(Number(id.split("_")[1])), attrs: {} })),
  data(c, rng) {
    const step = new Float64Array(16);
    step[2] = Math.fround(MU[c.id]!);
    const fill = () =>
      Float64Array.from({ length: c.inputs.w![0]! }, () => Math.fround(rng.normal()));
    const [average, w] = [fill(), fill()];
    average[1] = -0;
    w[3] = -0;
    return { average, w, step };
  },
  forward({ average, w, step }) {
    const mu = step![2]!;
    return { average: average!.map((value, i) => mu * value + (1 - mu) * w![i]!) };
  },
  bound(_name, { average, w, step }) {
    const mu = step![2]!;
    if (mu === 0 || mu === 1) return 0;
    const most = (i: number) => mu * Math.abs(average![i]!) + (1 - mu) * Math.abs(w![i]!);
    return average!.map((_, i) => 4 * 2 ** -24 * most(i));
  },
  cost: ({ w }) => ({ flops: 3 * w![0]!, bytes: 12 * w![0]! }),
});
