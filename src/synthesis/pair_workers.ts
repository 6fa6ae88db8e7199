/** Workers that make generated pairs beside a training. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { UserError } from "../core/errors";
import type { SlotPair } from "../data/volume_slots";
import type { WorkerAnswer, WorkerSetup } from "./worker";

/** More gain little: a pair takes 1 to 2 s, and each holds the scans that it makes pairs of. */
const MOST_WORKERS = 8;

interface Waiting {
  readonly promise: Promise<SlotPair>;
  readonly resolve: (pair: SlotPair) => void;
  readonly reject: (error: Error) => void;
}

/** A pair depends on its number, the scans and the seed alone, however many workers there are. */
export class PairWorkers {
  private readonly workers: Worker[];
  private readonly asked = new Map<number, Waiting>();
  private readonly scans: number;
  private failure: Error | undefined;

  /** @param count of workers: one for each core but one, if absent */
  constructor(setup: WorkerSetup, count = Math.max(1, availableParallelism() - 1)) {
    this.scans = setup.sources.length + setup.phantoms;
    if (this.scans < 1) throw new RangeError("pair workers: there is no scan");
    const most = Math.min(count, MOST_WORKERS, this.scans);
    this.workers = Array.from({ length: most }, () => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url));
      worker.on("message", (answer: WorkerAnswer) => this.answered(answer));
      worker.on("error", (error: Error) => this.fail(error));
      // A program that has ended otherwise does not wait for it.
      worker.unref();
      worker.postMessage(setup);
      return worker;
    });
  }

  /** Has a pair made before it is asked for. */
  expect(index: number): void {
    if (this.asked.has(index)) return;
    const waiting = Promise.withResolvers<SlotPair>();
    // Whoever asks for it sees the error.
    waiting.promise.catch(() => {});
    this.asked.set(index, waiting);
    if (this.failure) waiting.reject(this.failure);
    // All pairs of a scan are one worker's, so that each reads its own scans only.
    else this.workers[(index % this.scans) % this.workers.length]!.postMessage(index);
  }

  /** @throws UserError where its scan cannot be used */
  async make(index: number): Promise<SlotPair> {
    this.expect(index);
    const { promise } = this.asked.get(index)!;
    for (const worker of this.workers) worker.ref();
    try {
      return await promise;
    } finally {
      for (const worker of this.workers) worker.unref();
      this.asked.delete(index);
    }
  }

  private answered(answer: WorkerAnswer): void {
    const waiting = this.asked.get(answer.index);
    if (!waiting) return;
    if ("pair" in answer) waiting.resolve(answer.pair);
    else waiting.reject(new (answer.isUserError ? UserError : Error)(answer.error));
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.asked.values()) reject(error);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }
}
