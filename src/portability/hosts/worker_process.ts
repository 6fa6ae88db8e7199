/** A worker in a process of its own: JSON lines on its stdin and stdout. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { HostWorker, WorkerEnd } from "../host";
import { Channel } from "./channel";
import { MARK } from "./entry/process";

/** Lines that are kept to explain an end, and characters of one that is no message. */
const LAST_LINES = 40;
const LONGEST = 1000;

const running = new Set<WorkerProcess>();
process.on("exit", () => {
  for (const each of running) each.kill(); // one that hangs would stay for good
});

export class WorkerProcess implements HostWorker {
  readonly messages = new Channel<unknown>();
  readonly ended: Promise<WorkerEnd>;
  private readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  private readonly errors: string[] = [];
  private stopped = false;

  /** @param env added to this process's environment */
  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.child = Bun.spawn([...command], {
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    running.add(this);
    const lines = (stream: ReadableStream) =>
      createInterface({ input: Readable.fromWeb(stream as never) });
    const read = [
      this.readMessages(lines(this.child.stdout)),
      this.keepErrors(lines(this.child.stderr)),
    ];
    this.ended = this.child.exited.then(async (code) => {
      running.delete(this);
      await Promise.all(read);
      this.messages.close();
      return this.end(code);
    });
  }

  private async readMessages(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) {
      const message = line.startsWith(MARK) ? parsed(line.slice(MARK.length)) : undefined;
      if (message === undefined) this.keep(line.slice(0, LONGEST));
      else this.messages.push(message);
    }
  }

  private async keepErrors(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) this.keep(line);
  }

  private keep(line: string): void {
    if (line.trim() !== "") this.errors.push(line.trim());
    if (this.errors.length > LAST_LINES) this.errors.shift();
  }

  private end(code: number): WorkerEnd {
    if (this.stopped) return { kind: "killed", detail: "stopped by the one who started it" };
    if (code === 0) return { kind: "exit", detail: "exit code 0" };
    const { signalCode } = this.child;
    const how = signalCode ? `${signalCode}` : `exit code ${code}`;
    const said = lastWords(this.errors);
    return { kind: "crash", detail: said ? `${how}: ${said}` : how };
  }

  send(message: unknown): void {
    try {
      this.child.stdin.write(`${JSON.stringify(message)}\n`);
      this.child.stdin.flush();
    } catch {
      // It has ended; `ended` says how.
    }
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }

  async stop(): Promise<void> {
    this.stopped ||= this.child.exitCode === null && this.child.signalCode === null;
    this.kill();
    await this.ended;
  }
}

/** Undefined for a line that its writer did not live to end. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The folder of the crates that a Rust program was built from. */
const CARGO = /\S*\/registry\/src\/[^/]+\//;

/** The line that says why: the message of a panic or of an error, else the last. */
export function lastWords(lines: readonly string[]): string {
  const panic = lines.findLastIndex((line) => /panicked at/.test(line));
  if (panic >= 0) {
    const where = lines[panic]!.replace(/ \(\d+\)(?= panicked)/, "").replace(CARGO, "");
    return [where, lines[panic + 1]].filter(Boolean).join(" ");
  }
  const error = lines.findLast((line) => /^(error|\w*Error)\b.*:/i.test(line));
  return error ?? lines.at(-1) ?? "";
}
