import type { Philox } from "../../core/random";
import type { Anatomy, Probe } from "./anatomy";
import { clamp, type Point } from "./fields";
import { toAnatomy } from "./lesions";
import type { Rendering, Sampling, Visit } from "./visit";
import { voxelCentre } from "./visit";

/**
 * Bright flow at one visit only, never in white matter: slow blood in vessels of the sulci, and
 * fluid that streams in the ventricles. Both are common in FLAIR, and look like change.
 */
export function paintFlow(
  anatomy: Anatomy,
  visit: Visit,
  rendering: Rendering,
  sampling: Sampling,
  random: Philox,
) {
  const vessels = 16 + random.int(12);
  for (let n = 0; n < vessels; n++) {
    const start = findPlace(anatomy, sampling, random, (p) => Math.abs(p.pial) < 0.6);
    const radius = random.uniform(0.9, 1.6);
    paintTube(visit, rendering, sampling, random, start, radius, random.uniform(0.7, 1.1), 4);
  }
  const streams = 2 + random.int(3);
  for (let n = 0; n < streams; n++) {
    const start = findPlace(anatomy, sampling, random, (p) => p.ventricle < -0.8);
    paintTube(visit, rendering, sampling, random, start, 2.2, random.uniform(0.5, 0.9), 1);
  }
}

function findPlace(
  anatomy: Anatomy,
  { size, spacing }: Sampling,
  random: Philox,
  suits: (probe: Probe) => boolean,
): Point {
  const probe: Probe = { pial: 0, ventricle: 0, nuclei: 0 };
  const along = (n: number) => random.uniform(-0.5, 0.5) * n * spacing;
  for (;;) {
    const p: Point = [along(size[0]), along(size[1]), along(size[2])];
    const hull = anatomy.hullDistance(...p);
    if (hull < -1 && suits(anatomy.probe(...p, hull, 0, probe))) return p;
  }
}

/** A chain of `parts` short straight pieces that wander from `start`, all in anatomical mm. */
function paintTube(
  visit: Visit,
  rendering: Rendering,
  sampling: Sampling,
  random: Philox,
  start: Point,
  radius: number,
  level: number,
  parts: number,
) {
  let heading: Point = [random.normal(), random.normal(), random.normal()];
  let from = start;
  for (let part = 0; part < parts; part++) {
    heading = heading.map((h) => h + 0.4 * random.normal()) as unknown as Point;
    const length = Math.hypot(...heading) + 1e-9;
    const to = from.map((f, a) => f + (2.5 * heading[a]!) / length) as unknown as Point;
    paintPiece(visit, rendering, sampling, from, to, radius, level);
    from = to;
  }
}

function paintPiece(
  visit: Visit,
  { value, white }: Rendering,
  sampling: Sampling,
  from: Point,
  to: Point,
  radius: number,
  level: number,
) {
  const { size, spacing } = sampling;
  const range = from.map((f, a) => {
    const middle = (size[a]! - 1) / 2;
    const low = (Math.min(f, to[a]!) - radius - 1.5) / spacing + middle;
    const high = (Math.max(f, to[a]!) + radius + 1.5) / spacing + middle;
    return [Math.max(0, Math.ceil(low)), Math.min(size[a]! - 1, Math.floor(high))] as const;
  });
  for (let k = range[2]![0]; k <= range[2]![1]; k++)
    for (let j = range[1]![0]; j <= range[1]![1]; j++)
      for (let i = range[0]![0]; i <= range[0]![1]; i++) {
        const o = (k * size[1] + j) * size[0] + i;
        const p = toAnatomy(visit, voxelCentre(sampling, i, j, k));
        const share = clamp(0.5 - (pieceDistance(p, from, to) - radius) / spacing, 0, 1);
        value[o]! += share * (1 - white[o]!) * Math.max(0, level - value[o]!);
      }
}

function pieceDistance(p: Point, from: Point, to: Point): number {
  let dot = 0;
  let length = 0;
  for (let a = 0; a < 3; a++) {
    dot += (p[a]! - from[a]!) * (to[a]! - from[a]!);
    length += (to[a]! - from[a]!) ** 2;
  }
  const t = clamp(dot / (length + 1e-9), 0, 1);
  return Math.hypot(
    p[0] - from[0] - t * (to[0] - from[0]),
    p[1] - from[1] - t * (to[1] - from[1]),
    p[2] - from[2] - t * (to[2] - from[2]),
  );
}
