/** Shows a training on the terminal, and keeps what it tells in the run folder. */
import { RunLog } from "../../run/run_log";
import { TerminalObserver } from "../../run/terminal_observer";
import type { Budget } from "../../run/training_rates";
import type { Metrics } from "../../train/metrics";

export class RunObserver extends TerminalObserver {
  private readonly log = new RunLog();
  private folderKnown: (path: string) => void = () => {};

  /** @param known takes the run folder once the run is in it */
  whenFolder(known: (path: string) => void): void {
    this.folderKnown = known;
  }

  override note(line: string): void {
    this.log.note(line);
    super.note(line);
  }

  /** Into the run folder alone: the terminal is told otherwise. */
  keep(line: string): void {
    this.log.note(line);
  }

  /** On the terminal alone: the address of a page has its key in it. */
  show(line: string): void {
    super.note(line);
  }

  override onMetrics(metrics: Metrics, budget: Budget): void {
    super.onMetrics(metrics, budget);
    const { iteration, diceStudent: w, diceMomentum: mean } = metrics;
    if (w === undefined || mean === undefined) return;
    this.keep(`validation at iteration ${iteration}: Dice w ${w.toFixed(3)}, w̄ ${mean.toFixed(3)}`);
  }

  onFolder(path: string): void {
    this.log.into({ path });
    this.folderKnown(path);
  }
}
