import { Philox } from "../../core/random";
import type { Affine, Mask, Size3, Volume } from "../volume";
import { Anatomy } from "./anatomy";
import type { Point } from "./fields";
import { paintFlow } from "./flow";
import { LesionPainter } from "./lesions";
import { acquire } from "./scanner";
import { drawVisit, render, type Sampling } from "./visit";

export interface PatientSettings {
  /** Seed of the cohort, an integer ≥ 0. */
  readonly seed: number;
  /** Edge of the cubic voxels, mm. */
  readonly spacing: number;
  /** Edges of the imaged box, mm; the head scales to fill it. */
  readonly fieldOfView: Point;
}

export interface PhantomPatient {
  readonly visits: readonly [Volume, Volume];
  readonly truth: Mask;
  /** Share of white matter in each voxel at the first and the second visit, without lesions. */
  readonly white: readonly [Float32Array, Float32Array];
  readonly oldLesions: number;
  /** Volume of each new lesion, mm³. */
  readonly newLesions: readonly number[];
}

/** Makes patient `index` of a cohort; it depends on nothing but the settings and the index. */
export function makePatient(settings: PatientSettings, index: number): PhantomPatient {
  const { seed, spacing, fieldOfView } = settings;
  const size = fieldOfView.map((e) => Math.round(e / spacing)) as unknown as Size3;
  const sampling: Sampling = { size, spacing };
  const anatomy = new Anatomy(seed, index, fieldOfView);
  const visits = [
    drawVisit(seed, index, 0, fieldOfView),
    drawVisit(seed, index, 1, fieldOfView),
  ] as const;
  const renderings = [
    render(anatomy, visits[0], sampling),
    render(anatomy, visits[1], sampling),
  ] as const;
  const truth = new Uint8Array(size[0] * size[1] * size[2]);
  const random = new Philox(seed, index, 4);
  const painter = new LesionPainter(anatomy, sampling, visits, renderings, seed, index);
  const newLesions: number[] = [];
  if (hasNewLesions(seed, index)) {
    const wanted = 1 + random.int(6) + random.int(3);
    while (newLesions.length < wanted) {
      const voxels = painter.addNew(truth);
      if (voxels > 0) newLesions.push(voxels * spacing ** 3);
      else if (newLesions.length > 0) break;
    }
  }
  let oldLesions = 0;
  for (let n = 5 + random.int(16); n > 0; n--) if (painter.addOld()) oldLesions++;
  for (const v of [0, 1] as const) paintFlow(anatomy, visits[v], renderings[v], sampling, random);
  const affine = centredAffine(sampling);
  const scan = (v: 0 | 1): Volume => ({
    size,
    affine,
    data: acquire(renderings[v].value, sampling, seed, index, v),
  });
  return {
    visits: [scan(0), scan(1)],
    truth: { size, affine, data: truth },
    white: [renderings[0].white, renderings[1].white],
    oldLesions,
    newLesions,
  };
}

/** Of every four consecutive patients one, drawn by lot, has no new lesion. */
export function hasNewLesions(seed: number, index: number): boolean {
  return new Philox(seed, Math.floor(index / 4), 9).int(4) !== index % 4;
}

/** World axes along the voxel axes, the world's origin in the centre of the grid. */
function centredAffine({ size, spacing: s }: Sampling): Affine {
  const [x, y, z] = size.map((n) => (-(n - 1) * s) / 2) as [number, number, number];
  return [s, 0, 0, x, 0, s, 0, y, 0, 0, s, z, 0, 0, 0, 1];
}
