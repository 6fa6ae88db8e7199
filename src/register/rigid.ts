/** Rigid motions and their halves, in float64; matrices are row-major 4 × 4, lengths in mm. */
import { IDENTITY, multiplyAffine } from "../data/affine";
import type { Affine } from "../data/volume";

/** Rotation vector ω (radians) and translation part t of a twist; exp of it is a motion. */
export type Twist = readonly number[];

type Matrix3 = readonly number[];

const cross = (w: readonly number[]): Matrix3 => [
  ...[0, -w[2]!, w[1]!],
  ...[w[2]!, 0, -w[0]!],
  ...[-w[1]!, w[0]!, 0],
];

function times(a: Matrix3, b: Matrix3): Matrix3 {
  return Array.from({ length: 9 }, (_, i) => {
    const [row, column] = [Math.floor(i / 3), i % 3];
    return [0, 1, 2].reduce((sum, k) => sum + a[3 * row + k]! * b[3 * k + column]!, 0);
  });
}

const applied = (m: Matrix3, v: readonly number[]) =>
  [0, 1, 2].map((row) => [0, 1, 2].reduce((sum, k) => sum + m[3 * row + k]! * v[k]!, 0));

/** I + a·K + b·K² */
function series(K: Matrix3, a: number, b: number): Matrix3 {
  const K2 = times(K, K);
  return K.map((k, i) => (i % 4 === 0 ? 1 : 0) + a * k + b * K2[i]!);
}

const SMALL_ANGLE = 1e-6;

/** sin θ / θ, (1 − cos θ) / θ² and (θ − sin θ) / θ³, which do not cancel near 0. */
function angleFactors(angle: number): [number, number, number] {
  if (angle < SMALL_ANGLE) return [1, 0.5, 1 / 6];
  const [s, c] = [Math.sin(angle), Math.cos(angle)];
  return [s / angle, (1 - c) / angle ** 2, (angle - s) / angle ** 3];
}

/** The rigid motion of a twist (Murray, Li & Sastry 1994, eq. 2.36). */
export function exponential(twist: Twist): Affine {
  const K = cross(twist);
  const [a, b, c] = angleFactors(Math.hypot(twist[0]!, twist[1]!, twist[2]!));
  const R = series(K, a, b);
  const t = applied(series(K, b, c), twist.slice(3, 6));
  return [0, 1, 2].flatMap((row) => [...R.slice(3 * row, 3 * row + 3), t[row]!]).concat(0, 0, 0, 1);
}

/** The twist of a rigid motion that turns by less than π. */
export function logarithm(m: Affine): Twist {
  const antisymmetric = [m[9]! - m[6]!, m[2]! - m[8]!, m[4]! - m[1]!];
  const sine = Math.hypot(...antisymmetric) / 2;
  const angle = Math.atan2(sine, (m[0]! + m[5]! + m[10]! - 1) / 2);
  const factor = angle < SMALL_ANGLE ? 0.5 : angle / (2 * sine);
  const w = antisymmetric.map((v) => factor * v);
  const [a, b] = angleFactors(angle);
  // The inverse of the exponential's I + b·K + c·K² is I − K/2 + (1/θ²)(1 − a / (2b))·K².
  const square = angle < SMALL_ANGLE ? 1 / 12 : (1 - a / (2 * b)) / angle ** 2;
  const t = applied(series(cross(w), -0.5, square), [m[3]!, m[7]!, m[11]!]);
  return [...w, ...t];
}

/** The rotation of a rigid motion in degrees. */
export const rotationDegrees = (m: Affine): number =>
  (Math.hypot(...logarithm(m).slice(0, 3)) * 180) / Math.PI;

/** `m` about `centre`: what m does to centre + x is centre + m x. */
export function about(centre: readonly number[], m: Affine): Affine {
  const shift = (sign: number) => translation(centre.map((v) => sign * v));
  return multiplyAffine(shift(1), multiplyAffine(m, shift(-1)));
}

export function translation([x = 0, y = 0, z = 0]: readonly number[]): Affine {
  return IDENTITY.map((v, i) => (i === 3 ? x : i === 7 ? y : i === 11 ? z : v));
}
