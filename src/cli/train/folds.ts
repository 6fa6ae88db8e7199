/** `bun run train --folds n`: every fold in a process of its own, then the table over all. */
import type { Command } from "commander";
import { UserError } from "../../core/errors";
import { destroyDevices } from "../../gpu/device";
import { openDevice } from "../../hosts/bun";
import { runChild } from "../../platform/child";
import {
  type CrossValidation,
  createCrossValidation,
  foldPath,
  openCrossValidation,
} from "../../run/cross_validation";
import { configPath, defaultRunPath, openRunFolder } from "../../run/run_folder";
import { claimFolder, isLocked } from "../../run/run_lock";
import { newSplit, openData, splitOf } from "../../run/training_data";
import { isFinished } from "../../run/validation_record";
import { parseTrainConfig } from "../../settings/config";
import { say } from "../../terminal/command";
import { INTERRUPTED } from "../../terminal/interrupt";
import { writeCrossValidated } from "./cross_validated";
import { budgetOf, newConfig, refuseSettings, type TrainFlags } from "./settings";

/** Whether the options ask for a cross-validation, new or to go on with. */
export function isCrossValidation({ folds, resume }: TrainFlags): boolean {
  if (resume !== undefined) return openCrossValidation(resume) !== undefined;
  return folds !== undefined;
}

/**
 * Trains the folds that are not finished and that no other process trains, one after another, or
 * only `--fold k`. Whoever finishes the last one writes the table.
 */
export async function trainFolds(command: Command): Promise<void> {
  const options = command.opts<TrainFlags>();
  const all = options.resume === undefined ? await begin(command) : resumed(command, options);
  const chosen =
    options.fold === undefined ? all.folds : [foldPath(all.path, checkedFold(all, options.fold))];
  for (const folder of chosen) {
    const code = await trainFold(folder, options);
    if (code === 0) continue;
    if (code === INTERRUPTED) say(`all folds: bun run train --resume ${all.path}`);
    process.exitCode = code;
    return;
  }
  const missing = all.folds.filter((folder) => !finished(folder, options));
  if (missing.length > 0) {
    say(
      `not finished: ${missing.join(", ")}; the last fold to finish writes the table; to train them: ` +
        `bun run train --resume ${all.path}`,
    );
    return;
  }
  console.log(writeCrossValidated(all));
}

/** Trains a fold if it is not finished and no other process has it; the exit code. */
async function trainFold(folder: string, options: TrainFlags): Promise<number> {
  // Asked before the long start of the process that trains: others may start at the same moment.
  const release = claimFolder(folder);
  try {
    if (finished(folder, options)) return 0;
    if (!release || isLocked(folder)) {
      say(`${folder}: another process trains this fold`);
      return 0;
    }
    say(`${folder}: training`);
    return await trainInProcess(folder, options);
  } finally {
    release?.();
  }
}

function resumed(command: Command, { resume }: TrainFlags): CrossValidation {
  refuseSettings(command, resume!, ["fold"]);
  return openCrossValidation(resume!)!;
}

async function begin(command: Command): Promise<CrossValidation> {
  const options = command.opts<TrainFlags>();
  const { folds = 0, data, out } = options;
  const config = newConfig(await openDevice({ adapter: options.adapter }), command);
  destroyDevices();
  const cohort = await openData(config, data, { note: say });
  // Refuses numbers of folds that are not possible.
  newSplit(cohort, config, { ...options, fold: options.fold ?? 0 });
  const starts = Array.from({ length: folds }, (_, fold) => {
    const split = splitOf(cohort, newSplit(cohort, config, { ...options, fold }), options);
    return { config, split: { ...split } };
  });
  return createCrossValidation(out ?? defaultRunPath(`${config.preset}-${folds}-folds`), starts);
}

function checkedFold({ path, folds }: CrossValidation, fold: number): number {
  if (Number.isInteger(fold) && fold >= 0 && fold < folds.length) return fold;
  throw new UserError(
    `--fold ${fold}: expected a whole number from 0 to ${folds.length - 1}, the folds of ${path}`,
  );
}

function finished(folder: string, options: TrainFlags): boolean {
  const { config } = openRunFolder(folder);
  const { seconds, iterations } = budgetOf(options);
  const budget =
    (seconds ?? iterations)
      ? { seconds, iterations }
      : parseTrainConfig(config, configPath(folder));
  return isFinished({ path: folder }, budget);
}

/** The arguments of a fold's own process, beside its folder. */
function passedOn({ adapter, budget, iterations, tune, tuneSeconds, data }: TrainFlags): string[] {
  const given = {
    ...{ adapter, iterations, tune, data, "tune-seconds": tuneSeconds },
    budget: budget === undefined ? undefined : `${budget}s`,
  };
  return Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, `${value}`],
  );
}

/** A process per fold: its device memory is free again when it ends. */
async function trainInProcess(folder: string, options: TrainFlags): Promise<number> {
  const args = [process.argv[1]!, "--resume", folder, ...passedOn(options)];
  const stop = new AbortController();
  const abort = () => stop.abort();
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.on(signal, abort);
  try {
    return await runChild(args, "inherit", stop.signal);
  } finally {
    for (const signal of signals) process.off(signal, abort);
  }
}
