import { Philox } from "../../core/random";
import type { Anatomy, Probe } from "./anatomy";
import { clamp, type Field, type Point, randomField } from "./fields";
import type { Rendering } from "./render";
import { eachVoxel, type Sampling } from "./sampling";
import { toAnatomy, type Visit } from "./visit";

/** Width of the soft border of a lesion, mm. */
const BORDER_MM = 1.5;
/** Free tissue between two lesions, mm. */
const GAP_MM = 2;
/** A new lesion has at least this volume, so that the challenge's 3 mm³ rule never drops one. */
const SMALLEST_MM3 = 6;

/** An ellipsoid with a rough surface, in anatomical mm. */
export interface Lesion {
  readonly centre: Point;
  readonly axes: Point;
  /** Rows of a rotation matrix: the directions of the axes. */
  readonly frame: readonly [Point, Point, Point];
  /** Where the surface noise is read, mm. */
  readonly offset: Point;
  /** Intensity at the core relative to white matter. */
  readonly level: number;
}

/** A voxel in which a lesion has a share, after clipping to white matter. */
interface Footprint {
  readonly index: Int32Array;
  readonly share: Float32Array;
}

/** Draws and paints the lesions of one patient into the renderings of both visits. */
export class LesionPainter {
  private readonly random: Philox;
  private readonly roughness: Field;
  private readonly placed: Lesion[] = [];
  private readonly extent: Point;

  constructor(
    private readonly anatomy: Anatomy,
    private readonly sampling: Sampling,
    private readonly visits: readonly [Visit, Visit],
    private readonly renderings: readonly [Rendering, Rendering],
    seed: number,
    patient: number,
  ) {
    this.extent = sampling.size.map((n) => n * sampling.spacing) as unknown as Point;
    this.random = new Philox(seed, patient, 3);
    this.roughness = randomField(this.random, [40, 40, 40], 2.4);
  }

  /** A lesion of both visits; at the second its radius differs by at most a quarter of a mm. */
  addOld(): boolean {
    const lesion = this.find((candidate) => this.whiteShare(candidate) > 0.6);
    if (!lesion) return false;
    const change = this.random.uniform(-0.25, 0.25);
    const later = {
      ...lesion,
      axes: lesion.axes.map((a) => Math.max(a + change, 0.8)) as unknown as Point,
      level: lesion.level * this.random.uniform(0.95, 1.05),
    };
    this.paint(lesion, 0);
    this.paint(later, 1);
    return true;
  }

  /** A lesion of the second visit alone, marked in `truth`; its number of voxels, 0 if none fits. */
  addNew(truth: Uint8Array): number {
    let label: Int32Array = new Int32Array(0);
    const lesion = this.find((candidate) => {
      if (this.anatomy.rim(...candidate.centre, 0) > 0.6) return false;
      if (this.whiteShare(candidate) < 0.75) return false;
      label = this.label(candidate);
      const volume = label.length * this.sampling.spacing ** 3;
      return volume >= SMALLEST_MM3 && isConnected(label, this.sampling);
    });
    if (!lesion) return 0;
    this.paint(lesion, 1);
    for (const o of label) truth[o] = 1;
    return label.length;
  }

  /** The first of many random candidates that keeps its distance from others and is accepted. */
  private find(accept: (candidate: Lesion) => boolean): Lesion | undefined {
    const kind = this.random.uniform();
    const diameter = clamp(5.6 * Math.exp(0.35 * this.random.normal()), 3, 12);
    for (let attempt = 0; attempt < 3000; attempt++) {
      // A place that is hard to find is given up for a smaller lesion.
      const shrink = 1 - attempt / 6000;
      const candidate = drawLesion(this.random, this.extent, Math.max(diameter * shrink, 3));
      if (!this.suits(candidate, kind) || !this.isApart(candidate) || !accept(candidate)) continue;
      this.placed.push(candidate);
      return candidate;
    }
    return undefined;
  }

  /** Whether a lesion lies where its kind does: at the ventricles, under the cortex, or between. */
  private suits(lesion: Lesion, kind: number): boolean {
    const [x, y, z] = lesion.centre;
    const hull = this.anatomy.hullDistance(x, y, z);
    if (hull > -4) return false;
    const probe: Probe = { pial: 0, ventricle: 0, nuclei: 0 };
    this.anatomy.probe(x, y, z, hull, 0, probe);
    const radius = meanRadius(lesion);
    const depth = probe.pial - this.anatomy.cortexMm;
    if (depth < 0.5 || probe.nuclei < 1 || probe.ventricle < 0.5) return false;
    if (kind < 0.35) return probe.ventricle < radius + 3;
    if (kind < 0.6) return depth < radius + 1 && probe.ventricle > radius + 3;
    return depth > radius && probe.ventricle > radius + 3;
  }

