import { UserError } from "../core/errors";
import type { Ranks } from "../mpi/ranks";
import { exitCodeOf } from "../platform/interruption";
import { RunLost } from "../run/lost_run";
import { openRunFolder } from "../run/run_folder";
import { type TrainResult, train } from "../run/train";
import { makeCommand, say } from "../terminal/command";
import { untilInterrupted } from "../terminal/interrupt";
import { runMain } from "../terminal/main";
import { duration } from "../terminal/progress";
import { crossValidate, isCrossValidation } from "./train/folds";
import { LivePageProcess } from "./train/live_page";
import { AFTER_LOSS, afterLoss } from "./train/lost_device";
import { withTrainOptions } from "./train/options";
import {
  amongRanks,
  deviceOf,
  followAtTerminal,
  joinRanks,
  sharedConfig,
  sharingLines,
} from "./train/ranks";
import { RunObserver } from "./train/run_observer";
import { checkRunPaths, newConfig, resumedConfig, type TrainFlags } from "./train/settings";

const program = makeCommand("train", "Trains the 3D U-Net on pairs of FLAIR scans.");
withTrainOptions(program);
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
  const ranks = await joinRanks(options);
  await amongRanks(ranks, () => trainAmong(ranks, options));
}

async function trainAmong(ranks: Ranks | undefined, options: TrainFlags): Promise<void> {
  const device = await deviceOf(options, ranks);
  const resumed = options.resume === undefined ? undefined : openRunFolder(options.resume);
  const note = ranks && ranks.rank > 0 ? () => {} : say; // once is enough
  const own = resumed ? resumedConfig(resumed, program) : newConfig(device, program, note);
  const config = sharedConfig(own, resumed, options, ranks);
  if (ranks && ranks.rank > 0) {
    return followAtTerminal(device, { ...options, config, resumed, ranks });
  }
  const { live } = options;
  const observer = new RunObserver();
  const page = new LivePageProcess(live, (line) => observer.show(line));
  observer.whenFolder((path) => page.show(path));
  const { signal } = observer;
  if (ranks) {
    ranks.events.note = (line) => observer.note(line);
    for (const line of sharingLines(config, ranks)) observer.note(line);
  }
  await untilInterrupted(signal, async () => {
    try {
      const request = { ...options, config, resumed, ranks };
      const result = await train(device, request, observer, signal);
      for (const line of endLines(result)) observer.note(line);
      if (result.endedBy) process.exitCode = exitCodeOf(result.endedBy);
    } catch (error) {
      observer.keep((error as Error).message);
      if (!(error instanceof RunLost) || ranks) throw error;
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
