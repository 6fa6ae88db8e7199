/** Decides tasks one after the other within a time limit; what is decided is kept at once. */
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { Stopwatch } from "../gpu/stopwatch";
import { entryOf, parseEntry, type Task, type TuneStore } from "./task";
import { Limit, timeCandidates } from "./timing";

/** Where a tuning is, for a progress line. */
export interface TuneProgress {
  readonly done: number;
  readonly total: number;
  /** Until the limit. */
  readonly secondsLeft: number;
  /** What is being tuned, and the fastest candidate of it so far. */
  readonly label: string;
  readonly best?: { readonly name: string; readonly milliseconds: number };
}

export interface TuneOptions {
  readonly seconds: number;
  readonly store?: TuneStore;
  /** Ends the tuning after the run that is under way. */
  readonly signal?: AbortSignal;
  /** Seconds on a clock that does not jump. */
  readonly now?: () => number;
  readonly onProgress?: (progress: TuneProgress) => void;
  /** A candidate was refused: a line that says which, and why. */
  readonly onRefused?: (line: string) => void;
  /** A task was decided. */
  readonly onDecided?: (task: Task) => void;
}

/** "all": every task was decided, or has no candidate that is right. */
export type TuneEnd = "all" | "time" | "interrupted";

/** Gives tasks the entries that the store has for them. */
export async function recall(tasks: readonly Task[], store: TuneStore): Promise<void> {
  for (const task of tasks) {
    const value = await store.read(task.key);
    task.entry = parseEntry(value, task);
    if (value !== undefined && !task.entry) {
      store.warn(`tuning cache: what is kept for ${task.label} cannot be read; tuned again`);
    }
  }
}

/** Tunes the tasks, heaviest first; entries go to the tasks and to the store as they are found. */
export async function tune(
  device: Device,
  tasks: readonly Task[],
  options: TuneOptions,
): Promise<TuneEnd> {
  const { seconds, signal, now, store, onProgress, onRefused, onDecided } = options;
  const limit = new Limit(seconds, signal, now);
  const order = tasks.toSorted((a, b) => b.weight - a.weight);
  const memory = new Memory(device);
  const stopwatch = await Stopwatch.create(device);
  try {
    for (const [done, task] of order.entries()) {
      if (limit.reached) return limit.reached;
      const { label } = task;
      const show = (best?: TuneProgress["best"]) =>
        onProgress?.({ done, total: tasks.length, secondsLeft: limit.secondsLeft, label, best });
      show();
      const open = task.open(memory, stopwatch);
      const timed = timeCandidates(open.candidates, limit, show);
      const timings = await timed.finally(() => open.release());
      if (!timings) return limit.reached ?? "time";
      for (const timing of timings) {
        if (!("refused" in timing)) continue;
        onRefused?.(`${label}: ${timing.name} refused: ${timing.refused}`);
      }
      task.entry = entryOf(device, task, timings);
      if (task.entry) await store?.write(task.key, task.entry);
      onDecided?.(task);
    }
    return "all";
  } finally {
    stopwatch.destroy();
  }
}
