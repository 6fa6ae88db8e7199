import { Philox } from "../../core/random";
import type { Mask, Size3, Volume } from "../volume";
import { Anatomy } from "./anatomy";
import type { Point } from "./fields";
import { FlowPainter } from "./flow";
import { LesionPainter } from "./lesions";
import { render } from "./render";
import { centredAffine, type Sampling } from "./sampling";
import { acquire } from "./scanner";
import { drawVisit } from "./visit";

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
  const first = drawVisit(seed, index, 0, fieldOfView);
  const second = drawVisit(seed, index, 1, fieldOfView);
  const visits = [first, second] as const;
  const renderings = [render(anatomy, first, sampling), render(anatomy, second, sampling)] as const;
  const painter = new LesionPainter(anatomy, sampling, visits, renderings, seed, index);
  const truth = new Uint8Array(size[0] * size[1] * size[2]);
  const random = new Philox(seed, index, 4);
  const lesions = addLesions(painter, truth, hasNewLesions(seed, index), random);
  for (const v of [0, 1] as const)
    new FlowPainter(anatomy, sampling, visits[v], renderings[v], random).paint();
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
    oldLesions: lesions.old,
    newLesions: lesions.new.map((voxels) => voxels * spacing ** 3),
  };
}

/** Adds 1 to 7 new lesions, or none, and 5 to 20 old ones; fewer where there is no room left. */
function addLesions(painter: LesionPainter, truth: Uint8Array, withNew: boolean, random: Philox) {
  const sizes: number[] = [];
  const wanted = withNew ? 1 + random.int(6) + random.int(2) : 0;
  for (let attempt = 0; attempt < 30 && sizes.length < wanted; attempt++) {
    const voxels = painter.addNew(truth);
    if (voxels > 0) sizes.push(voxels);
  }
  if (withNew && sizes.length === 0) throw new Error("phantom: no room for a new lesion");
  let old = 0;
  for (let n = 5 + random.int(16); n > 0; n--) if (painter.addOld()) old++;
  return { old, new: sizes };
}

/** Of every four consecutive patients one, drawn by lot, has no new lesion. */
export function hasNewLesions(seed: number, index: number): boolean {
  return new Philox(seed, Math.floor(index / 4), 9).int(4) !== index % 4;
}
