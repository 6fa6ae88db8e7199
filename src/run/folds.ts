/** A cross-validation as a function: its folds, one after another, then the table over all. */
import { UserError } from "../core/errors";
import { parseTrainConfig, type TrainConfig } from "../settings/config";
import type { Shard } from "../terminal/shard";
import { writeCrossValidated } from "./cross_validated";
import {
  type CrossValidation,
  createCrossValidation,
  foldPath,
  newCrossValidation,
} from "./cross_validation";
import type { Observer } from "./observer";
import { configPath, openRunFolder } from "./run_folder";
import { claimFolder, isLocked } from "./run_lock";
import { type DataRequest, newSplit, openData, splitOf } from "./training_data";
import { isFinished } from "./validation_record";

type Notes = Pick<Observer, "note">;

export interface NewFolds extends DataRequest {
  readonly folds: number;
  /** Folder of the cross-validation: in runs/ if absent. */
  readonly out?: string;
}

/** Makes the run folders of all folds. @throws UserError for data or folders that do not fit */
export async function createFolds(
  config: TrainConfig,
  request: NewFolds,
  observer: Notes,
): Promise<CrossValidation> {
  const { folds, data, out } = request;
  const cohort = await openData(config, data, observer);
  // Refuses numbers of folds that are not possible.
  newSplit(cohort, config, { ...request, fold: request.fold ?? 0 });
  const starts = Array.from({ length: folds }, (_, fold) => {
    const split = splitOf(cohort, newSplit(cohort, config, { ...request, fold }), request);
    return { config, split: { ...split } };
  });
  return out === undefined
    ? newCrossValidation(`${config.preset}-${folds}-folds`, starts)
    : createCrossValidation(out, starts);
}

export interface FoldsRequest {
  /** The only fold to train: all if absent. */
  readonly fold?: number;
  /** Of n parts the folds to train: fold k is in part k mod n + 1. */
  readonly shard?: Shard;
  /** In place of the budget that the folds were made with. */
  readonly budget?: Pick<TrainConfig, "seconds" | "iterations">;
  /** Trains the run in a folder, in a process of its own say; gives the exit code. */
  readonly trainFold: (folder: string) => Promise<number>;
}

/** How the folds ended. */
export type FoldsResult =
  /** Exit code of a fold that did not end well: the rest was not begun. */
  | { readonly code: number }
  /** Folders of the folds that are not finished: others train them, or nobody does. */
  | { readonly missing: readonly string[] }
  /** All are finished: the table over all patients, as it was written. */
  | { readonly table: string };

/**
 * Trains the folds that are not finished and that no other process trains, one after another. Whoever
 * finishes the last one writes the table.
 */
export async function trainFolds(
  all: CrossValidation,
  request: FoldsRequest,
  observer: Notes,
): Promise<FoldsResult> {
  const { fold, shard } = request;
  const isChosen = (k: number) => shard === undefined || k % shard.of === shard.index - 1;
  const chosen =
    fold === undefined
      ? all.folds.filter((_, k) => isChosen(k))
      : [foldPath(all.path, checkedFold(all, fold))];
  for (const folder of chosen) {
    const code = await trainOne(folder, request, observer);
    if (code !== 0) return { code };
  }
  const missing = all.folds.filter((folder) => !finished(folder, request));
  return missing.length > 0 ? { missing } : { table: writeCrossValidated(all) };
}

/** Trains a fold if it is not finished and no other process has it; the exit code. */
async function trainOne(folder: string, request: FoldsRequest, observer: Notes): Promise<number> {
  // Asked before the long start of the process that trains: others may start at the same moment.
  const release = claimFolder(folder);
  try {
    if (finished(folder, request)) return 0;
    if (!release || isLocked(folder)) {
      observer.note(`${folder}: another process trains this fold`);
      return 0;
    }
    observer.note(`${folder}: training`);
    return await request.trainFold(folder);
  } finally {
    release?.();
  }
}

function checkedFold({ path, folds }: CrossValidation, fold: number): number {
  if (Number.isInteger(fold) && fold >= 0 && fold < folds.length) return fold;
  throw new UserError(
    `--fold ${fold}: expected a whole number from 0 to ${folds.length - 1}, the folds of ${path}`,
  );
}

function finished(folder: string, { budget }: FoldsRequest): boolean {
  const given = budget?.seconds ?? budget?.iterations;
  const { config } = openRunFolder(folder);
  return isFinished(
    { path: folder },
    given === undefined ? parseTrainConfig(config, configPath(folder)) : budget!,
  );
}
