import type { Philox } from "../../core/random";

/** A point or displacement in mm; the origin is the centre of the field of view. */
export type Point = readonly [x: number, y: number, z: number];

export type Scalar = (x: number, y: number, z: number) => number;

/** A scalar field on a regular lattice, read anywhere by trilinear interpolation. */
export class Field {
  private readonly nx: number;
  private readonly plane: number;
  private readonly high: Point;
  private readonly scale: number;

  constructor(
    readonly size: readonly [number, number, number],
    /** Position of the first node, mm. */
    readonly origin: Point,
    /** Distance between nodes, mm. */
    readonly step: number,
    readonly data: Float32Array,
  ) {
    this.nx = size[0];
    this.plane = size[0] * size[1];
    this.high = size.map((n) => n - 1.001) as unknown as Point;
    this.scale = 1 / step;
  }

  /** Value at a point in mm; outside the lattice the nearest border value. */
  at(x: number, y: number, z: number): number {
    const u = clamp((x - this.origin[0]) * this.scale, 0, this.high[0]);
    const v = clamp((y - this.origin[1]) * this.scale, 0, this.high[1]);
    const w = clamp((z - this.origin[2]) * this.scale, 0, this.high[2]);
    const i = u | 0;
    const j = v | 0;
    const k = w | 0;
    const o = k * this.plane + j * this.nx + i;
    const near = this.bilinear(o, u - i, v - j);
    return near + (this.bilinear(o + this.plane, u - i, v - j) - near) * (w - k);
  }

  private bilinear(o: number, a: number, b: number): number {
    const d = this.data;
    const p = o + this.nx;
    const front = d[o]! + (d[o + 1]! - d[o]!) * a;
    const back = d[p]! + (d[p + 1]! - d[p]!) * a;
    return front + (back - front) * b;
  }
}

export function clamp(value: number, low: number, high: number): number {
  if (value < low) return low;
  return Math.min(value, high);
}

/** Lattice nodes every `step` mm that cover a box of `extent` mm around the origin. */
export function lattice(extent: Point, step: number, fill: Scalar): Field {
  const size = extent.map((e) => Math.ceil(e / step) + 2) as [number, number, number];
  const origin = size.map((n) => (-(n - 1) * step) / 2) as [number, number, number];
  const data = new Float32Array(size[0] * size[1] * size[2]);
  let o = 0;
  for (let k = 0; k < size[2]; k++)
    for (let j = 0; j < size[1]; j++)
      for (let i = 0; i < size[0]; i++)
        data[o++] = fill(origin[0] + i * step, origin[1] + j * step, origin[2] + k * step);
  return new Field(size, origin, step, data);
}

/**
 * A smooth Gaussian random field of unit variance: white noise on knots `knot` mm apart under cubic
 * B-splines, tabulated every knot / 3. Its zero crossings along a line lie 2.67 knots apart on
 * average (Rice's formula).
 */
export function randomField(random: Philox, extent: Point, knot: number): Field {
  const refine = 3;
  const step = knot / refine;
  let size = extent.map((e) => Math.ceil(e / knot) + 4) as [number, number, number];
  let data = new Float32Array(size[0] * size[1] * size[2]);
  // Mean variance of a cubic B-spline of unit white noise: 151/315 per axis.
  const unit = (151 / 315) ** -1.5;
  for (let i = 0; i < data.length; i++) data[i] = random.normal() * unit;
  for (let axis = 0; axis < 3; axis++) {
    const finer = refineAxis(data, size, axis, refine);
    data = finer.data;
    size = finer.size;
  }
  const origin = size.map((n) => (-(n - 1) * step) / 2) as [number, number, number];
  return new Field(size, origin, step, data);
}

/** Evaluates cubic B-splines along one axis at `refine` points per knot interval. */
function refineAxis(
  data: Float32Array,
  size: readonly [number, number, number],
  axis: number,
  refine: number,
) {
  const n = (size[axis]! - 3) * refine;
  const finer = size.map((s, a) => (a === axis ? n : s)) as [number, number, number];
  const out = new Float32Array(finer[0] * finer[1] * finer[2]);
  const stride = axis === 0 ? 1 : axis === 1 ? size[0] : size[0] * size[1];
  const outer = data.length / (stride * size[axis]!);
  for (let m = 0; m < n; m++) {
    const first = Math.floor(m / refine);
    const [w0, w1, w2, w3] = cubicWeights(m / refine - first);
    for (let b = 0; b < outer; b++) {
      const from = (b * size[axis]! + first) * stride;
      const to = (b * n + m) * stride;
      for (let s = 0; s < stride; s++) {
        const i = from + s;
        out[to + s] =
          w0 * data[i]! +
          w1 * data[i + stride]! +
          w2 * data[i + 2 * stride]! +
          w3 * data[i + 3 * stride]!;
      }
    }
  }
  return { data: out, size: finer };
}

function cubicWeights(t: number): [number, number, number, number] {
  const s = 1 - t;
  const w1 = (4 - 6 * t * t + 3 * t ** 3) / 6;
  const w2 = (4 - 6 * s * s + 3 * s ** 3) / 6;
  return [s ** 3 / 6, w1, w2, t ** 3 / 6];
}
