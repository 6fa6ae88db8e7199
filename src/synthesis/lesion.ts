/** A lesion as a parametric body: lobes with rough surfaces, or a real lesion's shape, turned. */
import type { Philox } from "../core/random";
import { type Size3, voxelAt } from "../data/volume";
import { type LesionShape, SOFT_MM, trilinear } from "./mask_shapes";
import { turn } from "./motion";

type Point = readonly [number, number, number];

/** An ellipsoid with a wavy surface. */
interface Lobe {
  readonly centre: Point;
  readonly radii: Point;
  /** Rows: from the head's axes to the lobe's. */
  readonly axes: readonly number[];
  /** Waves of the surface: direction and phase. */
  readonly waves: readonly (readonly [x: number, y: number, z: number, phase: number])[];
  readonly roughness: number;
}

export interface LesionBody {
  readonly lobes: readonly Lobe[];
  /** In place of lobes. */
  readonly shape?: {
    readonly of: LesionShape;
    readonly axes: readonly number[];
    readonly at: Point;
  };
  /** Width of the border, mm. */
  readonly edge: number;
  /** Brightness of the middle over that of the rim. */
  readonly core: number;
  /** Nominal radius, mm. */
  readonly radius: number;
}

/** Voxels of a lesion with its share of each, and its brightness there (1 at most). */
export interface Footprint {
  readonly voxels: Int32Array;
  readonly share: Float32Array;
  readonly tone: Float32Array;
}

/** mm of depth per unit of a soft mask, at its border: the slope of a step under a Gaussian. */
const SLOPE = SOFT_MM * Math.sqrt(2 * Math.PI);

const radiusOf = (mm3: number) => ((3 * mm3) / (4 * Math.PI)) ** (1 / 3);

/** A point in a voxel, in voxels. */
export function pointIn(voxel: number, size: Size3, random: Philox): Point {
  const at = voxelAt(voxel, size);
  return at.map((p) => p + random.uniform(-0.5, 0.5)) as unknown as Point;
}

/** @param volume mm³ */
export function drawBody(
  random: Philox,
  at: Point,
  volume: number,
  shapes: readonly LesionShape[],
): LesionBody {
  const edge = random.uniform(0.9, 2.2);
  const core = volume > 150 && random.uniform() < 0.15 ? random.uniform(0.55, 0.9) : 1;
  const fitting = shapes.filter((shape) => Math.abs(Math.log(shape.volume / volume)) < 0.5);
  if (fitting.length > 0 && random.uniform() < 0.5) {
    const of = fitting[random.int(fitting.length)]!;
    const size = (of.volume / volume) ** (1 / 3);
    const mirror = random.uniform() < 0.5 ? -size : size;
    const axes = turn(angles(random, 0.5), [mirror, size, size]);
    return { lobes: [], shape: { of, axes, at }, edge, core, radius: radiusOf(volume) };
  }
  // Large lesions are what small ones have grown into.
  const most = volume < 80 ? 1 : volume < 400 ? 2 : 5;
  const count = 1 + random.int(most);
  const shares = Array.from({ length: count }, () => random.uniform(0.4, 1));
  const total = shares.reduce((a, b) => a + b, 0);
  const lobes: Lobe[] = [];
  for (const share of shares) {
    const previous = lobes[random.int(Math.max(1, lobes.length))];
    lobes.push(drawLobe(random, at, (volume * share) / total, previous));
  }
  return { lobes, edge, core, radius: radiusOf(volume) };
}

const angles = (random: Philox, most: number): Point => [
  random.uniform(-most, most),
  random.uniform(-most, most),
  random.uniform(-most, most),
];

function drawLobe(random: Philox, at: Point, volume: number, beside: Lobe | undefined): Lobe {
  const r = radiusOf(volume);
  const stretch = [0, 1, 2].map(() => Math.exp(0.28 * random.normal()));
  const mean = stretch.reduce((a, b) => a * b, 1) ** (1 / 3);
  const radii = stretch.map((s) => (r * Math.min(2, Math.max(0.5, s))) / mean);
  const direction = [random.normal(), random.normal(), random.normal()];
  const length = Math.hypot(...direction) || 1;
  const centre = beside
    ? direction.map((d, axis) => beside.centre[axis]! + (d / length) * (r + beside.radii[0]) * 0.7)
    : at;
  const waves = Array.from({ length: 4 }, () => {
    const k = random.uniform(1.5, 4);
    const d = [random.normal(), random.normal(), random.normal()];
    const n = (Math.hypot(...d) || 1) / k;
    return [d[0]! / n, d[1]! / n, d[2]! / n, random.uniform(0, 2 * Math.PI)] as const;
  });
  return {
    centre: centre as unknown as Point,
    radii: radii as unknown as Point,
    axes: turn(angles(random, Math.PI)),
    waves,
    roughness: random.uniform(0.02, 0.1),
  };
}

