/** One augmented patch in float64, voxel by voxel, with a bound of float32's rounding beside it. */
import { BLUR_REACH, ROW_LAYOUT, VISIT_FLAGS } from "../../kernels/volume/augmentation";
import type { GatherAttrs } from "../../kernels/volume/gather_patches";
import { floatOfBits, type PagedVolume, volumeOf, voxelAt } from "./paged_volumes";
import type { Values } from "./reference";

type Vec3 = [number, number, number];

const EPS = 2 ** -24;
/** Largest place in a patch of the cases, voxels, times the roundings on the way to it. */
const PLACE_ERROR = 32 * 16 * EPS;
/** Roundings of weights and sums, exp within 3 + 2|x| ulp among them. */
const SUM_ERROR = 64 * EPS;

interface Sample {
  readonly value: number;
  readonly bound: number;
}

const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k): Vec3 => [k >> 2, (k >> 1) & 1, k & 1]);

function wave(t: number): number {
  const u = 2 * (t - Math.round(t));
  return 4 * u * (1 - Math.abs(u));
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, v, i) => sum + v * b[i]!, 0);

/** Voxels that rounding may give as the nearest: more than one beside a tie. */
function nearest(at: Vec3): Vec3[] {
  const choices = at.map((v) => [
    ...new Set([-1, 0, 1].map((side) => Math.floor(v + 0.5 + side * PLACE_ERROR * 4))),
  ]);
  const [zs = [], ys = [], xs = []] = choices;
  return zs.flatMap((z) => ys.flatMap((y) => xs.map((x): Vec3 => [z, y, x])));
}

export class AugmentedPatch {
  private readonly row: number[];
  private readonly volume: PagedVolume;
  private readonly corner: Vec3;
  private readonly flags: number;
  /** Largest value nearby: all of them are of this order. */
  private readonly most = 5;

  constructor(
    private readonly inputs: Values,
    n: number,
    private readonly attrs: GatherAttrs,
  ) {
    const { ROW, FLAGS } = ROW_LAYOUT;
    this.row = [...inputs.coords!.subarray(n * ROW, (n + 1) * ROW)];
    this.volume = volumeOf(inputs.table!, this.row[0]!);
    this.corner = this.row.slice(1, 4).map((v) => v | 0) as Vec3;
    this.flags = this.row[FLAGS]!;
  }

  private param(i: number): number {
    return floatOfBits(this.row[i]!);
  }

  private params(i: number, count: number): number[] {
    return Array.from({ length: count }, (_, k) => this.param(i + k));
  }

  /** Both visits and the label at a place relative to the corner. */
  private at(p: Vec3): Vec3 {
    const place = p.map((v, axis) => v + this.corner[axis]!) as Vec3;
    return [...voxelAt(this.inputs, this.volume, this.attrs.half, place)];
  }

  private shift(o: Vec3): Vec3 {
    const sum: Vec3 = [0, 0, 0];
    if (!(this.flags & 16)) return sum;
    for (let w = 0; w < 3; w++) {
      const [kz, ky, kx, phase, ...by] = this.params(ROW_LAYOUT.WAVES + 7 * w, 7);
      const height = wave(dot([kz!, ky!, kx!], o) + phase!);
      by.forEach((b, axis) => {
        sum[axis]! += b * height;
      });
    }
    return sum;
  }

  private place(o: Vec3): Vec3 {
    if (this.flags & 8) {
      return [0, 1, 2].map((r) =>
        dot(this.params(ROW_LAYOUT.AFFINE + 4 * r, 4), [...o, 1]),
      ) as Vec3;
    }
    return o.map((v, axis) =>
      this.flags & (1 << axis) ? this.attrs.size[axis]! - 1 - v : v,
    ) as Vec3;
  }

