/** Convolutions one variant at a time, for the tuner, and single elements of them in float64. */
import { type Exact, roundingBound, type Trial, type Values } from "../src/core/trial";
import type { ConvVariant, Geometry } from "./conv3d_forward";
import type { WeightGradientVariant } from "./conv3d_weights";

/** Position of tap `t` of a row of K³, relative to the voxel: z, y, x. */
function offsetOf(t: number, K: number): [z: number, y: number, x: number] {
  const R = (K - 1) / 2;
  return [Math.floor(t / K ** 2) - R, (Math.floor(t / K) % K) - R, (t % K) - R];
}

/** Index in a volume of voxel `s` moved by tap `t`; undefined outside of it. */
function moved(s: number, t: number, { D, H, W, K }: Geometry): number | undefined {
  const [dz, dy, dx] = offsetOf(t, K);
  const z = Math.floor(s / (H * W)) + dz;
  const y = (Math.floor(s / W) % H) + dy;
  const x = (s % W) + dx;
  const inside = z >= 0 && z < D && y >= 0 && y < H && x >= 0 && x < W;
  return inside ? (z * H + y) * W + x : undefined;
}

/** A voxel of y; without `b` of a gradient of the input, which reads the weights transposed. */
function voxel({ x, w, b }: Values, geometry: Geometry, i: number): Exact {
  const { CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [n, co] = [Math.floor(i / (COUT * S)), Math.floor(i / S) % COUT];
  let value = b ? b(co) : 0;
  let absolute = Math.abs(value);
  for (let t = 0; t < T; t++) {
    const from = moved(i % S, t, geometry);
    if (from === undefined) continue;
    for (let ci = 0; ci < CIN; ci++) {
      const weight = w!(b ? (co * CIN + ci) * T + t : (ci * COUT + co) * T + (T - 1 - t));
      const term = x!((n * CIN + ci) * S + from) * weight;
      value += term;
      absolute += Math.abs(term);
    }
  }
  const terms = CIN * T + 1;
  return { value, bound: roundingBound(terms, absolute), terms };
}

/** An element of the gradient of the weights: a sum over every voxel of the batch. */
function weight({ x, dy }: Values, geometry: Geometry, i: number): Exact {
  const { N, CIN, COUT, D, H, W, K } = geometry;
  const [S, T] = [D * H * W, K ** 3];
  const [co, ci, t] = [Math.floor(i / (CIN * T)), Math.floor(i / T) % CIN, i % T];
  let value = 0;
  let absolute = 0;
  for (let s = 0; s < S; s++) {
    const from = moved(s, t, geometry);
    if (from === undefined) continue;
    for (let n = 0; n < N; n++) {
      const term = x!((n * CIN + ci) * S + from) * dy!((n * COUT + co) * S + s);
      value += term;
      absolute += Math.abs(term);
    }
  }
  return { value, bound: roundingBound(N * S, absolute), terms: N * S };
}

const volume = ({ N, D, H, W }: Geometry, channels: number) => [N, channels, D, H, W];

const forward: Trial<Geometry, ConvVariant> = {
  batch: "N",
  kind: ["K"],
  inputs(geometry) {
    const { CIN, COUT, K } = geometry;
    return { x: volume(geometry, CIN), w: [COUT, CIN, K, K, K], b: [COUT] };
  },
  record(g, variant, { x, w, b }, geometry) {
    const y = g.tensor("y", volume(geometry, geometry.COUT));
    variant.emit(g, { x: x!, w: w!, b: b!, y }, geometry);
    return { y };
  },
  exact: (inputs, geometry, _output, i) => voxel(inputs, geometry, i),
};

const inputGradient: Trial<Geometry, ConvVariant> = {
  ...forward,
  inputs(geometry) {
    const { CIN, COUT, K } = geometry;
    return { x: volume(geometry, CIN), w: [CIN, COUT, K, K, K] };
  },
  record(g, variant, { x, w }, geometry) {
    const y = g.tensor("dx", volume(geometry, geometry.COUT));
    variant.emit(g, { x: x!, w: w!, y }, geometry);
    return { y };
  },
};

const weightGradient: Trial<Geometry, WeightGradientVariant> = {
  batch: "N",
  kind: ["K"],
  inputs: (geometry) => ({
    x: volume(geometry, geometry.CIN),
    dy: volume(geometry, geometry.COUT),
  }),
  record(g, variant, { x, dy }, geometry) {
    const { CIN, COUT, K } = geometry;
    const dw = g.tensor("dw", [COUT, CIN, K, K, K]);
    variant.emit(g, { x: x!, dy: dy!, dw }, geometry, false);
    return { dw };
  },
  exact: (inputs, geometry, _output, i) => weight(inputs, geometry, i),
};

export const conv3dTrials = {
  conv3d: forward,
  conv3d_dx: inputGradient,
  conv3d_dw: weightGradient,
};
