/** Two visits and masks on one grid, from images in memory. */
import { UserError } from "../core/errors";
import { describeGrid, isIdentity, sameGrid } from "./affine";
import { withoutHotVoxels } from "./hot_voxels";
import type { FromFile } from "./nifti_decode";
import { resampleMaskTo, resampleTo } from "./resample";
import { type Grid, type Mask, type Volume, voxelSize } from "./volume";
import { cornersApart, reorderedTo, reorderingNote } from "./voxel_order";

/** Two visits of one patient on one grid, that of visit 1. */
export interface Pair {
  readonly time1: ReadVolume;
  readonly time2: Volume;
  /** A line for each thing in the files that was decided by rule; to be shown to the user. */
  readonly notes: readonly string[];
}

type ReadVolume = Volume & FromFile;

/**
 * Both visits without hot voxels and on the grid of the first: a second one on another grid has its voxels reordered, or is
 * resampled (trilinear) by header geometry, and a note says so.
 * @param path1 name of the first image in messages; `path2` of the second
 * @throws UserError when the grids differ and a header has no geometry to resample by, or when the
 *   two do not overlap in space
 */
export function pairOf(path1: string, read1: ReadVolume, path2: string, read2: ReadVolume): Pair {
  const [time1, time2] = [withoutHotVoxels(read1, path1), withoutHotVoxels(read2, path2)];
  const notes = [...time1.notes, ...time2.notes];
  const onGrid = onSameGrid(path2, time2, path1, time1, notes);
  if (onGrid) {
    if (time1.data.every((v, i) => v === onGrid.data[i])) {
      notes.push(`${path2}: holds the same voxels as ${path1}: the two visits are one image`);
    }
    return { time1, time2: onGrid, notes };
  }
  const resampled = resampleTo(time2, time1);
  notes.push(`${resamplingNote(path2, time2, path1, time1, resampled.outside)} (trilinear)`);
  return { time1, time2: resampled, notes };
}

/**
 * An image whose grid is another's, or is but for the order of the voxels, which a note tells; else
 * undefined, where the headers say how to resample.
 * @throws UserError where they do not
 */
function onSameGrid<I extends (Volume | Mask) & FromFile>(
  path: string,
  image: I,
  gridPath: string,
  grid: Grid & FromFile,
  notes: string[],
): I | undefined {
  if (sameGrid(image, grid)) return image;
  requireGeometry(path, image, gridPath, grid);
  const reordered = reorderedTo(image, grid);
  if (reordered) notes.push(reorderingNote(path, image, gridPath, grid));
  return reordered;
}

/**
 * A mask on the grid of an image, with the image's affine: as it is, with its voxels reordered, or
 * resampled (nearest) by header geometry; a line in `notes` tells of the latter two.
 * @throws UserError as pairOf
 */
export function maskOnGrid(
  path: string,
  mask: Mask & FromFile,
  gridPath: string,
  grid: Volume & FromFile,
  notes: string[],
): Mask {
  const onGrid = onSameGrid(path, mask, gridPath, grid, notes);
  if (onGrid) return { ...onGrid, affine: grid.affine };
  const resampled = resampleMaskTo(mask, grid);
  notes.push(
    `${resamplingNote(path, mask, gridPath, grid, resampled.outside)} (nearest; ` +
      `${volumeMm3(mask)} mm³ before, ${volumeMm3(resampled)} mm³ after)`,
  );
  return resampled;
}

/** An identity affine is what tools write who know none: not a geometry to resample by. */
function requireGeometry(
  path: string,
  image: Grid & FromFile,
  gridPath: string,
  grid: Grid & FromFile,
): void {
  const lacking = [
    { path, ...image },
    { path: gridPath, ...grid },
  ].find(({ info, affine }) => info.geometry === "pixdim" || isIdentity(affine));
  if (!lacking) return;
  throw new UserError(
    `${path}: its grid (${describeGrid(image)}) is not that of ${gridPath} ` +
      `(${describeGrid(grid)}${cornersApart(image, grid)}), and the header of ${lacking.path} has no position in space to ` +
      "resample by; give images on one grid, or set the header, e.g. with fslcpgeom",
  );
}

function resamplingNote(
  path: string,
  image: Grid,
  gridPath: string,
  grid: Grid,
  outside: number,
): string {
  const total = grid.size[0] * grid.size[1] * grid.size[2];
  if (outside === total) {
    throw new UserError(
      `${path}: does not overlap with ${gridPath} in space; ` +
        "check that both are of one patient, rigidly aligned, with correct headers",
    );
  }
  const beyond = outside === 0 ? "" : `; ${percent(outside / total)} % lies outside it and is 0`;
  return (
    `${path}: ${describeGrid(image)}, not the grid of ${gridPath} (${describeGrid(grid)}` +
    `${cornersApart(image, grid)}): ` +
    `resampled to it by header geometry${beyond}`
  );
}

const percent = (fraction: number) => Number((100 * fraction).toPrecision(2));

function volumeMm3(mask: Mask): number {
  const [x, y, z] = voxelSize(mask.affine);
  const voxels = mask.data.reduce((sum, value) => sum + value, 0);
  return Number((voxels * x * y * z).toPrecision(4));
}
