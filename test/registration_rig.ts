/** Heads that are moved and scanned again, to find the motion: made-up ones and real scans. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findBrain } from "../src/brain/brain_mask";
import { Philox } from "../src/core/random";
import { applyAffine, invertAffine, multiplyAffine } from "../src/data/affine";
import { parseItkTransform } from "../src/data/itk_transform";
import { readMask } from "../src/data/nifti_read";
import { makePatient } from "../src/data/phantom/patient";
import { resampleCubicTo } from "../src/data/resample_cubic";
import { type Affine, type Mask, type Size3, type Volume, voxelSize } from "../src/data/volume";
import { findHead, type Head } from "../src/register/head";
import { rmsDistance } from "../src/register/register";
import { about, exponential, translation } from "../src/register/rigid";

/** The folder with real scans, in $VOXGRAD_DATA or beside the project; undefined where there is none. */
export const SHARED_DATA = [
  process.env.VOXGRAD_DATA,
  join(dirname(dirname(import.meta.dir)), "shared", "data"),
]
  .filter((path) => path !== undefined)
  .find((path) => existsSync(join(path, "ljubljana_raw")));

/** A head, and what is known of it. */
export interface Subject {
  readonly image: Volume;
  readonly head: Head;
  readonly brain: Mask;
}

export function subjectOf(image: Volume): Subject {
  return { image, head: findHead(image)!, brain: findBrain(image).mask };
}

/** Heads of adult size, coarse so that they are made fast. */
const SETTINGS = { seed: 3, spacing: 1.5, fieldOfView: [160, 190, 160] as const };

/** A person that nobody has seen. */
export const madeUp = (index: number): Subject => subjectOf(makePatient(SETTINGS, index).visits[0]);

/** A turn by degrees about a fixed, oblique axis through the head, and a shift of so many mm. */
export function motionOf({ head }: Subject, degrees: number, mm: number): Affine {
  const turn = exponential([
    ...[0.36, 0.48, 0.8].map((v) => (v * degrees * Math.PI) / 180),
    ...[0, 0, 0],
  ]);
  const shift = translation([0.6, -0.64, 0.48].map((v) => v * mm));
  return multiplyAffine(shift, about(head.centre, turn));
}

export interface Scanner {
  /** Thickness of a slice, mm. */
  readonly slice: number;
  /** Edge of a voxel within a slice, mm. */
  readonly edge?: number;
  /** Spheres of 3 to 6 mm, brighter by 0.6 of the head's median, in the brain. */
  readonly lesions?: number;
}

/** The field of view of the second scan, mm. */
const FIELD = [180, 204, 172] as const;
const [GAIN, NOISE] = [1.15, 0.02];

/**
 * The head moved and scanned again: a tilted grid, a gain of 1.15, 2 % noise. Values are those of the
 * cubic B-spline through the voxels, in a slice the mean over its thickness.
 */
export function scannedAgain(
  subject: Subject,
  moved: Affine,
  { slice, edge = 1.2, lesions = 0 }: Scanner,
): Volume {
  const random = new Philox(9, lesions);
  const { head } = subject;
  const image = withLesions(subject, lesions, random);
  const parts = Math.max(1, Math.round(slice / 1.2));
  const edges = [edge, edge, slice] as const;
  const [nx, ny, nz] = FIELD.map((mm, axis) => Math.round(mm / edges[axis]!)) as [
    number,
    number,
    number,
  ];
  const fine = tiltedGrid([nx, ny, nz * parts], [edge, edge, slice / parts], moved, head);
  const seen = resampleCubicTo(image, {
    size: fine.size,
    affine: multiplyAffine(invertAffine(moved), fine.affine),
  }).data;
  const data = new Float32Array(nx * ny * nz);
  for (let i = 0; i < data.length; i++) {
    const first = (i % (nx * ny)) + Math.floor(i / (nx * ny)) * parts * nx * ny;
    let sum = 0;
    for (let part = 0; part < parts; part++) sum += seen[first + part * nx * ny]!;
    const noise = NOISE * head.median * random.normal();
    data[i] = Math.max(0, (GAIN * sum) / parts + noise);
  }
  const { affine } = tiltedGrid([nx, ny, nz], edges, moved, head);
  return { size: [nx, ny, nz], affine, data };
}

/** A grid some degrees off the axes, about the moved head. */
function tiltedGrid(size: Size3, edges: readonly number[], moved: Affine, { centre }: Head) {
  const tilt = exponential([0.1, -0.05, 0.07, 0, 0, 0]);
  const linear = [0, 1, 2].map((r) => [0, 1, 2].map((c) => tilt[4 * r + c]! * edges[c]!));
  const middle = applyAffine(moved, centre);
  const rows = linear.map((row, r) => [
    ...row,
    middle[r]! - row.reduce((sum, v, c) => sum + (v * (size[c]! - 1)) / 2, 0),
  ]);
  return { size, affine: [...rows.flat(), 0, 0, 0, 1] };
}

function withLesions({ image, head, brain }: Subject, count: number, random: Philox): Volume {
  const data = image.data.slice();
  const inside = [...brain.data.keys()].filter((i) => brain.data[i]);
  const [bx, by] = brain.size;
  const [nx, ny, nz] = image.size;
  const edges = voxelSize(image.affine);
  for (let lesion = 0; lesion < count; lesion++) {
    const i = inside[random.int(inside.length)]!;
    const at = [i % bx, Math.floor(i / bx) % by, Math.floor(i / (bx * by))] as const;
    const place = applyAffine(invertAffine(image.affine), applyAffine(brain.affine, at));
    const radius = 3 + 3 * random.uniform();
    for (let k = 0; k < data.length; k++) {
      const dz = (Math.floor(k / (nx * ny)) - place[2]) * edges[2];
      if (Math.abs(dz) > radius) continue;
      const dy = ((Math.floor(k / nx) % ny) - place[1]) * edges[1];
      const dx = ((k % nx) - place[0]) * edges[0];
      if (Math.hypot(dx, dy, dz) < radius) data[k]! += 0.6 * head.median;
    }
  }
  return { size: [nx, ny, nz], affine: image.affine, data };
}

/** RMS distance over the head of a subject between a motion that was found and the right one, mm. */
export const errorOf = ({ head }: Subject, found: Affine, wanted: Affine): number =>
  rmsDistance(found, wanted, head.points);

/** Visit 1 → visit 2 as published, and points of the published brain mask in the world of visit 1. */
export async function publishedPair(patient: string) {
  const published = join(SHARED_DATA!, `ljubljana_raw/coregistered/patient${patient}`);
  const [to1, to2] = [1, 2].map((k) => {
    const name = `study${k}_FLAIR_to_common_space.txt`;
    return parseItkTransform(readFileSync(join(published, name), "utf8"), name);
  }) as [Affine, Affine];
  const mask = await readMask(join(published, "brainmask.nii.gz"));
  const [nx, ny] = mask.size;
  const points = [...mask.data.keys()]
    .filter((i) => mask.data[i] && i % 29 === 0)
    .map((i) => [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))] as const)
    .map((at) => applyAffine(to1, applyAffine(mask.affine, at)));
  return { transform: multiplyAffine(to2, invertAffine(to1)), points };
}
