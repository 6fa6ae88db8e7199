import { components, NO_ROOT } from "../../kernels/loss/components";
import { elements } from "../core/tensor";
import { defineReference } from "./reference";

type Size = readonly [number, number, number];

/** Flood fill from each voxel in order, so that a component is named by its first. */
function flood(labels: Float64Array, [D, H, W]: Size): Float64Array {
  const roots = new Float64Array(labels.length).fill(NO_ROOT);
  for (const start of labels.keys()) {
    if (!(labels[start]! > 0.5) || roots[start] !== NO_ROOT) continue;
    const todo = [start];
    roots[start] = start;
    for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
      const [z, y, x] = [Math.floor(at / (H * W)), Math.floor(at / W) % H, at % W];
      const next = [
        ...[x > 0 && at - 1, x < W - 1 && at + 1, y > 0 && at - W, y < H - 1 && at + W],
        ...[z > 0 && at - H * W, z < D - 1 && at + H * W],
      ];
      for (const to of next) {
        if (to === false || !(labels[to]! > 0.5) || roots[to] !== NO_ROOT) continue;
        roots[to] = start;
        todo.push(to);
      }
    }
  }
  return roots;
}

/** The root of every voxel of N patches (N, 1, D, H, W). */
export function rootsOf(target: Float64Array, shape: readonly number[]): Float64Array {
  const [N = 1, , D = 1, H = 1, W = 1] = shape;
  const S = D * H * W;
  const roots = new Float64Array(target.length);
  for (let n = 0; n < N; n++) {
    roots.set(flood(target.subarray(n * S, (n + 1) * S), [D, H, W]), n * S);
  }
  return roots;
}

/** A path through every second row and plane: one component of the greatest depth. */
function snake([, H, W]: Size, i: number): number {
  const [z, y, x] = [Math.floor(i / (H * W)), Math.floor(i / W) % H, i % W];
  if (z % 2 === 1) return Number(y === ((z - 1) % 4 === 0 ? H - 1 : 0) && x === 0);
  if (y % 2 === 1) return Number(x === ((y - 1) % 4 === 0 ? W - 1 : 0));
  return 1;
}

const size = (N: number, D: number, H: number, W: number) => ({ target: [N, 1, D, H, W] });

export const componentsReference = defineReference({
  op: components,
  cases: [
    // Many components: each element of the result says something.
    { id: "sparse", inputs: size(3, 5, 7, 9), attrs: {}, always: true },
    { id: "half", inputs: size(2, 9, 11, 13), attrs: {} },
    { id: "dense", inputs: size(2, 9, 11, 13), attrs: {} },
    { id: "empty", inputs: size(1, 3, 4, 5), attrs: {} },
    { id: "full", inputs: size(2, 8, 8, 8), attrs: {} },
    { id: "checkerboard", inputs: size(1, 5, 6, 7), attrs: {} },
    { id: "snake", inputs: size(1, 9, 9, 9), attrs: {} },
    { id: "one_voxel", inputs: size(2, 1, 1, 1), attrs: {} },
  ],
  types: { roots: "u32" },
  data(c, rng) {
    const shape = c.inputs.target!;
    const [, , D = 1, H = 1, W = 1] = shape;
    const share: Record<string, number> = { sparse: 0.2, half: 0.5, dense: 0.8, empty: 0 };
    const voxel = (i: number) => {
      if (c.id === "snake") return snake([D, H, W], i % (D * H * W));
      const [z, y, x] = [Math.floor(i / (H * W)), Math.floor(i / W) % H, i % W];
      if (c.id === "checkerboard") return (z + y + x) % 2;
      return Number(rng.uniform() < (share[c.id] ?? 1));
    };
    return { target: Float64Array.from({ length: elements(shape) }, (_, i) => voxel(i)) };
  },
  forward: ({ target }, shapes) => ({ roots: rootsOf(target!, shapes.target!) }),
  bound: () => 0,
});
