/** The brain mask of `--brain`: looked for, none, or a file's. */
import { findBrain, LEAST_BRAIN_ML } from "../brain/brain_mask";
import { movedMask } from "../brain/pair_brain";
import { UserError } from "../core/errors";
import { describeGrid, IDENTITY, sameGrid, voxelVolume } from "../data/affine";
import { readMask } from "../data/nifti_read";
import { maskOnGrid } from "../data/pair";
import type { Mask, Volume } from "../data/volume";
import { reorderedTo } from "../data/voxel_order";
import { isHeadSized } from "../register/align";
import type { MatchOptions } from "./matched_pair";
import type { ReadImage } from "./placed_pair";

/** A given mask must hold this share of the brain that is found in the image. */
const LEAST_SHARE = 0.7;

/** The file that `--brain` names, if it names one. */
export const brainFile = (brain: string | undefined): string | undefined =>
  brain === "auto" || brain === "off" ? undefined : brain;

/**
 * @param brain "auto" (default), "off" or the path of a mask
 * @param note tells how the mask was put on the grid of visit 1, and how large it is
 * @throws UserError for a file that is no mask, is empty, cannot be put on that grid, or cannot be
 *   the brain of that visit
 */
export async function readBrain(
  brain: string | undefined,
  [visit1, visit2]: readonly [ReadImage, ReadImage],
  note: (line: string) => void,
): Promise<NonNullable<MatchOptions["brain"]>> {
  const file = brainFile(brain);
  if (file === undefined) return brain === "off" ? "off" : "auto";
  const { path, image } = visit1;
  const notes: string[] = [];
  const read = await readMask(file);
  if (!hasGridOf(read, image) && hasGridOf(read, visit2.image)) {
    throw new UserError(
      `--brain ${file}: its grid is that of the second visit, ${visit2.path} (${describeGrid(read)}); ` +
        `give a mask of the first visit, ${path}, or leave --brain out`,
    );
  }
  const mask = maskOnGrid(file, read, path, image, notes);
  const voxels = mask.data.reduce((sum, v) => sum + v, 0);
  if (voxels === 0) {
    throw new UserError(
      `--brain ${file}: no voxel of it lies in the image ${path}; give the mask of that visit, or ` +
        "leave --brain out",
    );
  }
  const millilitres = Math.round((voxels * voxelVolume(image.affine)) / 1000);
  for (const line of [...notes, `brain mask: that of ${file}, ${millilitres} ml`]) note(line);
  requireBrain(file, mask, millilitres, visit1);
  return mask;
}

const hasGridOf = (mask: Mask, image: Volume): boolean =>
  sameGrid(mask, image) || reorderedTo(mask, image) !== undefined;

/**
 * A mask of something else, or one that lies elsewhere, would leave lesions out of the answer. One that
 * takes in too much does not: in one of more than a brain lesions may lie anywhere.
 */
function requireBrain(file: string, mask: Mask, millilitres: number, { path, image }: ReadImage) {
  if (!isHeadSized(image)) return;
  if (millilitres < LEAST_BRAIN_ML) {
    throw new UserError(
      `--brain ${file}: holds ${millilitres} ml, a brain ${LEAST_BRAIN_ML} ml or more; give a mask of ` +
        `the whole brain of ${path}, or leave --brain out`,
    );
  }
  const own = findBrain(image);
  if (own.doubt !== undefined) return;
  const given = movedMask(mask, IDENTITY, own.mask).data;
  let [inside, all] = [0, 0];
  own.mask.data.forEach((v, i) => {
    all += v;
    inside += v & given[i]!;
  });
  if (inside >= LEAST_SHARE * all) return;
  throw new UserError(
    `--brain ${file}: holds ${Math.round((100 * inside) / all)} % of what looks like the brain of ` +
      `${path}; give a mask of that visit, in its space, or leave --brain out`,
  );
}
