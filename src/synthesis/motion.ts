/** The motion from a visit to the head: a linear map and a smooth bend. */
import type { Point3 as Point } from "../data/affine";
import { clamp, type Field } from "../data/phantom/fields";
import type { Size3 } from "../data/volume";

/** Voxel of the visit → voxel of the head: linear part (rows) about the middle, shift, bend. */
export interface Motion {
  readonly linear: readonly number[];
  readonly shift: Point;
  /** Displacements along x, y, z in voxels, added in the head. */
  readonly bend: readonly [Field, Field, Field];
}

/** Voxels from `low` to `high`, both among them. */
export interface Box {
  readonly low: Point;
  readonly high: Point;
}

/** Rows of a smooth field at the voxels of a volume: bilinear across, linear along. */
export class FieldRows {
  private readonly nodes: Float64Array;
  readonly row: Float32Array;

  constructor(
    private readonly field: Field,
    private readonly size: Size3,
  ) {
    this.nodes = new Float64Array(field.size[0] + 1);
    this.row = new Float32Array(size[0]);
  }

  /** The field along x at (y, z), in `row`. */
  read(y: number, z: number): Float32Array {
    const { field, nodes, row, size } = this;
    const [nx, ny, nz] = field.size;
    const step = 1 / field.step;
    const v = clamp((y - (size[1] - 1) / 2 - field.origin[1]) * step, 0, ny - 1.001);
    const w = clamp((z - (size[2] - 1) / 2 - field.origin[2]) * step, 0, nz - 1.001);
    const j = v | 0;
    const k = w | 0;
    const fy = v - j;
    const fz = w - k;
    const { data } = field;
    const p = (k * ny + j) * nx;
    const q = p + nx * ny;
    for (let i = 0; i < nx; i++) {
      const near = data[p + i]! + fy * (data[p + nx + i]! - data[p + i]!);
      const far = data[q + i]! + fy * (data[q + nx + i]! - data[q + i]!);
      nodes[i] = near + fz * (far - near);
    }
    nodes[nx] = nodes[nx - 1]!;
    let u = (-(size[0] - 1) / 2 - field.origin[0]) * step;
    const most = nx - 1.001;
    for (let x = 0; x < row.length; x++, u += step) {
      const c = Math.min(most, Math.max(0, u));
      const i = c | 0;
      row[x] = nodes[i]! + (nodes[i + 1]! - nodes[i]!) * (c - i);
    }
    return row;
  }
}

/** Variance along an axis, voxels², by which linear interpolation blurs on average over all positions. */
export const LINEAR_VARIANCE = 1 / 6;

/**
 * The head as a visit sees it, trilinear; 0 outside.
 * @param box voxels that are wanted: the rest is 0
 */
export function moved(
  data: Float32Array,
  size: Size3,
  { linear, shift, bend }: Motion,
  box: Box = { low: [0, 0, 0], high: [size[0] - 1, size[1] - 1, size[2] - 1] },
): Float32Array {
  const out = new Float32Array(data.length);
  const [nx, ny, nz] = size;
  const plane = nx * ny;
  const middle = size.map((n) => (n - 1) / 2) as [number, number, number];
  const bends = bend.map((field) => new FieldRows(field, size));
  const at = [0, 1, 2].map(() => new Float32Array(nx)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let z = box.low[2]; z <= box.high[2]; z++) {
    for (let y = box.low[1]; y <= box.high[1]; y++) {
      for (const axis of [0, 1, 2] as const) {
        const [a, b, c] = [linear[3 * axis]!, linear[3 * axis + 1]!, linear[3 * axis + 2]!];
        const start =
          b * (y - middle[1]) + c * (z - middle[2]) - a * middle[0] + shift[axis]! + middle[axis]!;
        const along = at[axis];
        const row = bends[axis]!.read(y, z);
        for (let x = 0; x < nx; x++) along[x] = start + a * x + row[x]!;
      }
      const [xs, ys, zs] = at;
      let o = (z * ny + y) * nx + box.low[0];
      for (let x = box.low[0]; x <= box.high[0]; x++, o++) {
        const [px, py, pz] = [xs[x]!, ys[x]!, zs[x]!];
        if (!(px >= 0 && py >= 0 && pz >= 0 && px < nx - 1 && py < ny - 1 && pz < nz - 1)) continue;
        const i = px | 0;
        const j = py | 0;
        const k = pz | 0;
        const fx = px - i;
        const fy = py - j;
        const p = k * plane + j * nx + i;
        const q = p + plane;
        const n0 = data[p]! + fx * (data[p + 1]! - data[p]!);
        const n1 = data[p + nx]! + fx * (data[p + nx + 1]! - data[p + nx]!);
        const f0 = data[q]! + fx * (data[q + 1]! - data[q]!);
        const f1 = data[q + nx]! + fx * (data[q + nx + 1]! - data[q + nx]!);
        const near = n0 + fy * (n1 - n0);
        const far = f0 + fy * (f1 - f0);
        out[o] = near + (pz - k) * (far - near);
      }
    }
  }
  return out;
}

/** Where a voxel of the head appears in the visit, without the bends. */
export function appearsAt(size: Size3, { linear, shift }: Motion, voxel: Point): Point {
  const middle = size.map((n) => (n - 1) / 2);
  const p = voxel.map((v, axis) => v - middle[axis]! - shift[axis]!) as [number, number, number];
  const [a, b, c, d, e, f, g, h, i] = linear as unknown as [
    ...[number, number, number],
    ...[number, number, number],
    ...[number, number, number],
  ];
  const [A, B, C] = [e * i - f * h, c * h - b * i, b * f - c * e];
  const [D, E, F] = [f * g - d * i, a * i - c * g, c * d - a * f];
  const [G, H, I] = [d * h - e * g, b * g - a * h, a * e - b * d];
  const det = a * A + b * D + c * G;
  const row = (u: number, v: number, w: number) => (u * p[0] + v * p[1] + w * p[2]) / det;
  return [row(A, B, C) + middle[0]!, row(D, E, F) + middle[1]!, row(G, H, I) + middle[2]!];
}

/** Rows of a rotation about x, then y, then z (radians), with a factor for each axis. */
export function turn([a, b, c]: Point, scale: Point = [1, 1, 1]): number[] {
  const [ca, sa, cb, sb, cc, sc] = [
    ...[Math.cos(a), Math.sin(a)],
    ...[Math.cos(b), Math.sin(b)],
    ...[Math.cos(c), Math.sin(c)],
  ] as [number, number, number, number, number, number];
  return [
    ...[cb * cc, sa * sb * cc - ca * sc, ca * sb * cc + sa * sc],
    ...[cb * sc, sa * sb * sc + ca * cc, ca * sb * sc - sa * cc],
    ...[-sb, sa * cb, ca * cb],
  ].map((v, i) => v * scale[Math.floor(i / 3)]!);
}

/** The product of two 3 × 3 matrices in rows. */
export function product(m: readonly number[], n: readonly number[]): number[] {
  return Array.from({ length: 9 }, (_, at) => {
    const [r, c] = [3 * Math.floor(at / 3), at % 3];
    return m[r]! * n[c]! + m[r + 1]! * n[3 + c]! + m[r + 2]! * n[6 + c]!;
  });
}
