/** The page of `train --live`: served by a process of its own, so that neither waits for the other. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { BESIDE_TRAINING } from "../view/beside_training";

const VIEW = fileURLToPath(new URL("../view.ts", import.meta.url));

/** True: on the usual port. */
export type Live = boolean | number | undefined;

export class LivePageProcess {
  private child: ChildProcess | undefined;

  /** @param note takes the address, or why there is no page: the training goes on without one */
  constructor(
    private readonly live: Live,
    private readonly note: (line: string) => void,
  ) {}

  /** Serves the run, or the runs, in a folder; nothing without --live. */
  show(path: string): void {
    if (!this.live || this.child) return;
    const port = typeof this.live === "number" ? ["--port", String(this.live)] : [];
    // Ctrl-C reaches the training alone, which ends this process: at once where it dies, as its input ends then.
    this.child = spawn(process.execPath, [VIEW, path, BESIDE_TRAINING.long!, ...port], {
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      createInterface(stream).on("line", (line) => this.child && this.note(line));
    }
    this.child.on("error", ({ message }) => this.note(`--live: no page: ${message}`));
    this.child.stdin!.on("error", () => {});
    this.child.unref();
    process.once("exit", () => this.end());
  }

  /** Ends the page with the training. */
  end(): void {
    const { child } = this;
    this.child = undefined;
    child?.stdin?.destroy();
    child?.kill();
  }
}
