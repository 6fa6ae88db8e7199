import { duration, ProgressLine, type ProgressOptions } from "../terminal/progress";
import { Rate } from "../terminal/rate";

export interface RunsProgress {
  /**
   * @param shares how far every run has come, 0 to 1
   * @param going the runs that are going on
   */
  update(shares: readonly number[], going: readonly string[]): void;
  note(line: string): void;
  stop(): void;
}

/** The bar of `bun run experiment`: runs done, time left, the runs that are going on. */
export function runsProgress(total: number, options: ProgressOptions = {}): RunsProgress {
  const { now = () => performance.now() / 1000 } = options;
  const bar = new ProgressLine({ lineInterval: 60, ...options });
  const runs = new Rate();
  return {
    update: (shares, going) => {
      const sum = shares.reduce((all, share) => all + share, 0);
      runs.add(now(), sum);
      const fields = [`run ${shares.filter((share) => share === 1).length}/${total}`];
      const left = runs.secondsUntil(total);
      if (left !== undefined) fields.push(`${duration(left)} left`);
      bar.update(sum / total, [...fields, ...going]);
    },
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  };
}