  private trilinear(at: Vec3, visit: number): Sample {
    const low = at.map(Math.floor) as Vec3;
    let value = 0;
    for (const step of CORNERS) {
      const w = step.map((s, i) => (s ? at[i]! - low[i]! : 1 - at[i]! + low[i]!));
      value += w[0]! * w[1]! * w[2]! * this.at(low.map((v, i) => v + step[i]!) as Vec3)[visit]!;
    }
    return { value, bound: this.most * (6 * PLACE_ERROR + SUM_ERROR) };
  }

  private blurred(at: Vec3, visit: number, kernel: readonly number[]): Sample {
    const middle = at.map((v) => Math.floor(v + 0.5)) as Vec3;
    const taps = [-2, -1, 0, 1, 2];
    const weight = (tap: number, axis: number) => {
      const d = tap + middle[axis]! - at[axis]!;
      return Math.exp(-d * d * kernel[axis]!) * Math.max(0, 1 - (d / BLUR_REACH) ** 2);
    };
    let [sum, total] = [0, 0];
    for (const i of taps) {
      for (const j of taps) {
        for (const k of taps) {
          const w = weight(i, 0) * weight(j, 1) * weight(k, 2);
          sum += w * this.at([middle[0] + i, middle[1] + j, middle[2] + k])[visit]!;
          total += w;
        }
      }
    }
    return { value: sum / total, bound: this.most * (12 * PLACE_ERROR + SUM_ERROR) };
  }

  private coarse(o: Vec3, shift: Vec3, visit: number, kernel: readonly number[]): Sample {
    const [cell = 1, ...phase] = kernel;
    const q = o.map((v, i) => v / cell + phase[i]!) as Vec3;
    const low = q.map(Math.floor) as Vec3;
    let value = 0;
    let bound = this.most * (12 * PLACE_ERROR + SUM_ERROR);
    for (const step of CORNERS) {
      const w = step.map((s, i) => (s ? q[i]! - low[i]! : 1 - q[i]! + low[i]!));
      const weight = w[0]! * w[1]! * w[2]!;
      const lattice = low.map((v, i) => (v + step[i]! - phase[i]!) * cell) as Vec3;
      const at = this.place(lattice).map((v, i) => v + shift[i]!) as Vec3;
      const near = this.at(at.map((v) => Math.floor(v + 0.5)) as Vec3)[visit]!;
      value += weight * near;
      const apart = nearest(at).map((p) => Math.abs(this.at(p)[visit]! - near));
      bound += weight * Math.max(...apart);
    }
    return { value, bound };
  }

  private toned(v: number, has: number, o: Vec3, p: number): number {
    let value = v;
    if (has & VISIT_FLAGS.bias) {
      const [kz, ky, kx, phase, amplitude, air] = this.params(p + 4, 6);
      const field = 1 + amplitude! * wave(dot([kz!, ky!, kx!], o) + phase!);
      value = (value - air!) * field + air!;
    }
    if (has & VISIT_FLAGS.line) {
      const [factor, offset, least, most] = this.params(p + 10, 4);
      value = Math.min(Math.max(factor! * value + offset!, least!), most!);
    }
    if (has & VISIT_FLAGS.gamma) {
      const [least, perRange, inverted, gamma, factor, offset] = this.params(p + 14, 6);
      const u = (value - least!) * perRange!;
      const back = 1 - Math.max(1 - u, 1e-12) ** inverted!;
      value = factor! * Math.max(back, 1e-12) ** gamma! + offset!;
    }
    return value;
  }

  /** The map of intensities is monotone: its ends bound what a sample's error becomes. */
  private tonedSample({ value, bound }: Sample, has: number, o: Vec3, p: number): Sample {
    const middle = this.toned(value, has, o, p);
    // pow within the accuracy of exp2(y · log2 x) that WGSL states, as an error of its argument.
    const tone = has & VISIT_FLAGS.gamma ? 2 ** -16 : has & (VISIT_FLAGS.bias | VISIT_FLAGS.line);
    const own = tone ? this.most * (tone < 1 ? tone : 32 * EPS) : 0;
    const ends = [-1, 1].map((side) => this.toned(value + side * (bound + own), has, o, p));
    const apart = Math.max(...ends.map((end) => Math.abs(end - middle)));
    return { value: middle, bound: apart + own + 8 * EPS * Math.abs(middle) };
  }

