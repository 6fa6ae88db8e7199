/** The brain mask of `--brain`: looked for, none, or a file's. */
import { UserError } from "../core/errors";
import { voxelVolume } from "../data/affine";
import { readMask } from "../data/nifti_read";
import { maskOnGrid } from "../data/pair";
import type { MatchOptions } from "./matched_pair";
import type { ReadImage } from "./placed_pair";

/** The file that `--brain` names, if it names one. */
export const brainFile = (brain: string | undefined): string | undefined =>
  brain === "auto" || brain === "off" ? undefined : brain;

/**
 * @param brain "auto" (default), "off" or the path of a mask
 * @param note tells how the mask was put on the grid of visit 1, and how large it is
 * @throws UserError for a file that is no mask, is empty, or cannot be put on that grid
 */
export async function readBrain(
  brain: string | undefined,
  { path, image }: ReadImage,
  note: (line: string) => void,
): Promise<NonNullable<MatchOptions["brain"]>> {
  const file = brainFile(brain);
  if (file === undefined) return brain === "off" ? "off" : "auto";
  const notes: string[] = [];
  const mask = maskOnGrid(file, await readMask(file), path, image, notes);
  const voxels = mask.data.reduce((sum, v) => sum + v, 0);
  if (voxels === 0) {
    throw new UserError(
      `--brain ${file}: no voxel of it lies in the image ${path}; give the mask of that visit, or ` +
        "leave --brain out",
    );
  }
  const millilitres = Math.round((voxels * voxelVolume(image.affine)) / 1000);
  for (const line of [...notes, `brain mask: that of ${file}, ${millilitres} ml`]) note(line);
  return mask;
}
