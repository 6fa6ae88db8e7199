/** `bun run train` after its device was lost: a driver comes back for a new process, seldom for an old one. */
import { Option } from "commander";
import { UserError } from "../../core/errors";
import { destroyDevices } from "../../gpu/device";
import { savedIteration } from "../../run/checkpoint";
import type { RunLost } from "../../run/lost_run";
import { trainInProcess } from "../../run/training_process";
import { say } from "../../terminal/command";
import { watchInterrupt } from "../../terminal/interrupt";
import { resumeArguments, type TrainFlags } from "./settings";

/** Exit code of a process that was started here and has lost its device too. */
const LOST_AGAIN = 3;
/** Seconds that a driver gets to come back. */
const PAUSE = 2;

/** Given to the processes that are started here: they leave the rest to this one. */
export const AFTER_LOSS = new Option("--after-loss").hideHelp();

/**
 * Goes on with the run in a new process, again and again, as long as a checkpoint was saved between two
 * losses. A process that is itself one of these says by its exit code that it lost its device.
 * @throws UserError saying how to go on, where there was no progress
 */
export async function afterLoss(lost: RunLost, options: TrainFlags): Promise<void> {
  const { path, loss } = lost;
  if (options.afterLoss) {
    say(loss.what);
    process.exitCode = LOST_AGAIN;
    return;
  }
  if (lost.saved <= lost.began) throw lost;
  destroyDevices();
  say(loss.what);
  // Another adapter would go on with other bits.
  const args = [...resumeArguments(path, { ...options, adapter: loss.adapter }), AFTER_LOSS.long!];
  const { signal, dispose } = watchInterrupt(() => {});
  try {
    for (let { began, saved } = lost; saved > began; ) {
      say(`going on from iteration ${saved} in a new process`);
      await Bun.sleep(1000 * PAUSE);
      const code = await trainInProcess(args, "inherit", signal);
      if (code !== LOST_AGAIN) {
        process.exitCode = code;
        return;
      }
      began = saved;
      saved = savedIteration({ path });
    }
  } finally {
    dispose();
  }
  throw new UserError(
    "the device was lost again before the next checkpoint: look into the log of its driver, then go on " +
      `with: bun run train --resume ${path}`,
  );
}
