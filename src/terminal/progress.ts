import { SingleBar } from "cli-progress";

/** A place to show progress and a clock; parameters so that tests need neither. */
export interface ProgressOptions {
  /** Default: standard error, so that standard output stays free for results. */
  readonly stream?: NodeJS.WriteStream;
  /** Seconds on a clock that does not jump. */
  readonly now?: () => number;
  /** Seconds between two lines where the stream is no terminal. */
  readonly lineInterval?: number;
}

/** Seconds as text, rounded to what matters: `45 s`, `12 min`, `1 h 05 min`. */
export function duration(seconds: number): string {
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Three significant digits, without an exponent: 0.0123, 4.56, 78.9, 1234. */
export function digits(value: number): string {
  const decimals = value === 0 ? 2 : 2 - Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(6, Math.max(0, decimals)));
}

/** A rate as text: `12.3 it/s`. */
export const rateText = (value: number, unit: string): string => `${digits(value)} ${unit}/s`;

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
