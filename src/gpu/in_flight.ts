/** Keeps the host a bounded number of submissions ahead of the device. */
import type { Device } from "./device";

/** Running further ahead slows the device down and makes Ctrl-C late. */
const MOST = 2;

export class InFlight {
  private readonly pending: Promise<unknown>[] = [];

  constructor(private readonly device: Device) {}

  /** Call after each submission: returns once fewer than two others are unfinished. */
  async submitted(): Promise<void> {
    const done = this.device.device.queue.onSubmittedWorkDone();
    // Where an earlier one fails, nobody waits for the later ones any more.
    done.catch(() => {});
    this.pending.push(done);
    while (this.pending.length >= MOST) await this.device.wait(this.pending.shift()!);
  }

  /** Waits until everything is done. */
  async drain(): Promise<void> {
    while (this.pending.length > 0) await this.device.wait(this.pending.shift()!);
  }
}
