import { withTuneOptions } from "../choose/tune_options";
import { UserError } from "../core/errors";
import { openDevice } from "../hosts/bun";
import { RunLost } from "../run/lost_run";
import { openRunFolder } from "../run/run_folder";
import { type TrainResult, train } from "../run/train";
import { makeCommand } from "../terminal/command";
import { setInterruptedCode, untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { duration } from "../terminal/progress";
import { crossValidate, isCrossValidation } from "./train/folds";
import { LivePageProcess } from "./train/live_page";
import { AFTER_LOSS, afterLoss } from "./train/lost_device";
import { withTrainOptions } from "./train/options";
import { RunObserver } from "./train/run_observer";
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
  const { live } = options;
  const observer = new RunObserver();
  const page = new LivePageProcess(live, (line) => observer.show(line));
  observer.whenFolder((path) => page.show(path));
  const { signal } = observer;
  await untilInterrupted(signal, async () => {
    try {
      const result = await train(device, { ...options, config, resumed }, observer, signal);
      for (const line of endLines(result)) observer.note(line);
      if (signal.aborted) setInterruptedCode(signal);
    } catch (error) {
      observer.keep((error as Error).message);
      if (!(error instanceof RunLost)) throw error;
      await afterLoss(error, options);
    } finally {
      page.end();
    }
  });
}

function endLines({ path, iteration, seconds, bestDice, interrupted }: TrainResult): string[] {
  const dice = bestDice >= 0 ? `, best validation Dice ${bestDice.toFixed(3)}` : "";
  const end = `${iteration} iterations in ${duration(seconds)} of training${dice}; see ${path}`;
  return interrupted ? [end, `interrupted; go on with: bun run train --resume ${path}`] : [end];
}
