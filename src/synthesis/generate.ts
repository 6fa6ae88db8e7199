/** Makes a pair of visits of a background: another pair for every number, the same for the same one. */
import { Philox } from "../core/random";
import type { Point3 } from "../data/affine";
import { lattice, randomField } from "../data/phantom/fields";
import type { Mask, Size3, Volume } from "../data/volume";
import { connectedComponents } from "../eval/components";
import {
  ACQUISITION,
  type Acquisition,
  acquired,
  drawAcquisition,
  type Framing,
  scannedLater,
} from "./acquisition";
import type { Background } from "./background";
import { boundsOf } from "./bounds";
import { evolved, type MadeLesion } from "./evolution";
import type { LesionShape } from "./mask_shapes";
import { appearsAt, type Box, type Motion, moved, product, turn } from "./motion";

export interface GeneratedPair {
  readonly visit1: Volume;
  readonly visit2: Volume;
  /** Voxels that are new or brighter at visit 2. */
  readonly truth: Mask;
  /** The truth of the time-swapped pair. */
  readonly resolved: Mask;
  readonly made: readonly MadeLesion[];
}

/** Streams of a pair. */
const STREAM = { plan: 1, anatomy: 2, lesions: 3, visit1: 4, visit2: 5, bias: 7 } as const;

export const POSE = {
  /** Of the head, both visits alike: degrees, factor of size along each axis, bend in mm. */
  turn: 9,
  size: [0.92, 1.08],
  bend: [0, 2.2],
  bendKnot: 45,
  /** Between the visits: most pairs lie well on each other, some do not. */
  good: { share: 0.75, degrees: 0.25, mm: 0.25 },
  bad: { degrees: 1, mm: 1 },
  /** Distortion that differs between the visits, and widening of the ventricles, mm. */
  distortion: [0, 0.35],
  widening: [0, 0.6],
  /** Of a whole head: share that is cut out, and share whose face is taken off. */
  extracted: 0.35,
  defaced: 0.12,
  /** Share of pairs whose field of view ends inside of the head, and by how much at most, mm. */
  cut: 0.3,
  cutMm: 35,
} as const;

export interface GenerateOptions {
  /**
   * `alike`: the visits have one bias field but for a small rest, as pairs have whose difference in
   * brightness was taken out. `own`: each its own.
   */
  readonly bias?: "own" | "alike";
}

const LEAST_VOXELS = 3;
/** Nodes of a bend, mm. */
const BEND_STEP = 8;

/**
 * @param shapes real lesions' shapes, in part of the lesions in place of parametric ones
 * @param key seed and number of the pair
 */
export function generatePair(
  background: Background,
  shapes: readonly LesionShape[],
  seed: number,
  index: number,
  { bias = "own" }: GenerateOptions = {},
): GeneratedPair {
  const plan = new Philox(seed, index, STREAM.plan);
  const first = drawAcquisition(background, plan);
  const another = drawAcquisition(background, plan);
  const second = plan.uniform() < ACQUISITION.sameScanner ? scannedLater(first, plan) : another;
  const framing = {
    ...drawFraming(background, plan),
    common: bias === "alike" ? commonBias(background, first, [seed, index]) : undefined,
  };
  const random = new Philox(seed, index, STREAM.lesions);
  const sight = [first, second].map(({ slices, noise, contrast }) => ({
    mm: slices.mm,
    noise,
    curve: contrast.curve,
  }));
  const heads = evolved(background, shapes, random, [sight[0]!, sight[1]!]);
  const [motion1, motion2] = drawMotions(background, new Philox(seed, index, STREAM.anatomy));
  const { size } = background;
  const visit1 = acquired(heads.visit1, background, first, framing, motion1, [
    ...([seed, index, STREAM.visit1] as const),
  ]);
  const visit2 = acquired(heads.visit2, background, second, framing, motion2, [
    ...([seed, index, STREAM.visit2] as const),
  ]);
  const isCut = cutFrom(framing, size);
  const truth = labelled(heads.appeared, size, motion2);
  const resolved = labelled(heads.disappeared, size, motion1);
  for (const values of [visit1, visit2, truth, resolved]) clear(values, size, isCut);
  const mirrored = plan.uniform() < 0.5;
  const place = <D extends Float32Array | Uint8Array>(data: D) => ({
    size,
    affine: background.affine,
    data: mirrored ? flipped(data, size) : data,
  });
  return {
    visit1: place(visit1),
    visit2: place(visit2),
    truth: place(withoutSpecks(truth, size)),
    resolved: place(withoutSpecks(resolved, size)),
    made: heads.made,
  };
}

interface Frame extends Framing {
  /** Planes that are cut off below and above. */
  readonly below: number;
  readonly above: number;
  readonly isDefaced: boolean;
}

function commonBias(
  { size }: Background,
  { bias }: Acquisition,
  [seed, index]: readonly [number, number],
): Framing["common"] {
  const random = new Philox(seed, index, STREAM.bias);
  return { field: randomField(random, [size[0], size[1], size[2]], bias.knot), depth: bias.depth };
}

function drawFraming({ isExtracted }: Background, random: Philox): Frame {
  const extract = random.uniform() < POSE.extracted;
  const level = random.uniform(95, 150);
  const cut = random.uniform() < POSE.cut;
  const [below, above] = [POSE.cutMm * random.uniform() ** 1.5, 12 * random.uniform() ** 2];
  const deface = random.uniform() < POSE.defaced;
  return {
    extraction: extract && !isExtracted ? level : undefined,
    below: cut ? Math.round(8 + below) : 0,
    above: cut ? Math.round(8 + above) : 0,
    isDefaced: deface && !isExtracted,
  };
}

