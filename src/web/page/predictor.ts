/** The page's side of the worker: opens it, asks it for a prediction, ends it. */
import type { Result } from "../../result/parts";
import type { Reply, Request, Scans, WeightsFile } from "./protocol";

export interface PredictorParts {
  /** Text of the worker's script: a worker of a blob keeps the page's security policy. */
  readonly script: string;
  readonly weights: readonly WeightsFile[];
}

/** How the device stands: a line about its adapter, or why there is none. */
export type Opened = { readonly adapter: string } | { readonly unavailable: string };

/** Told of while it works. */
export type Progress = Extract<Reply, { told: "note" | "stage" | "windows" }>;

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
    scans: Scans,
    patient: string,
    onProgress: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<Result> {
    await this.open();
    signal.throwIfAborted();
    return new Promise<Result>((resolve, reject) => {
      const cancel = () => {
        this.end();
        reject(signal.reason);
      };
      signal.addEventListener("abort", cancel);
      const settle = (then: () => void) => {
        signal.removeEventListener("abort", cancel);
        this.onReply = () => {};
        then();
      };
      this.onEnd = (error) => settle(() => reject(error));
      this.onReply = (reply) => {
        if (reply.told === "answered") settle(() => resolve(reply.result));
        else if (reply.told === "failed") settle(() => reject(new Error(reply.message)));
        else if (["note", "stage", "windows"].includes(reply.told)) onProgress(reply as Progress);
      };
      this.ask({ do: "predict", scans, patient });
    });
  }

  private end(): void {
    this.worker?.terminate();
    this.worker = undefined;
    this.opening = undefined;
  }
}
