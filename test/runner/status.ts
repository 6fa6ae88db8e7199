/** The files that run now: the last line of a terminal; in a log, a line after half a minute of silence. */
const SILENCE = 30_000;

export class Status {
  private readonly timer: NodeJS.Timeout;
  private last = performance.now();
  private shown = false;

  constructor(
    private readonly text: () => string,
    private readonly stream: NodeJS.WriteStream = process.stdout,
    every = 1000,
  ) {
    this.timer = setInterval(() => this.update(), every);
  }

  private update(): void {
    if (this.stream.isTTY) {
      this.clear();
      this.stream.write(this.text().slice(0, (this.stream.columns || 80) - 1));
      this.shown = true;
    } else if (performance.now() - this.last >= SILENCE) this.line(this.text());
  }

  private clear(): void {
    if (this.shown) this.stream.write("\r\x1b[K");
    this.shown = false;
  }

  line(text: string): void {
    this.clear();
    this.stream.write(`${text}\n`);
    this.last = performance.now();
  }

  stop(): void {
    clearInterval(this.timer);
    this.clear();
  }
}
