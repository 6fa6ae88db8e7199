import { SingleBar } from "cli-progress";
import type { TuneProgress } from "../tune/tuner";
import { finiteOnly, type Metrics } from "./metrics";
import { Rate } from "./rate";

/** Where progress is shown and what time it is; parameters so that tests need neither. */
export interface ProgressOptions {
  /** Default: standard error, so that standard output stays free for results. */
  readonly stream?: NodeJS.WriteStream;
  /** Seconds on a clock that does not jump. */
  readonly now?: () => number;
  /** Seconds between two lines where the stream is no terminal. */
  readonly lineInterval?: number;
}

/** When a training ends: after so many iterations, or after so many seconds of training. */
export type Budget = { readonly iterations: number } | { readonly seconds: number };

export interface TrainingProgress {
  /** Takes what is new and returns it with the measured rates and the time left. */
  update(metrics: Metrics): Metrics;
  /** Prints a line of its own without disturbing the bar. */
  note(line: string): void;
  /** Leaves the last state as an ordinary line. Call it in a `finally`. */
  stop(): void;
}

/** Seconds as text, rounded to what matters: `45 s`, `12 min`, `1 h 05 min`. */
export function duration(seconds: number): string {
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Three significant digits, without an exponent: 0.0123, 4.56, 78.9, 1234. */
function digits(value: number): string {
  const decimals = value === 0 ? 2 : 2 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(6, Math.max(0, decimals)));
}

const rate = (value: number, unit: string) => `${digits(value)} ${unit}/s`;
/** 0.001 → 1e-3: the way learning rates are written in papers. */
const exponent = (value: number) => value.toExponential(1).replace(".0e", "e").replace("e+0", "");

/**
 * The bar of `bun run train`: done, iterations/s, patches/s, time left, loss, validation Dice of w
 * and w̄, positive share among the selected patches, learning rate.
 */
export function trainingProgress(
  budget: Budget,
  patchesPerIteration: number,
  options: ProgressOptions = {},
): TrainingProgress {
  const { now = () => performance.now() / 1000 } = options;
  const bar = new ProgressLine(options);
  const iterations = new Rate();
  const speed = new Rate();
  // Training seconds pass slower than the clock's: validation and checkpoints do not count.
  const trainingTime = new Rate();
  let shown: Metrics = { iteration: 0, seconds: 0 };
  return {
    update: (metrics) => {
      const time = now();
      iterations.add(time, metrics.iteration);
      trainingTime.add(time, metrics.seconds);
      speed.add(metrics.seconds, metrics.iteration);
      const perSecond = speed.recent;
      const measured = {
        iterationsPerSecond: perSecond,
        patchesPerSecond: perSecond === undefined ? undefined : perSecond * patchesPerIteration,
        secondsLeft:
          "iterations" in budget
            ? iterations.secondsUntil(budget.iterations)
            : trainingTime.secondsUntil(budget.seconds),
      };
      const latest: Metrics = { ...finiteOnly(measured), ...metrics };
      shown = { ...shown, ...finiteOnly(latest) };
      bar.update(
        "iterations" in budget
          ? shown.iteration / budget.iterations
          : shown.seconds / budget.seconds,
        trainingFields(shown, budget),
      );
      return latest;
    },
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  };
}

/** The parts of the line, most important first: a narrow terminal drops from the end. */
function trainingFields(m: Metrics, budget: Budget): string[] {
  const total = "iterations" in budget ? `/${budget.iterations}` : "";
  const fields = [`iteration ${m.iteration}${total}`];
  if (m.secondsLeft !== undefined) fields.push(`${duration(m.secondsLeft)} left`);
  if (m.loss !== undefined) fields.push(`loss ${m.loss.toFixed(4)}`);
  const dice = [
    m.diceStudent === undefined ? "" : ` w ${m.diceStudent.toFixed(3)}`,
    m.diceMomentum === undefined ? "" : ` w̄ ${m.diceMomentum.toFixed(3)}`,
  ].join("");
  if (dice) fields.push(`Dice${dice}`);
  if (m.iterationsPerSecond !== undefined) fields.push(rate(m.iterationsPerSecond, "it"));
  if (m.patchesPerSecond !== undefined) fields.push(rate(m.patchesPerSecond, "patches"));
  if (m.positiveFraction !== undefined) {
    fields.push(`${Math.round(100 * m.positiveFraction)} % positive`);
  }
  if (m.selectedAgreement !== undefined) {
    fields.push(`ranks of w and w̄ ${m.selectedAgreement.toFixed(2)}`);
  }
  if (m.learningRate !== undefined) fields.push(`lr ${exponent(m.learningRate)}`);
  return fields;
}

