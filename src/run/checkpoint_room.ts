/** Room on the disk for a run's checkpoints, asked for before the training rather than found missing after it. */
import { UserError } from "../core/errors";
import { elements } from "../core/tensor";
import type { ParameterSpec } from "../nn/parameters";
import { freeBytes } from "../platform/disk_room";
import { sizeText } from "../terminal/read";
import type { RunFolder } from "./run_folder";

/** Of every parameter: in the state file w, w̄ and both moments, and one in either weights file. */
const COPIES = 6;

/**
 * @param checkpoints that will lie side by side, one that is being written among them
 * @throws UserError where the disk does not hold so many
 */
export function checkRoom(
  { path }: RunFolder,
  specs: readonly ParameterSpec[],
  checkpoints: number,
  free = freeBytes(path),
): void {
  const parameters = specs.reduce((sum, { shape }) => sum + elements(shape), 0);
  const needed = 4 * COPIES * parameters * checkpoints;
  if (free === undefined || free >= needed) return;
  throw new UserError(
    `${path}: checkpoints cannot be written: the disk is full but for ${sizeText(free)}, they take ` +
      `${sizeText(needed)}; free some space, or name a run folder elsewhere`,
  );
}
