/** `log.txt` of a run folder: the lines that a training told, each with its time. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";

export const logPath = (run: { readonly path: string }): string => join(run.path, "log.txt");

export class RunLog {
  /** Told before there was a folder. */
  private early: string[] = [];
  private path: string | undefined;

  note(line: string): void {
    const text = `${new Date().toISOString()} ${line.replaceAll("\n", " ")}\n`;
    if (this.path === undefined) this.early.push(text);
    else this.append(text);
  }

  /** From now on lines go into this run's folder, those told before first. */
  into(run: { readonly path: string }): void {
    this.path = logPath(run);
    this.append(this.early.splice(0).join(""));
  }

  private append(text: string): void {
    try {
      appendFileSync(this.path!, text);
    } catch {} // The run's own files say what is wrong with the disk.
  }
}