/**
 * The lesion in voxels of 1 mm.
 * @param grown mm that its surface lies further out (or in, below 0)
 */
export function footprint(body: LesionBody, size: Size3, grown = 0): Footprint {
  const reach = grown + body.edge + 1;
  const [low, high] = bounds(body, reach);
  const first = low.map((v) => Math.max(0, Math.floor(v)));
  const last = high.map((v, axis) => Math.min(size[axis]! - 1, Math.ceil(v)));
  const voxels: number[] = [];
  const share: number[] = [];
  const tone: number[] = [];
  for (let z = first[2]!; z <= last[2]!; z++) {
    for (let y = first[1]!; y <= last[1]!; y++) {
      for (let x = first[0]!; x <= last[0]!; x++) {
        const depth = depthAt(body, x, y, z) + grown;
        const inside = smoothstep(depth / body.edge + 0.5);
        if (inside < 0.01) continue;
        voxels.push((z * size[1] + y) * size[0] + x);
        share.push(inside);
        const deep = Math.min(1, Math.max(0, (2 * depth) / body.radius));
        tone.push(1 + (body.core - 1) * deep);
      }
    }
  }
  return {
    voxels: Int32Array.from(voxels),
    share: Float32Array.from(share),
    tone: Float32Array.from(tone),
  };
}

function smoothstep(t: number): number {
  const u = Math.min(1, Math.max(0, t));
  return u * u * (3 - 2 * u);
}

function bounds({ lobes, shape }: LesionBody, reach: number): readonly [number[], number[]] {
  const low = [1e9, 1e9, 1e9];
  const high = [-1e9, -1e9, -1e9];
  const around = (centre: Point, radius: number) => {
    for (const axis of [0, 1, 2]) {
      low[axis] = Math.min(low[axis]!, centre[axis]! - radius - reach);
      high[axis] = Math.max(high[axis]!, centre[axis]! + radius + reach);
    }
  };
  for (const { centre, radii } of lobes) around(centre, 1.3 * Math.max(...radii));
  if (shape)
    around(shape.at, (0.9 * Math.hypot(...shape.of.size)) / 2 / Math.abs(shape.axes[0]! || 1));
  return [low, high];
}

/** Depth under the surface, mm; negative outside. */
function depthAt({ lobes, shape }: LesionBody, x: number, y: number, z: number): number {
  if (shape) return shapeDepth(shape, x, y, z);
  let deepest = -1e9;
  for (const { centre, radii, axes, waves, roughness } of lobes) {
    const [dx, dy, dz] = [x - centre[0], y - centre[1], z - centre[2]];
    const u = (axes[0]! * dx + axes[1]! * dy + axes[2]! * dz) / radii[0];
    const v = (axes[3]! * dx + axes[4]! * dy + axes[5]! * dz) / radii[1];
    const w = (axes[6]! * dx + axes[7]! * dy + axes[8]! * dz) / radii[2];
    const d = Math.sqrt(u * u + v * v + w * w);
    let surface = 1;
    for (const [a, b, c, phase] of waves)
      surface += roughness * Math.sin(a * u + b * v + c * w + phase);
    const smallest = Math.min(...radii);
    deepest = Math.max(deepest, (surface - d) * (d < 0.5 ? smallest : meanRadius(radii)));
  }
  return deepest;
}

const meanRadius = (radii: Point) => (radii[0] + radii[1] + radii[2]) / 3;

function shapeDepth(
  { of, axes, at }: NonNullable<LesionBody["shape"]>,
  x: number,
  y: number,
  z: number,
): number {
  const [dx, dy, dz] = [x - at[0], y - at[1], z - at[2]];
  const q = [0, 3, 6].map(
    (r, axis) => axes[r]! * dx + axes[r + 1]! * dy + axes[r + 2]! * dz + (of.size[axis]! - 1) / 2,
  ) as [number, number, number];
  const soft = trilinear(of.soft, of.size, q);
  return (soft - of.border) * SLOPE;
}
