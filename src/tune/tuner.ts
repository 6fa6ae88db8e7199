/** Decides tasks one after the other within a time limit; what is decided is kept at once. */
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { Stopwatch } from "../gpu/stopwatch";
import { contest, Limit, type Score } from "./contest";
import { entryOf, parseEntry, type Task, type TuneStore } from "./task";

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
  /** Tasks whose entries tell what is far behind, beside those that are tuned. */
  readonly known?: readonly Task[];
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

/** Times the best that a candidate takes where it is far behind, and how often it may. */
const FAR_BEHIND = 8;
const CHANCES = 2;

/** Candidates that are not worth another trial: compiling them may take longer than all else. */
class Stragglers {
  private readonly counts = new Map<string, number>();

  note({ kind }: Task, scores: readonly Score[]): void {
    const timed = scores.flatMap((s) => ("least" in s ? [s] : []));
    const best = Math.min(...timed.map((s) => s.least));
    for (const { name, least } of timed) {
      const key = `${kind} ${name}`;
      const before = this.counts.get(key) ?? 0;
      this.counts.set(key, least > FAR_BEHIND * best ? before + 1 : Number.NEGATIVE_INFINITY);
    }
  }

  has({ kind }: Task, name: string): boolean {
    return (this.counts.get(`${kind} ${name}`) ?? 0) >= CHANCES;
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
  const stragglers = new Stragglers();
  for (const task of options.known ?? []) if (task.entry) stragglers.note(task, task.entry.scores);
  try {
    for (const [done, task] of order.entries()) {
      if (limit.reached) return limit.reached;
      const { label } = task;
      const show = (best?: TuneProgress["best"]) =>
        onProgress?.({ done, total: tasks.length, secondsLeft: limit.secondsLeft, label, best });
      show();
      const heat = task.open(memory, stopwatch);
      const tried = heat.contestants.filter(({ name }) => !stragglers.has(task, name));
      const found = await contest(tried, limit, show).finally(() => heat.release());
      if (!found) return limit.reached ?? "time";
      for (const score of found) {
        if ("refused" in score) onRefused?.(`${label}: ${score.name} refused: ${score.refused}`);
      }
      stragglers.note(task, found);
      const scores = task.candidates.map(
        (name) => found.find((s) => s.name === name) ?? { name, skipped: true as const },
      );
      task.entry = entryOf(device, task, scores);
      if (task.entry) await store?.write(task.key, task.entry);
      onDecided?.(task);
    }
    return "all";
  } finally {
    stopwatch.destroy();
  }
}
