/** A run whose device was lost: its last checkpoint is whole, and a new process can go on with it. */
import { UserError } from "../core/errors";
import { DeviceLost } from "../gpu/device";
import { savedIteration } from "./checkpoint";

export class RunLost extends UserError {
  /**
   * @param path the run folder
   * @param began iterations of the run's last checkpoint as this process took it up; 0: none
   * @param saved those of its last checkpoint now
   */
  constructor(
    readonly loss: DeviceLost,
    readonly path: string,
    readonly began: number,
    readonly saved: number,
  ) {
    const from = saved > 0 ? ` from iteration ${saved}` : ", from its beginning,";
    super(`${loss.what}; go on${from} with: bun run train --resume ${path}`);
  }
}

/** @throws RunLost where the work ends by a lost device */
export async function orRunLost<T>(run: { path: string }, work: () => Promise<T>): Promise<T> {
  const began = savedIteration(run);
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DeviceLost)) throw error;
    throw new RunLost(error, run.path, began, savedIteration(run));
  }
}
