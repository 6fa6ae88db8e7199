/** The maps of space and intensity that augmentation's parameters stand for. */
import {
  BLUR_REACH,
  type ElasticWave,
  type VisitAugmentation,
} from "../../kernels/volume/augmentation";
import { mappedMoments, type VisitStatistics } from "../data/visit_statistics";

export type Vec3 = readonly [z: number, y: number, x: number];

/** A bound that no intensity passes. */
const UNBOUNDED = 3e38;

export const scaled = (v: Vec3, by: number): Vec3 => [v[0] * by, v[1] * by, v[2] * by];

/** Rotation about z, then y, then x, by angles in that order, radians; rows z, y, x. */
export function rotation(angles: readonly number[]): number[] {
  let m = [1, 0, 0, 0, 1, 0, 0, 0, 1];
  for (const [axis, angle] of angles.entries()) {
    const [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
    const turned = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    turned[a * 3 + a] = Math.cos(angle);
    turned[b * 3 + b] = Math.cos(angle);
    turned[a * 3 + b] = -Math.sin(angle);
    turned[b * 3 + a] = Math.sin(angle);
    const before = m;
    m = m.map((_, i) => {
      const [row, column] = [Math.floor(i / 3), i % 3];
      return [0, 1, 2].reduce((sum, k) => sum + turned[row * 3 + k]! * before[k * 3 + column]!, 0);
    });
  }
  return m;
}

/**
 * The 3 × 4 matrix of: mirror in the patch, then `linear` about the anchor, so that the anchor's
 * voxel is where the mirror puts it, whatever the elastic waves do there.
 */
export function placed(
  linear: readonly number[],
  mirror: readonly boolean[],
  anchor: Vec3,
  last: number,
  elastic: readonly ElasticWave[],
): number[] {
  const mirrored = anchor.map((a, axis) => (mirror[axis] ? last - a : a));
  const shift = [0, 1, 2].map((axis) =>
    elastic.reduce((sum, { k, phase, by }) => {
      const turns = k.reduce((dot, v, i) => dot + v * mirrored[i]!, phase);
      return sum + by[axis]! * wave(turns);
    }, 0),
  );
  return [0, 1, 2].flatMap((row) => {
    const line = linear.slice(3 * row, 3 * row + 3);
    const ahead = line.map((v, column) => (mirror[column] ? -v : v));
    const start = line.reduce((sum, v, c) => sum + v * ((mirror[c] ? last : 0) - anchor[c]!), 0);
    return [...ahead, anchor[row]! + start - shift[row]!];
  });
}

/** As the shader's: a curve like a sine of period 1, of two parabolas. */
function wave(t: number): number {
  const u = 2 * (t - Math.round(t));
  return 4 * u * (1 - Math.abs(u));
}

export function lineOf(
  { air, tissue, least, most }: VisitStatistics,
  gain: number,
  contrast?: number,
) {
  const brighter = (v: number) => air + (v - air) * gain;
  const pivot = brighter(tissue);
  const c = contrast ?? 1;
  const bounds =
    contrast === undefined
      ? { least: -UNBOUNDED, most: UNBOUNDED }
      : { least: brighter(least), most: brighter(most) };
  return { factor: gain * c, offset: pivot * (1 - c) + c * air * (1 - gain), ...bounds };
}

/** Gamma maps of the inverted image and of the image, which keep the volume's mean and deviation. */
export function gammaOf(
  statistics: VisitStatistics,
  line: VisitAugmentation["line"],
  inverted: number,
  gamma: number,
) {
  const before = (v: number) =>
    line ? Math.min(Math.max(line.factor * v + line.offset, line.least), line.most) : v;
  const [least, most] = [before(statistics.least), before(statistics.most)];
  const range = Math.max(most - least, 1e-7);
  const kept = mappedMoments(statistics, before);
  const bent = mappedMoments(statistics, (v) => {
    const u = Math.min(1, Math.max(0, (before(v) - least) / range));
    return (1 - (1 - u) ** inverted) ** gamma;
  });
  const factor = kept.deviation / Math.max(bent.deviation, 1e-7);
  return { least, range, inverted, gamma, factor, offset: kept.mean - factor * bent.mean };
}

const NARROWNESS = { first: 0.45, step: 0.01, values: narrownesses(0.45, 0.01, 66) };

/** 1 / 2s² of the blur's kernel with standard deviation σ, 0.45 to 1.1 voxels. */
export function blurNarrowness(sigma: number): number {
  const { first, step, values } = NARROWNESS;
  const at = Math.min(Math.max((sigma - first) / step, 0), values.length - 1.001);
  const i = Math.floor(at);
  return values[i]! + (at - i) * (values[i + 1]! - values[i]!);
}

function narrownesses(first: number, step: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    let [low, high] = [0, 20];
    for (let round = 0; round < 40; round++) {
      const middle = (low + high) / 2;
      if (kernelVariance(middle) > (first + i * step) ** 2) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  });
}

function kernelVariance(narrowness: number): number {
  let [weight, square] = [0, 0];
  for (let d = 0.01; d < BLUR_REACH; d += 0.02) {
    const w = Math.exp(-d * d * narrowness) * (1 - (d / BLUR_REACH) ** 2);
    weight += w;
    square += w * d * d;
  }
  return square / weight;
}
