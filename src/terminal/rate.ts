/**
 * Speed of a count that grows, and the time that is left. Times are in seconds on any one clock.
 *
 * Two speeds, because they answer different questions: `recent` is what the machine does now (over
 * the last `window` seconds), the mean since the start includes pauses such as validation and
 * hardly moves, so the time left follows from that one.
 */
export class Rate {
  private readonly samples: { time: number; count: number }[] = [];
  private start: { time: number; count: number } | undefined;

  constructor(private readonly window = 20) {}

  add(time: number, count: number): void {
    this.start ??= { time, count };
    this.samples.push({ time, count });
    // The oldest sample kept lies at the window's far edge or just beyond it.
    while (this.samples.length > 2 && this.samples[1]!.time <= time - this.window) {
      this.samples.shift();
    }
  }

  /** Counts per second lately; undefined before anything has moved. */
  get recent(): number | undefined {
    return between(this.samples[0], this.samples.at(-1));
  }

  /** Counts per second since the first sample; undefined before anything has moved. */
  get mean(): number | undefined {
    return between(this.start, this.samples.at(-1));
  }

  /** Seconds until the count reaches `total`; undefined as long as nothing is known. */
  secondsUntil(total: number): number | undefined {
    const last = this.samples.at(-1);
    if (last === undefined || this.mean === undefined) return undefined;
    return Math.max(0, total - last.count) / this.mean;
  }
}

type Sample = { time: number; count: number } | undefined;

function between(a: Sample, b: Sample): number | undefined {
  if (!a || !b || b.time <= a.time || b.count <= a.count) return undefined;
  return (b.count - a.count) / (b.time - a.time);
}
