/** `bun run train --folds n`: every fold in a process of its own, then the table over all. */
import type { Command } from "commander";
import { UserError } from "../../core/errors";
import { destroyDevices } from "../../gpu/device";
import { openDevice } from "../../hosts/bun";
import { endSignalOf, exitCodeOf, isInterruption } from "../../platform/interruption";
import { type CrossValidation, openCrossValidation } from "../../run/cross_validation";
import { createFolds, trainFolds } from "../../run/folds";
import { trainInProcess } from "../../run/training_process";
import { say } from "../../terminal/command";
import { watchInterrupt } from "../../terminal/interrupt";
import { printResult } from "../../terminal/result";
import { LivePageProcess } from "./live_page";
import { budgetOf, newConfig, refuseSettings, resumeArguments, type TrainFlags } from "./settings";

/** Whether the options ask for a cross-validation, new or to go on with. */
export function isCrossValidation({ folds, resume }: TrainFlags): boolean {
  if (resume !== undefined) return openCrossValidation(resume) !== undefined;
  return folds !== undefined;
}

export async function crossValidate(command: Command): Promise<void> {
  const options = command.opts<TrainFlags>();
  if (options.fold !== undefined && options.shard) {
    throw new UserError("--fold names one fold, --shard a part of all: leave one of them out");
  }
  const all = options.resume === undefined ? await begin(command) : resumed(command, options);
  const { signal, dispose } = watchInterrupt(() => {});
  const request = {
    fold: options.fold,
    shard: options.shard,
    budget: budgetOf(options),
    trainFold: (folder: string) => trainFold(folder, options, signal),
  };
  const page = new LivePageProcess(options.live, say);
  page.show(all.path);
  const ended = await trainFolds(all, request, { note: say }).finally(() => {
    page.end();
    dispose();
  });
  const goOn = `bun run train --resume ${all.path}`;
  if ("code" in ended) {
    if (isInterruption(ended.code)) say(`all folds: ${goOn}`);
    process.exitCode = ended.code;
  } else if ("missing" in ended) {
    const folders = ended.missing.join(", ");
    say(
      `not finished: ${folders}; the last fold to finish writes the table; to train them: ${goOn}`,
    );
  } else printResult(ended.table);
}

function resumed(command: Command, { resume }: TrainFlags): CrossValidation {
  refuseSettings(command, resume!, ["fold", "shard"]);
  return openCrossValidation(resume!)!;
}

async function begin(command: Command): Promise<CrossValidation> {
  const options = command.opts<TrainFlags>();
  const config = newConfig(await openDevice({ adapter: options.adapter }), command);
  destroyDevices();
  return createFolds(config, { ...options, folds: options.folds! }, { note: say });
}

/** Trains a fold in a process of its own, which says itself that a signal ended it; the exit code. */
async function trainFold(
  folder: string,
  options: TrainFlags,
  signal: AbortSignal,
): Promise<number> {
  const args = resumeArguments(folder, options);
  const code = await trainInProcess(args, "inherit", signal);
  // The fold may have ended just before the signal: the next one is not begun.
  return code === 0 && signal.aborted ? exitCodeOf(endSignalOf(signal)) : code;
}
