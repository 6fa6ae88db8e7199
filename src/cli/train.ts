import { withTuneOptions } from "../choose/tune_options";
import { UserError } from "../core/errors";
import { openDevice } from "../hosts/bun";
import { RunLost } from "../run/lost_run";
import { openRunFolder } from "../run/run_folder";
import { TerminalObserver } from "../run/terminal_observer";
import { type TrainResult, train } from "../run/train";
import { makeCommand, say } from "../terminal/command";
import { setInterruptedCode, untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { duration } from "../terminal/progress";
import { crossValidate, isCrossValidation } from "./train/folds";
import { AFTER_LOSS, afterLoss } from "./train/lost_device";
import { withTrainOptions } from "./train/options";
import { checkRunPaths, newConfig, resumedConfig, type TrainFlags } from "./train/settings";

const program = makeCommand("train", "Trains the 3D U-Net on pairs of FLAIR scans.");
withTrainOptions(program);
withTuneOptions(program);
program.addOption(AFTER_LOSS);
program.parse();
const given = program.opts<TrainFlags>();
await runMain(async () => {
  checkRunPaths(given);
  return isCrossValidation(given) ? crossValidate(program) : trainOne(given);
});

async function trainOne(options: TrainFlags): Promise<void> {
  if (options.shard) {
    throw new UserError("--shard is of a cross-validation: give --folds, or --resume its folder");
  }
  const device = await openDevice({ adapter: options.adapter });
  const resumed = options.resume === undefined ? undefined : openRunFolder(options.resume);
  const config = resumed ? resumedConfig(resumed, program) : newConfig(device, program);
  const observer = new TerminalObserver();
  const { signal } = observer;
  await untilInterrupted(signal, async () => {
    try {
      sayEnd(await train(device, { ...options, config, resumed }, observer, signal));
      if (signal.aborted) setInterruptedCode(signal);
    } catch (error) {
      if (!(error instanceof RunLost)) throw error;
      await afterLoss(error, options);
    }
  });
}

function sayEnd({ path, iteration, seconds, bestDice, interrupted }: TrainResult): void {
  const dice = bestDice >= 0 ? `, best validation Dice ${bestDice.toFixed(3)}` : "";
  say(`${iteration} iterations in ${duration(seconds)} of training${dice}; see ${path}`);
  if (interrupted) say(`interrupted; go on with: bun run train --resume ${path}`);
}
