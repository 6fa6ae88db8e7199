import type { Philox } from "../../core/random";
import type { Anatomy, Probe } from "./anatomy";
import { clamp, type Point } from "./fields";
import type { Rendering } from "./render";
import { eachVoxel, type Sampling } from "./sampling";
import { toAnatomy, type Visit } from "./visit";

/** Length of one straight piece of a vessel, mm. */
const PIECE_MM = 2.5;

/**
 * Bright flow at one visit only, never in white matter: slow blood in vessels of the sulci, and
 * fluid that streams in the ventricles. Both are common in FLAIR, and look like change.
 */
export class FlowPainter {
  constructor(
    private readonly anatomy: Anatomy,
    private readonly sampling: Sampling,
    private readonly visit: Visit,
    private readonly rendering: Rendering,
    private readonly random: Philox,
  ) {}

  paint(): void {
    const { random } = this;
    for (let vessels = 24 + random.int(16); vessels > 0; vessels--) {
      const start = this.findPlace((probe) => Math.abs(probe.pial) < 0.6);
      this.paintTube(start, random.uniform(0.8, 1.4), random.uniform(0.7, 1.1), 4);
    }
    for (let streams = 2 + random.int(3); streams > 0; streams--) {
      const start = this.findPlace((probe) => probe.ventricle < -0.8);
      this.paintTube(start, 2.2, random.uniform(0.4, 0.75), 1);
    }
  }

  private findPlace(suits: (probe: Probe) => boolean): Point {
    const probe: Probe = { pial: 0, ventricle: 0, nuclei: 0 };
    const { size, spacing } = this.sampling;
    for (;;) {
      const p = size.map((n) => this.random.uniform(-0.5, 0.5) * n * spacing) as unknown as Point;
      const hull = this.anatomy.hullDistance(...p);
      if (hull < -1 && suits(this.anatomy.probe(...p, hull, 0, probe))) return p;
    }
  }

  /** A chain of `pieces` that wanders from `start` with the given radius (mm) and intensity. */
  private paintTube(start: Point, radius: number, level: number, pieces: number): void {
    const { random } = this;
    let heading: Point = [random.normal(), random.normal(), random.normal()];
    let from = start;
    for (let piece = 0; piece < pieces; piece++) {
      heading = heading.map((h) => h + 0.4 * random.normal()) as unknown as Point;
      const length = Math.hypot(...heading) + 1e-9;
      const to = from.map((f, a) => f + (PIECE_MM * heading[a]!) / length) as unknown as Point;
      this.paintPiece(from, to, radius, level);
      from = to;
    }
  }

  private paintPiece(from: Point, to: Point, radius: number, level: number): void {
    const { value, white } = this.rendering;
    // The pose moves a voxel by less than 1.5 mm.
    const margin = radius + this.sampling.spacing + 1.5;
    const low = from.map((f, a) => Math.min(f, to[a]!) - margin) as unknown as Point;
    const high = from.map((f, a) => Math.max(f, to[a]!) + margin) as unknown as Point;
    eachVoxel(this.sampling, low, high, (o, x, y, z) => {
      const p = toAnatomy(this.visit, x, y, z);
      if (this.anatomy.hullDistance(...p) > 0) return;
      const distance = pieceDistance(p, from, to) - radius;
      const share = clamp(0.5 - distance / this.sampling.spacing, 0, 1) * (1 - white[o]!);
      value[o]! += share * Math.max(0, level - value[o]!);
    });
  }
}

/** Distance of a point from a straight piece, mm. */
function pieceDistance(p: Point, from: Point, to: Point): number {
  let dot = 0;
  let length = 0;
  for (let a = 0; a < 3; a++) {
    dot += (p[a]! - from[a]!) * (to[a]! - from[a]!);
    length += (to[a]! - from[a]!) ** 2;
  }
  const t = clamp(dot / length, 0, 1);
  return Math.hypot(...p.map((c, a) => c - from[a]! - t * (to[a]! - from[a]!)));
}
