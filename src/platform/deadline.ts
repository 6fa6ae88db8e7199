/** A time at which this process ends, even where its main thread is in a call of C that does not return. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";

export class Deadline {
  private constructor(private readonly worker: Worker) {}

  /** @param line what is said then on standard error @param code of the exit */
  static async set(seconds: number, code: number, line: string): Promise<Deadline> {
    const workerData: DeadlineData = { seconds, code, line };
    const worker = new Worker(new URL("./deadline_worker.ts", import.meta.url), { workerData });
    worker.unref();
    await once(worker, "message");
    return new Deadline(worker);
  }

  async lift(): Promise<void> {
    await this.worker.terminate();
  }
}

export interface DeadlineData {
  readonly seconds: number;
  readonly code: number;
  readonly line: string;
}
