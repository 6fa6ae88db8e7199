/** The page's side of the worker: opens it, asks it for a prediction, ends it. */
import type { Result } from "../../result/parts";
import type {
  Learned,
  LearnRequest,
  PredictRequest,
  Reply,
  Request,
  WeightsFile,
} from "./protocol";

export interface PredictorParts {
  /** Text of the worker's script: a worker of a blob keeps the page's security policy. */
  readonly script: string;
  readonly weights: readonly WeightsFile[];
}

/** How the device stands: a line about its adapter, or why there is none. */
export type Opened = { readonly adapter: string } | { readonly unavailable: string };

/** Told of while it works. */
export type Progress = Extract<Reply, { told: (typeof PROGRESS)[number] }>;
const PROGRESS = ["note", "stage", "windows", "metrics"] as const;

const isProgress = (reply: Reply): reply is Progress =>
  PROGRESS.some((told) => told === reply.told);

export class Predictor {
  private worker: Worker | undefined;
  private opening: Promise<Opened> | undefined;
  private onReply: (reply: Reply) => void = () => {};
  private onEnd: (error: Error) => void = () => {};

  constructor(private readonly parts: PredictorParts) {}

  /** Opens the device and has the kernels compiled; once. */
  open(): Promise<Opened> {
    this.opening ??= this.start();
    return this.opening;
  }

  private start(): Promise<Opened> {
    const url = URL.createObjectURL(new Blob([this.parts.script], { type: "text/javascript" }));
    const worker = new Worker(url, { name: "voxgrad" });
    this.worker = worker;
    return new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => {
        const error = new Error(`the worker failed: ${message || "it cannot be started"}`);
        reject(error);
        this.onEnd(error);
      };
      worker.onmessage = ({ data: reply }: MessageEvent<Reply>) => {
        URL.revokeObjectURL(url);
        if (reply.told === "opened") resolve({ adapter: reply.adapter });
        else if (reply.told === "unavailable") resolve({ unavailable: reply.why });
        else if (reply.told === "failed") reject(new Error(reply.message));
        this.onReply(reply);
      };
      this.ask({ do: "open", weights: this.parts.weights });
    });
  }

  private ask(request: Request): void {
    this.worker?.postMessage(request);
  }

  /**
   * One at a time.
   * @throws Error with the worker's message, or the signal's reason: then the worker has ended, and
   *   `open` starts another
   */
  async predict(
    request: PredictRequest,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Result> {
    await this.open();
    signal.throwIfAborted();
    const take = (reply: Reply) => (reply.told === "answered" ? reply.result : undefined);
    return this.answered({ do: "predict", ...request }, take, onProgress, {
      signal,
      cancel: () => this.end(),
    });
  }

  /**
   * Trains weights further.
   * @param signal ends it with the weights so far
   * @throws Error with the worker's message
   */
  async learn(
    request: LearnRequest,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Learned> {
    await this.open();
    signal.addEventListener("abort", () => this.ask({ do: "stop" }), { once: true });
    const take = (reply: Reply) => (reply.told === "learned" ? reply : undefined);
    return this.answered({ do: "learn", ...request }, take, onProgress);
  }

  /** @param take the answer in a reply, where it is one */
  private answered<T>(
    request: Request,
    take: (reply: Reply) => T | undefined,
    onProgress: (progress: Progress) => void,
    cancelling?: { readonly signal: AbortSignal; readonly cancel: () => void },
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const cancel = () => {
        cancelling?.cancel();
        reject(cancelling?.signal.reason);
      };
      cancelling?.signal.addEventListener("abort", cancel);
      const settle = (then: () => void) => {
        cancelling?.signal.removeEventListener("abort", cancel);
        this.onReply = () => {};
        then();
      };
      this.onEnd = (error) => settle(() => reject(error));
      this.onReply = (reply) => {
        const answer = take(reply);
        if (answer !== undefined) settle(() => resolve(answer));
        else if (reply.told === "failed") settle(() => reject(new Error(reply.message)));
        else if (isProgress(reply)) onProgress(reply);
      };
      this.ask(request);
    });
  }

  private end(): void {
    this.worker?.terminate();
    this.worker = undefined;
    this.opening = undefined;
  }
}