  private sample(visit: number, o: Vec3, at: Vec3, shift: Vec3): Sample {
    const has = (this.flags >> (8 + 8 * visit)) & 255;
    const p = ROW_LAYOUT.VISIT + visit * ROW_LAYOUT.VISIT_WORDS;
    if (has & VISIT_FLAGS.blur) return this.blurred(at, visit, this.params(p, 3));
    if (has & VISIT_FLAGS.low) return this.coarse(o, shift, visit, this.params(p, 4));
    if (this.flags & 24) return this.trilinear(at, visit);
    return { value: this.at(at)[visit]!, bound: 0 };
  }

  private visit(visit: number, s: number, o: Vec3, at: Vec3, shift: Vec3): Sample {
    const has = (this.flags >> (8 + 8 * visit)) & 255;
    const p = ROW_LAYOUT.VISIT + visit * ROW_LAYOUT.VISIT_WORDS;
    const plain = this.sample(visit, o, at, shift);
    if (has === 0) return plain;
    const { value, bound } = this.tonedSample(plain, has, o, p);
    if (!(has & VISIT_FLAGS.noise)) return { value, bound };
    const words = pcg4d([this.row[ROW_LAYOUT.KEY]!, this.row[ROW_LAYOUT.KEY + 1]!, s, 0]);
    const noise = this.param(p + 20) * normal(words.slice(2 * visit, 2 * visit + 2));
    return { value: value + noise, bound: bound + 8 * EPS * (Math.abs(noise) + Math.abs(value)) };
  }

  /** Voxel `s` of the patch: both visits, their difference, the label, and bounds of each. */
  voxel(s: number) {
    const [, PH, PW] = this.attrs.size;
    const o: Vec3 = [Math.floor(s / (PH * PW)), Math.floor(s / PW) % PH, s % PW];
    const shift = this.shift(o);
    const at = this.place(o).map((v, i) => v + shift[i]!) as Vec3;
    const [first, second] = [0, 1].map((v) => this.visit(v, s, o, at, shift)) as [Sample, Sample];
    const moved = (this.flags & 24) !== 0;
    const label = this.at(at.map((v) => Math.floor(v + 0.5)) as Vec3)[2];
    const labels = moved ? nearest(at).map((p) => this.at(p)[2]) : [label];
    const apart = second.value - first.value;
    return {
      values: [first.value, second.value, apart],
      bounds: [first.bound, second.bound, first.bound + second.bound + EPS * Math.abs(apart)],
      label,
      labelBound: labels.some((l) => l !== label) ? 1 : 0,
    };
  }
}

/** Jarzynski and Olano 2020, on unsigned 32-bit words. */
export function pcg4d(words: readonly number[]): number[] {
  const v = words.map((w) => (Math.imul(w, 1664525) + 1013904223) >>> 0);
  for (let round = 0; round < 2; round++) {
    for (const [a, b, c] of [
      [0, 1, 3],
      [1, 2, 0],
      [2, 0, 1],
      [3, 1, 2],
    ] as const) {
      v[a] = (v[a]! + Math.imul(v[b]!, v[c]!)) >>> 0;
    }
    if (round === 0) for (const [i, w] of v.entries()) v[i] = (w ^ (w >>> 16)) >>> 0;
  }
  return v;
}

/** Eight bytes added, standardised. */
export function normal(words: readonly number[]): number {
  const bytes = words.flatMap((w) => [w & 255, (w >>> 8) & 255, (w >>> 16) & 255, w >>> 24]);
  const sum = bytes.reduce((a, b) => a + b, 0);
  return (sum - 8 * 127.5) / Math.sqrt((8 * (256 ** 2 - 1)) / 12);
}
