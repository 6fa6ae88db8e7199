/**
 * Every pair of a cohort, one after another, in as many processes as share its folder. While a pair is
 * computed the next one is read and the last one written.
 */
import { UserError } from "../core/errors";
import { DeviceLost } from "../gpu/device";
import type { Result } from "../result/parts";
import { lineFor } from "../terminal/error_line";
import type { CohortFolder } from "./folder";
import type { CohortPair } from "./pairs";
import type { CohortRow, CohortTable } from "./table";

/** The parts of the work on a pair. */
export interface PairWork<Read> {
  /** Whether its result can be written, before any work. @throws UserError: that pair fails alone */
  check?(pair: CohortPair): void;
  read(pair: CohortPair): Promise<Read>;
  compute(pair: CohortPair, read: Read): Promise<Result>;
  /** Writes the record last: its file says that the pair is done. */
  write(pair: CohortPair, result: Result): Promise<void>;
}

export interface CohortObserver {
  /** A pair is computed now. */
  onPair?(pair: CohortPair): void;
  /** It is done or has failed, and the table says so. */
  onRow?(row: CohortRow): void;
}

type Read<T> = { readonly value: T } | { readonly error: unknown };

/** A pair that this process has claimed. */
interface Claimed<T> {
  readonly pair: CohortPair;
  readonly release: () => void;
  readonly read: Promise<Read<T>>;
}

/**
 * A pair whose files cannot be used is noted as failed, and the rest goes on. What failed before this call
 * is tried again, once.
 *
 * @param pairs those that fall to this process
 * @throws UserError where a result cannot be written, or the device is lost
 * @throws the signal's reason when interrupted; what is written stays
 */
export async function runCohort<T>(
  pairs: readonly CohortPair[],
  folder: CohortFolder,
  table: CohortTable,
  work: PairWork<T>,
  observer: CohortObserver,
  signal: AbortSignal,
): Promise<void> {
  const queue = new Queue(pairs, folder, work);
  let writing: Promise<void> = Promise.resolve();
  let problem: { readonly error: unknown } | undefined;
  const ended = (pair: CohortPair) => {
    const row = table.write().find(({ patient }) => patient === pair.id);
    if (row) observer.onRow?.(row);
  };
  const finish = async ({ pair, release }: Claimed<T>, result: Result): Promise<void> => {
    try {
      await work.write(pair, result);
      folder.forgetFailure(pair.id);
      ended(pair);
    } catch (error) {
      problem ??= { error };
    } finally {
      release();
    }
  };
  let next = queue.take();
  try {
    while (next && !problem) {
      const current: Claimed<T> = next;
      const read = await current.read;
      next = queue.take();
      observer.onPair?.(current.pair);
      const result = await computed(current, read, work, signal);
      if ("line" in result) {
        folder.fail(current.pair.id, result.line);
        current.release();
        ended(current.pair);
      } else {
        await writing;
        writing = finish(current, result.value);
      }
      next ??= queue.take();
    }
  } finally {
    await writing;
    queue.releaseAll();
  }
  if (problem) throw problem.error;
}

/** The result, or the line that says why there is none. */
async function computed<T>(
  { pair }: Claimed<T>,
  read: Read<T>,
  work: PairWork<T>,
  signal: AbortSignal,
): Promise<{ readonly value: Result } | { readonly line: string }> {
  try {
    signal.throwIfAborted();
    if ("error" in read) throw read.error;
    return { value: await work.compute(pair, read.value) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof DeviceLost) throw error;
    return { line: lineOf(error) };
  }
}

/** A defect of ours ends the work on one pair only: the others may be hundreds, in the middle of a night. */
function lineOf(error: unknown): string {
  const line = lineFor(error);
  if (line !== undefined) return line;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `a defect of voxgrad, please report it: ${text}`;
}

/** The pairs that are left, in order; claims them. */
class Queue<T> {
  private left: readonly CohortPair[];
  private readonly failedBefore: ReadonlyMap<string, string | undefined>;
  private readonly held = new Map<string, () => void>();

  constructor(
    pairs: readonly CohortPair[],
    private readonly folder: CohortFolder,
    private readonly work: Pick<PairWork<T>, "check" | "read">,
  ) {
    this.left = pairs;
    this.failedBefore = new Map(pairs.map(({ id }) => [id, folder.failureText(id)]));
  }

  /** Claims the first pair that is not done and that nobody has, and begins to read it. */
  take(): Claimed<T> | undefined {
    this.left = this.left.filter((pair) => this.held.has(pair.id) || !this.isOver(pair));
    for (const pair of this.left) {
      const release = this.held.has(pair.id) ? undefined : this.claim(pair);
      if (release) return { pair, release, read: this.begin(pair) };
    }
    return undefined;
  }

  releaseAll(): void {
    for (const release of this.held.values()) release();
  }

  /** Done, or failed in a process that began when this one did. */
  private isOver({ id }: CohortPair): boolean {
    if (this.folder.isDone(id)) return true;
    const failure = this.folder.failureText(id);
    return failure !== undefined && failure !== this.failedBefore.get(id);
  }

  private claim(pair: CohortPair): (() => void) | undefined {
    const giveBack = this.folder.claim(pair.id);
    if (!giveBack) return undefined;
    const release = () => {
      this.held.delete(pair.id);
      giveBack();
    };
    this.held.set(pair.id, release);
    // It may have been done between the two questions.
    if (!this.isOver(pair)) return release;
    release();
    return undefined;
  }

  private begin({ problem, ...pair }: CohortPair): Promise<Read<T>> {
    const read = async () => {
      if (problem !== undefined) throw new UserError(problem);
      this.work.check?.(pair);
      return this.work.read(pair);
    };
    return read().then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
  }
}
