import { KEY_AT, samplingKeys } from "../../kernels/mining/sampling_keys";
import { philox4x32 } from "../core/random";
import type { Values } from "./reference";
import { defineReference } from "./reference";

/** Standard exponential variates of the generator with this key (four times 16 bits). */
export function exponentials(key: readonly number[], count: number): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = key;
  return Array.from({ length: count }, (_, i) => {
    const words = Uint32Array.of(i, 0, 0, 0);
    philox4x32(words, a + b * 65536, c + d * 65536, words);
    return -Math.log1p(-((words[0]! >>> 9) + 0.5) / 2 ** 23);
  });
}

function forward({ errors, step }: Values) {
  const variates = exponentials([...step!.slice(KEY_AT, KEY_AT + 4)], errors!.length);
  const key = (e: number, i: number) =>
    Number.isFinite(e) ? Math.max(e, Math.fround(1e-30)) / variates[i]! : e;
  return { keys: errors!.map(key) } satisfies Values;
}

export const samplingKeysReference = defineReference({
  op: samplingKeys,
  cases: [
    { id: "paper_128", inputs: { errors: [128], step: [16] }, attrs: {} },
    { id: "odd_77", inputs: { errors: [77], step: [16] }, attrs: {} },
    { id: "zeros_9", inputs: { errors: [9], step: [16] }, attrs: {} },
    { id: "special_values_61", inputs: { errors: [61], step: [16] }, attrs: {} },
    { id: "many_4099", inputs: { errors: [4099], step: [16] }, attrs: {} },
  ],
  data(c, rng) {
    const special = [Number.NaN, Number.POSITIVE_INFINITY, 0, -0, 1, 1e30];
    const draw = () => {
      if (c.id.startsWith("zeros")) return 0;
      return c.id.startsWith("special") ? special[rng.int(special.length)]! : rng.uniform();
    };
    const step = Float64Array.from({ length: 16 }, () => rng.int(65536));
    return { step, errors: Float64Array.from({ length: c.inputs.errors![0]! }, draw) };
  },
  forward,
  // A division and an exponential variate that errs by 3 units in the last place of a logarithm.
  bound: (_name, inputs) =>
    forward(inputs).keys.map((v) => (Number.isFinite(v) ? 32 * 2 ** -24 * v : 0)),
});
