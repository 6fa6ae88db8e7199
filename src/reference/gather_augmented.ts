import {
  type Augmentation,
  packAugmentation,
  ROW_LAYOUT,
  type VisitAugmentation,
} from "../../kernels/volume/augmentation";
import { gatherAugmented } from "../../kernels/volume/gather_augmented";
import type { GatherAttrs } from "../../kernels/volume/gather_patches";
import type { Philox } from "../core/random";
import type { Shape } from "../core/tensor";
import { AugmentedPatch } from "./augmented_patch";
import { pagedShapes, pagedVolumes } from "./paged_volumes";
import type { Case, Values } from "./reference";
import { defineReference } from "./reference";

type Vec3 = [number, number, number];

const size: Vec3 = [5, 7, 6];
const { ROW } = ROW_LAYOUT;

function shapes(count: number): Record<string, Shape> {
  return { ...pagedShapes(count), coords: [count, ROW] };
}

const PARTS = "mirror affine elastic blur low bias line gamma noise".split(" ");

/** Names in an id say which parts a case has: `all`, `f16_affine_low`, … */
function has(id: string, part: string): boolean {
  const names = id.split("_");
  return names.includes(part) || (names.includes("all") && PARTS.includes(part));
}

function attrs(half: boolean, label = true, difference = false): GatherAttrs {
  return { size, half, label, difference };
}

const cases: Case<GatherAttrs>[] = [
  { id: "identity", inputs: shapes(5), attrs: attrs(false) },
  ...PARTS.map((id) => ({
    ...{ id, inputs: shapes(7), attrs: attrs(false) },
    always: id === "mirror", // mirrors alone have a way of their own
  })),
  { id: "affine_blur", inputs: shapes(7), attrs: attrs(false) },
  { id: "elastic_low", inputs: shapes(7), attrs: attrs(false) },
  { id: "mirror_low", inputs: shapes(7), attrs: attrs(false) },
  { id: "all", inputs: shapes(11), attrs: attrs(false, true, true), always: true },
  { id: "f16_all", inputs: shapes(11), attrs: attrs(true, false, true) },
  // More voxels than a workgroup does on a GPU.
  {
    id: "mirror_noise_larger",
    inputs: shapes(5),
    attrs: { ...attrs(true), size: [9, 8, 10] },
  },
  { id: "f16_mirror_elastic_blur", inputs: shapes(9), attrs: attrs(true) },
];

const vec = (draw: () => number): Vec3 => [draw(), draw(), draw()];

function visit(id: string, rng: Philox): VisitAugmentation {
  const phase = () => rng.uniform();
  const made: { -readonly [K in keyof VisitAugmentation]: VisitAugmentation[K] } = {};
  const low = has(id, "low") && (!has(id, "blur") || rng.uniform() < 0.5);
  if (low) made.low = { cell: rng.uniform(1, 2), phase: vec(phase) };
  else if (has(id, "blur")) made.blur = vec(() => rng.uniform(0.2, 3));
  if (has(id, "bias")) {
    const k = vec(() => rng.uniform(-0.1, 0.1));
    made.bias = { k, phase: phase(), amplitude: rng.uniform(-0.4, 0.4), air: rng.uniform(-2, 0) };
  }
  if (has(id, "line")) {
    const [factor, offset] = [rng.uniform(0.5, 2), rng.uniform(-1, 1)];
    made.line = { factor, offset, least: rng.uniform(-3, -1), most: rng.uniform(1, 3) };
  }
  if (has(id, "gamma")) {
    const [inverted, gamma] = [rng.uniform(0.7, 1.5), rng.uniform(0.7, 1.5)];
    const out = { factor: rng.uniform(2, 8), offset: rng.uniform(-2, 2) };
    made.gamma = { least: rng.uniform(-3, -1), range: rng.uniform(3, 6), inverted, gamma, ...out };
  }
  if (has(id, "noise")) made.noise = rng.uniform(0, 0.5);
  return made;
}

function augmentation(id: string, rng: Philox): Augmentation {
  const flip = () => has(id, "mirror") && rng.uniform() < 0.5;
  const affine = [0, 1, 2].flatMap((row) => [
    ...[0, 1, 2].map((column) => (row === column ? 1 : 0) + rng.uniform(-0.6, 0.6)),
    rng.uniform(-3, 3),
  ]);
  const elastic = [0, 1, 2].map(() => ({
    k: vec(() => rng.uniform(-0.1, 0.1)),
    phase: rng.uniform(),
    by: vec(() => rng.uniform(-1, 1)),
  }));
  return {
    mirror: [flip(), flip(), flip()],
    affine: has(id, "affine") ? affine : undefined,
    elastic: has(id, "elastic") ? elastic : undefined,
    key: [rng.u32(), rng.u32()],
    visits: [visit(id, rng), visit(id, rng)],
  };
}

/** Every third patch of a case with several parts has none of them, beside those that have. */
function rows(id: string, coords: Float64Array, rng: Philox): Float64Array {
  const count = coords.length / 4;
  const words = new Uint32Array(count * ROW);
  for (let n = 0; n < count; n++) {
    words.set(coords.subarray(4 * n, 4 * n + 4), n * ROW);
    const none = id.includes("all") && n % 3 === 2;
    packAugmentation(words, n, augmentation(none ? "identity" : id, rng));
  }
  return Float64Array.from(words);
}

function computed(inputs: Values, given: Readonly<Record<string, Shape>>, a: GatherAttrs) {
  const [PD, PH, PW] = a.size;
  const S = PD * PH * PW;
  const N = given.coords![0]!;
  const C = a.difference ? 3 : 2;
  const make = () => ({ x: new Float64Array(N * C * S), y: new Float64Array(N * S) });
  const [values, bounds] = [make(), make()];
  for (let n = 0; n < N; n++) {
    const patch = new AugmentedPatch(inputs, n, a);
    for (let s = 0; s < S; s++) {
      const voxel = patch.voxel(s);
      voxel.values.slice(0, C).forEach((value, c) => {
        values.x[(n * C + c) * S + s] = value;
        bounds.x[(n * C + c) * S + s] = voxel.bounds[c]!;
      });
      values.y[n * S + s] = voxel.label;
      bounds.y[n * S + s] = voxel.labelBound;
    }
  }
  return { values, bounds };
}

export const gatherAugmentedReference = defineReference<GatherAttrs>({
  op: gatherAugmented,
  f16: { inputs: [], attrs: (a) => ({ ...a, dtype: "f16" }) },
  cases,
  types: { page0: "u32", page1: "u32", table: "u32", coords: "u32" },
  data(c, rng) {
    const made = pagedVolumes(c.attrs.half, c.inputs, rng);
    return { ...made, coords: rows(c.id, made.coords, rng) };
  },
  forward(inputs, given, a) {
    const { x, y } = computed(inputs, given, a).values;
    const outputs: Values = a.label ? { x, y } : { x };
    return outputs;
  },
  bound: (name, inputs, given, a) => computed(inputs, given, a).bounds[name as "x" | "y"],
});