/** Whether a row (y, z) lies outside of the field of view. */
function cutFrom({ below, above, isDefaced }: Frame, [, ny, nz]: Size3) {
  return (y: number, z: number) => {
    if (z < below || z >= nz - above) return true;
    // A plane from the forehead to below the chin.
    return isDefaced && y / ny - 0.9 > 0.55 * (z / nz - 0.42);
  };
}

function clear(
  values: Float32Array | Uint8Array,
  [nx, ny, nz]: Size3,
  isCut: (y: number, z: number) => boolean,
): void {
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      const at = (z * ny + y) * nx;
      if (isCut(y, z)) values.fill(0, at, at + nx);
    }
  }
}

function drawMotions(background: Background, random: Philox): readonly [Motion, Motion] {
  const { size, centre } = background;
  const degree = Math.PI / 180;
  const vector = (most: number) => onAxes(() => random.uniform(-most, most));
  const scale = onAxes(() => random.uniform(...POSE.size));
  const head = turn(vector(POSE.turn * degree), scale);
  const extent = [size[0], size[1], size[2]] as const;
  const common = bendOf(random, extent, random.uniform(...POSE.bend), POSE.bendKnot);
  const good = random.uniform() < POSE.good.share;
  const { degrees, mm } = good ? POSE.good : POSE.bad;
  const [angles, shift] = [vector(degrees * degree), vector(mm)];
  const distortion = bendOf(random, extent, 0.5 * random.uniform(...POSE.distortion), 40);
  const wider = random.uniform() < 0.5 ? random.uniform(...POSE.widening) : 0;
  const half = (sign: 1 | -1): Motion => ({
    linear: product(head, turn(scaled(angles, 0.5 * sign))),
    shift: scaled(shift, 0.5 * sign),
    bend: onAxes((axis) =>
      lattice(extent, BEND_STEP, (x, y, z) => {
        const bend = common[axis].at(x, y, z) + sign * distortion[axis].at(x, y, z);
        return sign === 1 ? bend + wider * widening(size, centre, axis, x, y, z) : bend;
      }),
    ),
  });
  return random.uniform() < 0.5 ? [half(1), half(-1)] : [half(-1), half(1)];
}

const onAxes = <T>(of: (axis: 0 | 1 | 2) => T): readonly [T, T, T] => [of(0), of(1), of(2)];
const scaled = (v: Point3, by: number) => onAxes((axis) => by * v[axis]);

/** A smooth displacement of this deviation along each axis. */
function bendOf(random: Philox, extent: Point3, mm: number, knot: number) {
  const fields = onAxes(() => randomField(random, extent, knot));
  return onAxes((axis) => ({
    at: (x: number, y: number, z: number) => mm * fields[axis].at(x, y, z),
  }));
}

/** Ventricles that are wider: what is read lies nearer to their middle. At most about 1. */
function widening(
  size: Size3,
  centre: Point3,
  axis: 0 | 1 | 2,
  x: number,
  y: number,
  z: number,
): number {
  const d = [x, y, z].map((v, a) => v + (size[a]! - 1) / 2 - centre[a]!);
  const r = Math.hypot(...d);
  return (-d[axis]! / 12) * Math.exp(-0.5 * (r / 28) ** 2);
}

/** What fills half of a voxel at its visit. */
function labelled(share: Float32Array, size: Size3, motion: Motion): Uint8Array {
  const box = boxOf(share, size, motion);
  if (!box) return new Uint8Array(share.length);
  return Uint8Array.from(moved(share, size, motion, box), (v) => (v >= 0.5 ? 1 : 0));
}

/** Where what is not 0 can appear. */
function boxOf(share: Float32Array, size: Size3, motion: Motion): Box | undefined {
  const { low, high } = boundsOf(share, size, (v) => v !== 0);
  if (high[0] < 0) return undefined;
  const corners = Array.from({ length: 8 }, (_, c) =>
    appearsAt(size, motion, [
      c & 1 ? high[0] : low[0],
      c & 2 ? high[1] : low[1],
      c & 4 ? high[2] : low[2],
    ]),
  );
  const reach = 12;
  const bound = (axis: number, pick: (...v: number[]) => number, by: number) =>
    Math.min(size[axis]! - 1, Math.max(0, Math.round(pick(...corners.map((c) => c[axis]!)) + by)));
  return {
    low: [bound(0, Math.min, -reach), bound(1, Math.min, -reach), bound(2, Math.min, -reach)],
    high: [bound(0, Math.max, reach), bound(1, Math.max, reach), bound(2, Math.max, reach)],
  };
}

/** Takes parts of fewer than three voxels away. In place. */
function withoutSpecks(mask: Uint8Array, size: Size3): Uint8Array {
  if (!mask.includes(1)) return mask;
  const { count, voxels } = connectedComponents(mask, size, 18);
  for (let c = 1; c <= count; c++) {
    const part = voxels(c);
    if (part.length < LEAST_VOXELS) for (const i of part) mask[i] = 0;
  }
  return mask;
}

/** Left for right. */
function flipped<D extends Float32Array | Uint8Array>(data: D, [nx]: Size3): D {
  const out = data.slice() as D;
  for (let at = 0; at < out.length; at += nx) out.subarray(at, at + nx).reverse();
  return out;
}
