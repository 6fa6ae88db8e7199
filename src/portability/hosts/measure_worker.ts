/** Measures a host and adapter: a training run, and the cost of waiting for the device. */

import { state } from "../../core/tensor";
import { graphFor } from "../../gpu/capabilities";
import type { Device } from "../../gpu/device";
import { Memory } from "../../gpu/memory";
import { Program } from "../../gpu/program";
import { median, stepsOf } from "../../gpu/stopwatch";
import { throttledWait } from "../../gpu/wait";
import { type TrainingCurve, trainingCurve } from "../training";
import { fmaF32 } from "./ceiling_kernels";

export interface Waiting {
  /** Milliseconds of an empty submission and its wait. */
  readonly emptyMs: number;
  /** GFLOP/s of multiply-adds by the clock while the host awaits them. */
  readonly gflops: number;
}

export interface Measurements {
  readonly curve: TrainingCurve;
  /** As the host waits. */
  readonly host: Waiting;
  /** With a plain `await`, and sleeping a millisecond in each turn of the event loop (wait.ts). */
  readonly plain: Waiting;
  readonly throttled?: Waiting;
}

export async function serve(
  device: Device,
  receive: AsyncIterable<unknown>,
  reply: (message: unknown) => void,
): Promise<void> {
  for await (const _ of receive) {
    const curve = await trainingCurve(device);
    const host = await waiting(device, (promise) => device.wait(promise));
    const plain = await waiting(device, (promise) => promise);
    // A page's main thread may not sleep.
    const mayBlock = !("document" in globalThis);
    const throttled = mayBlock ? await waiting(device, throttledWait) : undefined;
    reply({ curve, host, plain, throttled } satisfies Measurements);
  }
}

const TURNS = 9;
/** Workgroups: 3 · 10⁹ operations, some tens of milliseconds on two processor cores. */
const GROUPS = 512;

async function waiting(
  device: Device,
  wait: (promise: Promise<unknown>) => Promise<unknown>,
): Promise<Waiting> {
  const memory = new Memory(device);
  const graph = graphFor(device);
  graph.emit(fmaF32, { y: state("sums", [64 * GROUPS]) }, { GROUPS });
  const operations = fmaF32.flops!({ GROUPS });
  const program = await Program.compile(memory, graph, "multiply-adds");
  const timed = async (times: number) => {
    const start = performance.now();
    const encoder = device.device.createCommandEncoder();
    if (times > 0) stepsOf(program).encode(encoder, times);
    device.submit(encoder.finish(), "timed");
    await wait(device.device.queue.onSubmittedWorkDone());
    return performance.now() - start;
  };
  await timed(1); // compiles
  const empty: number[] = [];
  const full: number[] = [];
  for (let i = 0; i < TURNS; i++) {
    empty.push(await timed(0));
    full.push(await timed(1));
  }
  program.destroy();
  const emptyMs = median(empty);
  return { emptyMs, gflops: operations / median(full) / 1e6 };
}
