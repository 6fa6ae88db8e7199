import type { ResampleAttrs } from "../../kernels/volume/resample";
import { resample } from "../../kernels/volume/resample";
import type { Shape } from "../core/tensor";
import { elements } from "../core/tensor";
import { largestMagnitude } from "./magnitude";
import type { Case } from "./reference";
import { defineReference } from "./reference";

type Geometry = Omit<ResampleAttrs, "mode">;

const geometries: Record<string, { x: Shape } & Geometry> = {
  finer: {
    x: [6, 5, 7],
    size: [11, 13, 9],
    scale: [0.5, 0.37, 1 / 1.7],
    offset: [-0.25, -1.3, 0.6],
  },
  coarser: {
    x: [7, 10, 9],
    size: [3, 10, 5],
    scale: [2.3, 1.01, 1.7],
    offset: [0.4, 0.001, -3],
  },
  flipped: { x: [6, 7, 8], size: [9, 7, 8], scale: [-0.75, -1, 1], offset: [5.1, 6, 0] },
  // So far out that float32 coordinates would be off by 1e-4 of a voxel.
  far: { x: [1, 2, 1001], size: [1, 2, 960], scale: [1, 1, 25 / 24], offset: [0, 0, 0.33] },
  // Every second or fourth coordinate lies half-way between two voxels.
  ties: { x: [5, 7, 6], size: [4, 15, 25], scale: [1, 0.5, 0.25], offset: [0.5, 0, -0.5] },
  // More planes than a thread does.
  deep: { x: [7, 2, 3], size: [75, 3, 5], scale: [0.091, 0.5, 0.7], offset: [-0.3, 0.2, 0] },
};
const cases = Object.entries(geometries).flatMap(([id, { x, ...geometry }]) =>
  (["trilinear", "nearest"] as const).map(
    (mode): Case<ResampleAttrs> => ({
      id: `${id}_${mode}`,
      inputs: { x },
      attrs: { ...geometry, mode },
    }),
  ),
);
const standardised: readonly Case<ResampleAttrs>[] = cases
  .filter(({ id }) => /^(deep|coarser)/.test(id))
  .map((c) => ({ ...c, id: `${c.id}_standardised`, inputs: { ...c.inputs, params: [2] } }));

/** Voxels of one axis and their weights at coordinate c. */
function weights(c: number, size: number, mode: ResampleAttrs["mode"]): [number, number][] {
  const held = (i: number) => Math.min(Math.max(i, 0), size - 1);
  if (mode === "nearest") return [[held(Math.floor(c + 0.5)), 1]];
  const low = Math.floor(c);
  const t = c - low;
  return [
    [held(low), 1 - t],
    [held(low + 1), t],
  ];
}

export const resampleReference = defineReference<ResampleAttrs>({
  op: resample,
  scalable: ["x"],
  sized: (["trilinear", "nearest"] as const).map((mode) => ({
    base: { D: 5, H: 4, W: 7 },
    large: { D: 128, H: 128, W: 128 },
    edges: { D: [2, 16, 64], H: [2, 8], W: [4, 64] },
    // No coordinate is half-way between two voxels: which of the two that is hangs on the last bit of the
    // scale, decimal fractions are not exact in either format, and `ties` has those that are.
    make: ({ D = 0, H = 0, W = 0 }) => ({
      id: `to_${D}x${H}x${W}_${mode}`,
      inputs: { x: [6, 5, 7] },
      attrs: { size: [D, H, W], scale: [0.7, 0.9, 0.6], offset: [-0.27, 0.23, 0.13], mode },
    }),
  })),
  cases: [...cases, ...standardised],
  data: (_c, rng) => ({ params: Float64Array.of(10 + rng.normal(), 1 / 17) }),
  forward({ x, params }, shapes, { size, scale, offset, mode }) {
    const [D = 0, H = 0, W = 0] = shapes.x!;
    const y = new Float64Array(elements(size));
    for (let i = 0; i < y.length; i++) {
      const row = Math.floor(i / size[2]);
      const at = [Math.floor(row / size[1]), row % size[1], i % size[2]];
      const [cz = 0, cy = 0, cx = 0] = at.map((v, axis) => scale[axis]! * v + offset[axis]!);
      for (const [z, wz] of weights(cz, D, mode))
        for (const [y1, wy] of weights(cy, H, mode))
          for (const [x1, wx] of weights(cx, W, mode))
            y[i]! += wz * wy * wx * x![(z * H + y1) * W + x1]!;
    }
    return { y: params ? y.map((value) => (value - params[0]!) * params[1]!) : y };
  },
  // The weights round to float32 and the coordinates are good to 1e-7; nearest is exact.
  bound(_name, { x, params }, _shapes, { mode }) {
    if (mode === "nearest" && !params) return 0;
    const [mean = 0, rstd = 1] = params ?? [];
    return 16 * 2 ** -24 * (largestMagnitude(x!) + Math.abs(mean)) * rstd;
  },
});
