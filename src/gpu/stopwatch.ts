/** Times of work on a device: by timestamp queries where there are, else by the clock. */
import type { Device } from "./device";
import type { Program } from "./program";

/** Something that can be recorded any number of times into one submission. */
export interface Work {
  /** @param stamps write these timestamps at begin and end; absent for work that is no pass */
  readonly encode: (
    encoder: GPUCommandEncoder,
    times: number,
    stamps?: GPUComputePassTimestampWrites,
  ) => void;
  /** False for copies, which timestamps of a pass cannot enclose. */
  readonly inPass: boolean;
}

/** Steps [from, to) of a program, by default all, each time. */
export function stepsOf(program: Program, from = 0, to = program.labels.length): Work {
  return {
    inPass: true,
    encode(encoder, times, timestampWrites) {
      const pass = encoder.beginComputePass({ label: program.name, timestampWrites });
      for (let i = 0; i < times; i++) program.encodeSteps(pass, from, to);
      pass.end();
    },
  };
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low + (high - low) * (at % 1);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** Difference of the quartiles as a share of the median. */
export function spreadOf(values: readonly number[]): number {
  const middle = median(values);
  return middle > 0 ? (quantile(values, 0.75) - quantile(values, 0.25)) / middle : 0;
}

/** Milliseconds that one timed submission should last at least: with timestamps, by the clock. */
const LEAST_MS = { software: [10, 60], hardware: [2, 10] } as const;
const MOST_TIMES = 20000;

export class Stopwatch {
  private readonly stamps?: {
    readonly querySet: GPUQuerySet;
    readonly resolved: GPUBuffer;
    readonly staging: GPUBuffer;
  };
  /** Milliseconds that an empty submission and its wait take by the clock. */
  private empty = 0;

  private constructor(private readonly device: Device) {
    if (!device.features.has("timestamp-query")) return;
    const { device: gpu } = device;
    const resolve = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    const read = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    this.stamps = {
      querySet: gpu.createQuerySet({ type: "timestamp", count: 2 }),
      resolved: gpu.createBuffer({ label: "stamps", size: 16, usage: resolve }),
      staging: gpu.createBuffer({ label: "stamps read", size: 16, usage: read }),
    };
  }

  static async create(device: Device): Promise<Stopwatch> {
    const stopwatch = new Stopwatch(device);
    const nothing: Work = { inPass: false, encode: () => {} };
    const waits: number[] = [];
    for (let i = 0; i < 20; i++) waits.push(await stopwatch.byClock(nothing, 1));
    stopwatch.empty = median(waits);
    return stopwatch;
  }

  /** Milliseconds of one of `times`. */
  async time(work: Work, times: number): Promise<number> {
    if (work.inPass && this.stamps) return (await this.byStamps(work, times)) / times;
    return Math.max(0, (await this.byClock(work, times)) - this.empty) / times;
  }

  /** How often work of about `milliseconds` must be repeated for a good measurement. */
  timesFor(work: Work, milliseconds: number): number {
    const [stamped, clocked] = LEAST_MS[this.device.info.type];
    const least = work.inPass && this.stamps ? stamped : clocked;
    return Math.min(MOST_TIMES, Math.max(1, Math.ceil(least / Math.max(milliseconds, 1e-4))));
  }

  /** Milliseconds by the clock until all `times` are done, waiting included. */
  async byClock(work: Work, times: number): Promise<number> {
    const start = performance.now();
    const encoder = this.device.device.createCommandEncoder({ label: "timed" });
    work.encode(encoder, times);
    this.device.submit(encoder.finish(), "timed");
    await this.device.idle();
    return performance.now() - start;
  }

  private async byStamps(work: Work, times: number): Promise<number> {
    const { querySet, resolved, staging } = this.stamps!;
    const encoder = this.device.device.createCommandEncoder({ label: "timed" });
    const ends = { beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    work.encode(encoder, times, { querySet, ...ends });
    encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 16);
    this.device.submit(encoder.finish(), "timed");
    await this.device.wait(staging.mapAsync(GPUMapMode.READ));
    const [begin = 0n, end = 0n] = new BigUint64Array(staging.getMappedRange());
    staging.unmap();
    return Number(end - begin) / 1e6;
  }

  /**
   * Runs `work` once, which compiles it, and finds out how often to repeat it.
   * @returns a function that measures it, and the milliseconds of that first run by the clock
   */
  async prepare(work: Work): Promise<{ run: () => Promise<number>; firstMs: number }> {
    const firstMs = (await this.byClock(work, 1)) - this.empty;
    let times = 1;
    // The second guess counts: what took microseconds alone takes less when it is repeated.
    for (let i = 0; i < 2; i++) times = this.timesFor(work, await this.time(work, times));
    return { run: () => this.time(work, times), firstMs };
  }

  destroy(): void {
    for (const resource of Object.values(this.stamps ?? {})) resource.destroy();
  }
}
