import { digits, duration, ProgressLine, type ProgressOptions } from "../terminal/progress";
import type { TuneProgress } from "../tune/tuner";

export interface TuningProgress {
  update(progress: TuneProgress): void;
  note(line: string): void;
  stop(): void;
}

/** The bar of tuning: choices made, the time limit, the present choice and its best candidate. */
export function tuningProgress(options: ProgressOptions = {}): TuningProgress {
  const bar = new ProgressLine(options);
  return {
    update: ({ done, total, secondsLeft, label, best }) => {
      const fields = [`tuning ${done}/${total}`, `at most ${duration(secondsLeft)} left`, label];
      if (best) fields.push(`${best.name} ${digits(best.milliseconds)} ms`);
      bar.update(done / total, fields);
    },
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  };
}
