/** The value that what records is handed: from decided tasks, or as a run has kept it. */
import { problemKey } from "../core/variant";
import type { DeviceChoices, WindowModel } from "../infer/window_batch";
import { choicesOf } from "../tune/choices";
import type { Task } from "../tune/task";
import { windowBatchKey } from "./window_batch";

/** The tuner's decisions. */
export function tunedChoices(
  kernelTasks: readonly Task[],
  batchTasks: readonly Task[],
): DeviceChoices {
  const decided = (model: WindowModel) =>
    batchTasks.find(({ label, entry }) => entry && label === windowBatchKey(model));
  return {
    kernels: choicesOf(kernelTasks),
    windowBatch: (model) => batchOf(decided(model)?.entry?.chosen),
  };
}

/** @param variants names by `problemKey`, and window batches as text by `windowBatchKey` */
export function keptChoices(variants: Readonly<Record<string, string>>): DeviceChoices {
  return {
    kernels: (op, problem) => variants[problemKey(op, problem)],
    windowBatch: (model) => batchOf(variants[windowBatchKey(model)]),
  };
}

/** The tuner and choices.json hold numbers as text. */
function batchOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text) || undefined;
}
