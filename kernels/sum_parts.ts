import wgsl from "../shaders/sum_parts.wgsl" with { type: "text" };
import type { Graph } from "../src/core/graph";
import { defineKernel, grid1d, num, product } from "../src/core/kernel";
import { elements, type Tensor } from "../src/core/tensor";
import { partialSumLanes } from "./partial_sums";

const kernel = defineKernel({
  name: "sum_parts",
  source: wgsl,
  bindings: { parts: "read", out: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT") * num(c, "LANES"), num(c, "WG")),
  flops: (c) => product(c, "COUNT", "SPLITS"),
});

/** out = (accumulate ? out : 0) + Σ_s parts[s]; parts: (SPLITS, …shape of out). */
export function emitSumOfParts(g: Graph, parts: Tensor, out: Tensor, accumulate: boolean): void {
  const [COUNT, SPLITS] = [elements(out.shape), parts.shape[0]!];
  const LANES = partialSumLanes(SPLITS, g.caps);
  const consts = { COUNT, SPLITS, LANES, WG: LANES > 1 ? 256 : 64 };
  g.emit(kernel, { parts, out }, { ...consts, ACCUMULATE: accumulate });
}