  private isApart(lesion: Lesion): boolean {
    return this.placed.every((other) => {
      const [u, v, w] = lesion.centre.map((c, a) => c - other.centre[a]!) as [
        number,
        number,
        number,
      ];
      return Math.hypot(u, v, w) > Math.max(...lesion.axes) + Math.max(...other.axes) + GAP_MM;
    });
  }

  /** White matter's share of the lesion's volume, at the visit where it has less. */
  private whiteShare(lesion: Lesion): number {
    const { index, share } = this.footprint(lesion, 1);
    let all = 0;
    const white = [0, 0];
    for (let v = 0; v < index.length; v++) {
      all += share[v]!;
      for (const visit of [0, 1] as const)
        white[visit]! += share[v]! * this.renderings[visit].white[index[v]!]!;
    }
    return all > 0 ? Math.min(...white) / all : 0;
  }

  /** Voxels of which the lesion fills at least half, white matter at both visits. */
  private label(lesion: Lesion): Int32Array {
    const { index, share } = this.footprint(lesion, 1);
    const [first, second] = this.renderings;
    return index.filter(
      (o, v) => share[v]! * second.white[o]! >= 0.5 && share[v]! * first.white[o]! >= 0.5,
    );
  }

  private paint(lesion: Lesion, visit: 0 | 1) {
    const { value, white } = this.renderings[visit];
    const level = lesion.level * this.visits[visit].contrast.white;
    const { index, share } = this.footprint(lesion, visit);
    for (let v = 0; v < index.length; v++) {
      const o = index[v]!;
      value[o]! += share[v]! * white[o]! * (level - value[o]!);
    }
  }

  /** The voxels that a lesion touches at a visit, with its share of each. */
  private footprint(lesion: Lesion, visit: 0 | 1): Footprint {
    const reach = 1.3 * Math.max(...lesion.axes) + BORDER_MM + 1;
    const low = lesion.centre.map((c) => c - reach) as unknown as Point;
    const high = lesion.centre.map((c) => c + reach) as unknown as Point;
    const index: number[] = [];
    const share: number[] = [];
    eachVoxel(this.sampling, low, high, (o, x, y, z) => {
      const p = toAnatomy(this.visits[visit], x, y, z);
      const part = clamp(0.5 - this.distance(lesion, p) / BORDER_MM, 0, 1);
      if (part === 0) return;
      index.push(o);
      share.push(part);
    });
    return { index: Int32Array.from(index), share: Float32Array.from(share) };
  }

  /** Approximate signed distance from the lesion's surface, mm, negative inside. */
  private distance(lesion: Lesion, p: Point): number {
    const { centre, axes, frame, offset } = lesion;
    const [u, v, w] = [p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]];
    let k0 = 0;
    let k1 = 0;
    for (let a = 0; a < 3; a++) {
      const along = (frame[a]![0] * u + frame[a]![1] * v + frame[a]![2] * w) / axes[a]!;
      k0 += along * along;
      k1 += (along / axes[a]!) ** 2;
    }
    k0 = Math.sqrt(k0);
    const rough = this.roughness.at(u + offset[0], v + offset[1], w + offset[2]);
    const smooth = k0 > 0.01 ? (k0 * (k0 - 1)) / Math.sqrt(k1) : -Math.min(...axes);
    return smooth + 0.17 * meanRadius(lesion) * clamp(rough, -1.5, 1.5);
  }
}

function meanRadius(lesion: Lesion): number {
  return Math.cbrt(lesion.axes[0] * lesion.axes[1] * lesion.axes[2]);
}

function drawLesion(random: Philox, extent: Point, diameter: number): Lesion {
  const place = (width: number) => random.uniform(-width / 2, width / 2);
  const stretch = [0, 0, 0].map(() => Math.exp(0.2 * clamp(random.normal(), -2, 2)));
  const unit = Math.cbrt(stretch[0]! * stretch[1]! * stretch[2]!);
  return {
    centre: [place(extent[0]), place(extent[1]), place(extent[2])],
    axes: stretch.map((s) => ((diameter / 2) * s) / unit) as unknown as Point,
    frame: randomFrame(random),
    offset: [place(20), place(20), place(20)],
    level: random.uniform(1.5, 1.9),
  };
}

/** A random rotation, from a random unit quaternion. */
function randomFrame(random: Philox): readonly [Point, Point, Point] {
  const q = [random.normal(), random.normal(), random.normal(), random.normal()];
  const length = Math.hypot(...q) + 1e-9;
  const [w, x, y, z] = q.map((c) => c / length) as [number, number, number, number];
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
}

/** Whether voxels hang together through their faces (6-connectivity). */
function isConnected(voxels: Int32Array, { size }: Sampling): boolean {
  const left = new Set(voxels);
  const steps = [1, size[0], size[0] * size[1]];
  const queue = [voxels[0]!];
  left.delete(voxels[0]!);
  for (let o = queue.pop(); o !== undefined; o = queue.pop())
    for (const step of steps)
      for (const next of [o - step, o + step]) if (left.delete(next)) queue.push(next);
  return left.size === 0;
}
