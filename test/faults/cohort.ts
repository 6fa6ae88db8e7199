/** A small made-up cohort: noise in a ball, and at visit 2 a bright ball in it, the new lesion. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Philox } from "../../src/core/random";
import { writeMask, writeVolume } from "../../src/data/nifti_write";
import type { Grid, Size3 } from "../../src/data/volume";

const SIZE: Size3 = [26, 30, 24];
const GRID: Grid = {
  size: SIZE,
  affine: [1, 0, 0, -13, 0, 1, 0, -15, 0, 0, 1, -12, 0, 0, 0, 1],
};

/** Squared distance of a voxel from a place, in shares of the half edges. */
function distance(at: readonly number[], from: readonly number[]): number {
  return at.reduce((sum, v, axis) => sum + ((2 * (v - from[axis]!)) / SIZE[axis]!) ** 2, 0);
}

/**
 * Writes patients p01, p02, … in the layout of MSSEG-2, in seconds to train on.
 * @param lesionFree patients without a lesion, by number from 1
 */
export async function writeCohort(
  folder: string,
  patients: number,
  lesionFree: readonly number[] = [],
): Promise<void> {
  for (let k = 1; k <= patients; k++) {
    const random = new Philox(k);
    const count = SIZE[0] * SIZE[1] * SIZE[2];
    const [first, second] = [new Float32Array(count), new Float32Array(count)];
    const truth = new Uint8Array(count);
    const middle = SIZE.map((n) => n / 2);
    const lesion = middle.map((v) => v + random.int(3) - 1);
    for (let i = 0; i < count; i++) {
      const at = [
        i % SIZE[0],
        Math.floor(i / SIZE[0]) % SIZE[1],
        Math.floor(i / SIZE[0] / SIZE[1]),
      ];
      const isBrain = distance(at, middle) < 0.8;
      const isLesion = !lesionFree.includes(k) && distance(at, lesion) < 0.06;
      const base = isBrain ? 300 + 20 * random.normal() : 0;
      first[i] = base + (isBrain ? 8 * random.normal() : 0);
      second[i] = base + (isBrain ? 8 * random.normal() : 0) + (isLesion ? 250 : 0);
      truth[i] = Number(isLesion);
    }
    const path = join(folder, `p${String(k).padStart(2, "0")}`);
    mkdirSync(path, { recursive: true });
    const visit = (n: number) => join(path, `flair_time0${n}_on_middle_space.nii.gz`);
    await writeVolume(visit(1), { ...GRID, data: first });
    await writeVolume(visit(2), { ...GRID, data: second });
    await writeMask(join(path, "ground_truth.nii.gz"), { ...GRID, data: truth });
  }
}
