/** Runs cases on one column, one at a time. A case that ends its worker ends no other case. */
import type { Host, HostAdapter, HostWorker } from "./host";
import type { ListedCase, Reply, Request } from "./messages";
import type { Result, Status } from "./report/schema";

export interface ColumnOptions {
  readonly worker: string;
  /** Seconds for a case that asks for no more; the first of a worker gets more. */
  readonly timeout: number;
  /** Seconds more for the first: starting a driver and compiling the first shaders. */
  readonly startSeconds?: number;
  /** Once aborted, no case is tried again: Ctrl-C reaches workers too. */
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

const START_SECONDS = 120;

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
   * @throws Error when the implementation refused something
   */
  async ask(request: Request, patience = 0): Promise<Reply> {
    const fresh = this.running === undefined;
    const { worker, replies } = await this.start();
    const { timeout, startSeconds = START_SECONDS } = this.options;
    const seconds = timeout + patience + (fresh ? startSeconds : 0);
    worker.send(request);
    const next = await withTimeout(replies.next(), seconds);
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
    const worker = await this.host.start(this.adapter, this.options.worker);
    this.running = { worker, replies: worker.messages[Symbol.asyncIterator]() };
    return this.running;
  }

  async stop(): Promise<void> {
    const { running } = this;
    this.running = undefined;
    await running?.worker.stop();
  }

  /** Runs a case; one that ends its worker is tried once more in a fresh one. */
  async run(c: ListedCase): Promise<Result> {
    const first = await this.attempt(c);
    if (!ENDS.includes(first.status) || this.options.signal?.aborted) return first;
    const again = await this.attempt(c);
    return { ...first, alone: again.status };
  }

  private async attempt({ id, patience }: ListedCase): Promise<Result> {
    const start = performance.now();
    const seconds = () => round((performance.now() - start) / 1000);
    try {
      const reply = await this.ask({ do: "run", id }, patience);
      if (!("outcome" in reply)) throw new Error(`the worker answered ${JSON.stringify(reply)}`);
      return resultOf(id, reply);
    } catch (error) {
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

async function withTimeout<T>(promise: Promise<T>, seconds: number): Promise<T | undefined> {
  let timer: Timer | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 1000 * seconds);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