export interface PredictProgress {
  update(windowsDone: number): void;
  note(line: string): void;
  stop(): void;
}

/** The bar of `bun run predict`: windows done, windows/s, time left. */
export function predictProgress(totalWindows: number, options: ProgressOptions = {}) {
  const { now = () => performance.now() / 1000 } = options;
  const bar = new ProgressLine(options);
  const windows = new Rate();
  const show = (done: number) => {
    windows.add(now(), done);
    const fields = [`window ${done}/${totalWindows}`];
    const left = windows.secondsUntil(totalWindows);
    if (left !== undefined) fields.push(`${duration(left)} left`);
    if (windows.recent !== undefined) fields.push(rate(windows.recent, "windows"));
    bar.update(totalWindows === 0 ? 1 : done / totalWindows, fields);
  };
  show(0);
  return {
    update: show,
    note: (line) => bar.note(line),
    stop: () => bar.stop(),
  } satisfies PredictProgress;
}

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

const BAR_WIDTH = 16;
const SEPARATOR = "  ";

/** A bar on a terminal; elsewhere (log file, CI) a plain line now and then, no control codes. */
export class ProgressLine {
  private readonly stream: NodeJS.WriteStream;
  private readonly now: () => number;
  private readonly interval: number;
  private bar: SingleBar | undefined;
  private share = 0;
  private fields: readonly string[] = [];
  private lastLine: { time: number; text: string } | undefined;

  constructor(options: ProgressOptions) {
    this.stream = options.stream ?? process.stderr;
    this.now = options.now ?? (() => performance.now() / 1000);
    this.interval = options.lineInterval ?? 10;
  }

  update(share: number, fields: readonly string[]): void {
    this.share = Math.min(1, Math.max(0, share));
    this.fields = fields;
    if (this.stream.isTTY) {
      this.bar ??= this.startBar();
      this.bar.update(this.share);
    } else if (!this.lastLine || this.now() - this.lastLine.time >= this.interval) {
      this.printLine();
    }
  }

  note(line: string): void {
    this.closeBar();
    this.stream.write(`${line}\n`);
  }

  stop(): void {
    this.closeBar();
    if (this.fields.length > 0 && this.text() !== this.lastLine?.text) this.printLine();
  }

  private text(): string {
    return [`${Math.floor(100 * this.share)} %`, ...this.fields].join(SEPARATOR);
  }

  private printLine(): void {
    this.lastLine = { time: this.now(), text: this.text() };
    this.stream.write(`${this.lastLine.text}\n`);
  }

  private startBar(): SingleBar {
    const bar = new SingleBar({
      stream: this.stream,
      // The line is cut to the terminal's width here, so the terminal's own settings stay untouched.
      linewrap: true,
      gracefulExit: false,
      clearOnComplete: true,
      format: () => this.barText((this.stream.columns ?? 80) - 1),
    });
    bar.start(1, this.share);
    return bar;
  }

  private closeBar(): void {
    this.bar?.stop();
    this.bar = undefined;
  }

  private barText(width: number): string {
    const full = Math.round(BAR_WIDTH * this.share);
    const percent = `${Math.floor(100 * this.share)} %`.padStart(5);
    let text = `${"█".repeat(full)}${"░".repeat(BAR_WIDTH - full)}${percent}`;
    for (const field of this.fields) {
      const longer = text + SEPARATOR + field;
      if (longer.length > width) break;
      text = longer;
    }
    return text.slice(0, width);
  }
}
