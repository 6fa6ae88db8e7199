import { duration, ProgressLine, type ProgressOptions, rateText } from "../terminal/progress";
import { Rate } from "../terminal/rate";

export interface PredictProgress {
  update(windowsDone: number): void;
  note(line: string): void;
  stop(): void;
}

/** The bar of `bun run predict`: windows done, windows/s, time left. */
export function predictProgress(
  totalWindows: number,
  options: ProgressOptions = {},
): PredictProgress {
  const { now = () => performance.now() / 1000 } = options;
  const bar = new ProgressLine(options);
  const windows = new Rate();
  const show = (done: number) => {
    windows.add(now(), done);
    const fields = [`window ${done}/${totalWindows}`];
    const left = windows.secondsUntil(totalWindows);
    if (left !== undefined) fields.push(`${duration(left)} left`);
    if (windows.recent !== undefined) fields.push(rateText(windows.recent, "windows"));
    bar.update(totalWindows === 0 ? 1 : done / totalWindows, fields);
  };
  show(0);
  return {
    update: show,
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  };
}
