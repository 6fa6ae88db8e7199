/** Splits the time of a command by stage: seconds and shares. */
export class Stages {
  private readonly seconds = new Map<string, number>();
  private last: number;

  /**
   * @param now seconds on a clock that does not jump; by default since the process started, so that
   * loading the program counts
   * @param start when the first stage began
   */
  constructor(
    private readonly now: () => number = () => performance.now() / 1000,
    start = 0,
  ) {
    this.last = start;
  }

  /** Adds the time since the last call to a stage. */
  ended(stage: string): void {
    const time = this.now();
    this.seconds.set(stage, (this.seconds.get(stage) ?? 0) + time - this.last);
    this.last = time;
  }

  /** A line for each stage, in the order in which they first ended, and one for the sum. */
  table(): string {
    const rows = [...this.seconds];
    const total = rows.reduce((sum, [, seconds]) => sum + seconds, 0);
    const width = Math.max(...rows.map(([stage]) => stage.length));
    const line = (stage: string, seconds: number) => {
      const share = ((100 * seconds) / total).toFixed(1).padStart(5);
      return `${stage.padEnd(width)}  ${seconds.toFixed(2).padStart(8)} s  ${share} %`;
    };
    return [...rows.map(([stage, seconds]) => line(stage, seconds)), line("total", total)].join(
      "\n",
    );
  }
}
