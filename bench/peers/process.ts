/** An engine's process, seen from the driver. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { MARK, type Request, type Unavailable } from "./protocol";

/** Lines of stderr that are kept to explain a death. */
const LAST_LINES = 3;
/** An engine that takes longer for one answer is given up. */
const PATIENCE_MS = 15 * 60_000;

export class EngineProcess {
  private readonly child;
  private readonly answers: AsyncIterator<string>;
  private readonly errors: string[] = [];
  private readonly drained: Promise<void>;

  constructor(command: readonly string[]) {
    this.child = Bun.spawn([...command], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    const lines = (stream: ReadableStream) =>
      createInterface({ input: Readable.fromWeb(stream as never) });
    this.answers = lines(this.child.stdout)[Symbol.asyncIterator]();
    this.drained = this.keepErrors(lines(this.child.stderr));
    open.add(this);
  }

  private async keepErrors(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      if (line.trim() !== "") this.errors.push(line.trim());
      if (this.errors.length > LAST_LINES) this.errors.shift();
    }
  }

  /**
   * Sends a request and waits for its answer. Between requests the process is stopped: Dawn's Node
   * binding spins while any promise of a device is pending, the one of its loss always is, and the
   * threads of OpenMP spin for a while too; all that would slow the engine that is being timed.
   * @throws Error with the engine's own message, or what it last wrote to stderr if it died
   */
  async ask<T>(request: Request): Promise<T | Unavailable> {
    this.child.kill("SIGCONT");
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    this.child.stdin.flush();
    const impatience = setTimeout(() => this.child.kill("SIGKILL"), PATIENCE_MS);
    try {
      return await this.answer<T>();
    } finally {
      clearTimeout(impatience);
      this.child.kill("SIGSTOP");
    }
  }

  private async answer<T>(): Promise<T | Unavailable> {
    for (;;) {
      const { value, done } = await this.answers.next();
      if (done) throw new Error(await this.lastWords());
      if (!value.startsWith(MARK)) continue;
      const answer = JSON.parse(value.slice(MARK.length));
      if (answer.error) throw new Error(answer.error);
      return answer as T;
    }
  }

  private async lastWords(): Promise<string> {
    const code = await this.child.exited;
    await this.drained;
    const how = this.child.signalCode ?? `exit code ${code}`;
    return `the process ended (${how}): ${this.errors.join(" | ") || "without a word"}`;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Ends the process; it has nothing to save. */
  close(): void {
    this.child.kill("SIGKILL");
  }
}

const open = new Set<EngineProcess>();
process.on("exit", () => {
  for (const each of open) each.close(); // a stopped process would stay for good
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
