/** Runs cases on one column, one at a time. A case that ends its worker ends no other case. */
import { messageOf } from "../core/errors";
import type { Host, HostAdapter, HostWorker } from "./host";
import type { ListedCase, Reply, Request } from "./messages";
import type { Result, Status } from "./report/schema";

export interface ColumnOptions {
  readonly worker: string;
  /** Seconds for a case that asks for no more; the first of a worker gets more. */
  readonly timeout: number;
  /** Seconds more for the first: starting a driver and compiling the first shaders. */
  readonly startSeconds?: number;
  /** Seconds before each further try to start a worker: a GPU that was reset is away for seconds. */
  readonly pauses?: readonly number[];
  /** Ends what the worker does, and the worker. */
  readonly signal?: AbortSignal;
}

/** Ends a request: the worker is gone, or is to be taken for it. */
export class WorkerLost extends Error {
  constructor(
    readonly status: Extract<Status, "crashed" | "hung" | "lost">,
    message: string,
  ) {
    super(message);
  }
}

/** No worker can be had: says nothing of a case. */
export class NotStarted extends Error {}

const START_SECONDS = 120;
const PAUSES = [1, 5];
/** The longest time of a timer. */
const LONGEST_MS = 2 ** 31 - 1;

/** A worker that is started when it is needed, and anew when it has ended. */
export class Column {
  private running:
    | { readonly worker: HostWorker; readonly replies: AsyncIterator<unknown> }
    | undefined;

  constructor(
    readonly host: Host,
    readonly adapter: HostAdapter,
    private readonly options: ColumnOptions,
  ) {}

  /**
   * @throws WorkerLost when it crashed, hung or lost its device
   * @throws NotStarted
   * @throws the reason of the signal, once that is aborted
   * @throws Error when the implementation refused something
   */
  async ask(request: Request, patience = 0): Promise<Reply> {
    const fresh = this.running === undefined;
    const { worker, replies } = await this.start();
    const { timeout, startSeconds = START_SECONDS, signal } = this.options;
    const seconds = timeout + patience + (fresh ? startSeconds : 0);
    worker.send(request);
    const next = await withTimeout(replies.next(), seconds, signal);
    if (signal?.aborted) {
      await this.stop();
      throw signal.reason;
    }
    if (next === undefined) {
      await this.stop();
      throw new WorkerLost("hung", `no answer in ${seconds} s`);
    }
    if (next.done) {
      this.running = undefined;
      throw new WorkerLost("crashed", (await worker.ended).detail);
    }
    const reply = next.value as Reply;
    if ("lost" in reply) {
      await this.stop();
      throw new WorkerLost("lost", reply.lost);
    }
    if ("error" in reply) throw new Error(reply.error);
    return reply;
  }

  private async start() {
    if (this.running) return this.running;
    const { pauses = PAUSES, signal, worker: module } = this.options;
    for (let tries = 0; ; tries++) {
      signal?.throwIfAborted();
      try {
        const starting = this.host.start(this.adapter, module);
        const worker = await withTimeout(starting, Number.POSITIVE_INFINITY, signal);
        if (!worker) {
          starting.then((late) => late.stop()).catch(() => {});
          continue; // which throws
        }
        this.running = { worker, replies: worker.messages[Symbol.asyncIterator]() };
        return this.running;
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        const pause = pauses[tries];
        if (pause === undefined) throw new NotStarted(messageOf(error));
        await withTimeout(new Promise<never>(() => {}), pause, signal);
      }
    }
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.worker.stop();
  }

  /** Runs a case; one that ends its worker is tried once more in a fresh one. */
  async run(c: ListedCase): Promise<Result> {
    const first = await this.attempt(c);
    if (!ENDS.includes(first.status)) return first;
    try {
      return { ...first, alone: (await this.attempt(c)).status };
    } catch (error) {
      if (error instanceof NotStarted) return first;
      throw error;
    }
  }

  /** Runs a case once. @throws NotStarted, or the reason of the signal */
  async attempt({ id, patience }: ListedCase): Promise<Result> {
    const start = performance.now();
    const seconds = () => round((performance.now() - start) / 1000);
    try {
      const reply = await this.ask({ do: "run", id }, patience);
      if (!("outcome" in reply)) throw new Error(`the worker answered ${JSON.stringify(reply)}`);
      return resultOf(id, reply);
    } catch (error) {
      if (error instanceof NotStarted || this.options.signal?.aborted) throw error;
      const faults = (error as Error).message.split("\n").slice(0, 12);
      const status = error instanceof WorkerLost ? error.status : "refused";
      return { id, status, seconds: seconds(), faults };
    }
  }
}

/** The ways that a case can end its worker. */
export const ENDS: readonly Status[] = ["crashed", "hung", "lost"];
const round = (value: number) => Number(value.toPrecision(4));

function resultOf(id: string, { outcome, seconds }: Extract<Reply, { outcome: unknown }>): Result {
  const { faults, note, skipped } = outcome;
  if (skipped) return { id, status: "skipped", seconds: round(seconds), reason: skipped };
  // JSON turns an infinite error into null.
  const finite = typeof outcome.worst === "number" && Number.isFinite(outcome.worst);
  return {
    id,
    status: faults.length > 0 ? "failed" : "passed",
    ...(finite && { worst: round(outcome.worst) }),
    seconds: round(seconds),
    ...(faults.length > 0 && { faults: [...faults] }),
    ...(note && { note }),
  };
}

/** Undefined once the time is over (at most 24 days), or the signal aborted. */
async function withTimeout<T>(
  promise: Promise<T>,
  seconds: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const end = () => resolve(undefined);
  const timer = setTimeout(end, Math.min(1000 * seconds, LONGEST_MS));
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}
