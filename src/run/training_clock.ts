/** Training time: it passes while the network is trained, not while kernels compile or a validation runs. */
export class TrainingClock {
  private since: number | undefined;

  /** @param taken seconds that earlier sessions trained */
  constructor(private taken: number) {}

  /** Seconds of training until now. */
  get seconds(): number {
    return this.since === undefined
      ? this.taken
      : this.taken + (performance.now() - this.since) / 1000;
  }

  start(): void {
    this.since ??= performance.now();
  }

  stop(): void {
    this.taken = this.seconds;
    this.since = undefined;
  }
}
