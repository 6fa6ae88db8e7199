/** The tuner's choice of how many windows a run of a network takes. */
import { totalCost } from "../core/cost";
import type { Graph } from "../core/graph";
import type { Capabilities } from "../core/kernel";
import { type Precision, state, type Tensor } from "../core/tensor";
import { type Choices, type Problem, problemKey } from "../core/variant";
import { capabilities, graphFor } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { type Stopwatch, stepsOf } from "../gpu/stopwatch";
import { unetNetwork } from "../infer/model";
import { boundedBatch, DEFAULT_BATCH, type WindowModel } from "../infer/window_batch";
import { initialise, unetParameters } from "../nn/parameters";
import { flatParameters } from "../nn/weights";
import { fillWith, writeRepeated } from "../tune/noise";
import { keyOf, sourcesOf, type Task } from "../tune/task";
import { Refused, type StartedCandidate } from "../tune/timing";
import { orRefused } from "../tune/trial_bench";

/** The name of the choice in the tuner's cache and in a run's choices.json. */
const OP = "window_batch";

const CANDIDATES = [4, 8, 16, 32];
/** Floating-point operations of the largest batch worth trying: it must not take many seconds. */
const MOST_FLOPS: Readonly<Record<Capabilities["kind"], number>> = {
  lavapipe: 2e11,
  swiftshader: 2e10,
  hardware: Number.POSITIVE_INFINITY,
};
/** Two batches may give probabilities that differ by rounding, not by more. */
const TOLERANCE: Readonly<Record<Precision, number>> = { f32: 1e-4, f16: 1e-2 };

function problemOf({ unet, patch, precision }: WindowModel): Problem {
  const [F0, F1, F2] = unet.filters;
  return { F0, F1, F2, P: patch, F16: Number(precision === "f16") };
}

/** The choice as text, as `problemKey` gives it for those of ops. */
export const windowBatchKey = (model: WindowModel): string => problemKey(OP, problemOf(model));

interface Recorded {
  readonly g: Graph;
  readonly windows: Tensor;
  readonly probabilities: Tensor;
}

/**
 * The choice of a batch for the tuner; none where there is no alternative.
 * @param kernels the variants that the network will run with
 */
export async function windowBatchTask(
  device: Device,
  model: WindowModel,
  kernels?: Choices,
): Promise<Task | undefined> {
  const { unet, patch, precision = "f32" } = model;
  const specs = unetParameters(unet);
  const params = flatParameters("w", specs);
  const network = unetNetwork(params.named, unet);
  const record = (count: number): Recorded => {
    const g = graphFor(device, { choices: kernels });
    const windows = state("windows", [count, unet.inChannels, patch, patch, patch], precision);
    return { g, windows, probabilities: network(g, windows) };
  };
  const { kind } = capabilities(device);
  const first = boundedBatch(device, model, DEFAULT_BATCH[kind]);
  const flopsEach = totalCost(record(1).g.dispatches).flops;
  const counts = CANDIDATES.filter(
    (n) => n === boundedBatch(device, model, n) && n * flopsEach <= MOST_FLOPS[kind],
  );
  const batches = [...new Set([first, ...counts])];
  if (batches.length < 2) return undefined;
  const candidates = batches.map(String);
  const problem = problemOf(model);
  const label = windowBatchKey(model);
  const sources = batches.map((count) => sourcesOf(record(count).g));
  return {
    op: OP,
    problems: [problem],
    label,
    candidates,
    key: await keyOf(device, label, candidates, sources),
    weight: 0,
    open(memory, stopwatch) {
      memory.write(params.flat, initialise(specs, 0));
      const bench = new Batches(memory, stopwatch, record);
      return {
        candidates: batches.map((count) => ({
          name: `${count}`,
          start: () => bench.start(count),
        })),
        release: () => memory.release(params.flat),
      };
    },
  };
}

/** Programs of different batches; a batch is one random window again and again. */
class Batches {
  /** What every window should give. */
  private expected: Float32Array | undefined;

  constructor(
    private readonly memory: Memory,
    private readonly stopwatch: Stopwatch,
    private readonly record: (count: number) => Recorded,
  ) {}

  async start(count: number): Promise<StartedCandidate> {
    const { memory, stopwatch } = this;
    const { g, windows, probabilities } = this.record(count);
    const keep = [probabilities];
    const program = await orRefused(memory, () => Program.compile(memory, g, OP, keep));
    const release = () => {
      program.destroy();
      memory.release(windows);
    };
    try {
      const values = await orRefused(memory, () => this.run(program, windows, probabilities));
      this.check(values, windows.dtype === "f16" ? TOLERANCE.f16 : TOLERANCE.f32);
    } catch (error) {
      release();
      throw error;
    }
    const work = stepsOf(program);
    return {
      time: async (times) => (await stopwatch.time(work, times)) / count,
      timesFor: (milliseconds) => stopwatch.timesFor(work, milliseconds * count),
      release,
    };
  }

  /** Every window's probabilities. */
  private async run(
    program: Program,
    windows: Tensor,
    probabilities: Tensor,
  ): Promise<Float32Array[]> {
    const { memory } = this;
    const count = windows.shape[0]!;
    const one = state("window", windows.shape.with(0, 1), windows.dtype);
    fillWith(memory, one, (random) => random, 0);
    const window = new Uint32Array(await memory.read(one));
    memory.release(one);
    writeRepeated(memory, memory.bufferOf(windows), window, count * window.length);
    program.run();
    const values = await memory.readF32(probabilities, program.bufferOf(probabilities));
    const each = values.length / count;
    return Array.from({ length: count }, (_, i) => values.subarray(i * each, (i + 1) * each));
  }

  /** All windows of all batches must agree. @throws Refused */
  private check(windows: readonly Float32Array[], tolerance: number): void {
    this.expected ??= windows[0]!;
    for (const [i, values] of windows.entries()) {
      for (const [k, wanted] of this.expected.entries()) {
        if (Math.abs(values[k]! - wanted) <= tolerance) continue;
        throw new Refused(`wrong result: window ${i} of a batch has ${values[k]}, not ${wanted}`);
      }
    }
  }
}
