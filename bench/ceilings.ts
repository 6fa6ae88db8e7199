/**
 * Measures the adapter's ceilings: multiply-adds, copies, launches. Two of them, the FMA peak and a
 * copy, are also the controls: they run in turns with every measured row.
 */
import { Graph } from "../src/core/graph";
import type { Consts, Kernel } from "../src/core/kernel";
import { state, type Tensor } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import type { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { median, type Stopwatch, spreadOf, stepsOf, type Work } from "../src/gpu/stopwatch";
import {
  copyF32,
  copyVec4,
  emptyKernel,
  fmaF16,
  fmaF32,
} from "../src/portability/hosts/ceiling_kernels";
import type { Ceilings, Control } from "./report/schema";

/** Enough threads, and bytes that no GPU's cache holds. */
const SIZES = {
  software: { groups: 256, bytes: 32 * 2 ** 20 },
  hardware: { groups: 16384, bytes: 256 * 2 ** 20 },
} as const;

/** Launches vary with how the driver's threads wake: their best needs more runs. */
const SLOPE_RUNS = 12;

/** Repetitions that last longer are cut short. */
const LONG_MS = 20_000;

/** One kernel on tensors of its own. */
class Probe {
  private constructor(
    private readonly memory: Memory,
    private readonly program: Program,
    private readonly tensors: readonly Tensor[],
    readonly flops: number,
  ) {}

  static async create(memory: Memory, kernel: Kernel, elements: number, consts: Consts) {
    const g = new Graph(capabilities(memory.device));
    const names = Object.keys(kernel.bindings);
    const bound = names.map((name) => [name, state(name, [elements])] as const);
    g.emit(kernel, Object.fromEntries(bound), consts);
    const program = await Program.compile(memory, g, kernel.name);
    const flops = kernel.flops?.(consts) ?? 0;
    return new Probe(
      memory,
      program,
      bound.map(([, t]) => t),
      flops,
    );
  }

  get work(): Work {
    return stepsOf(this.program);
  }

  release(): void {
    this.program.destroy();
    for (const t of this.tensors) this.memory.release(t);
  }
}

function sizes(memory: Memory) {
  const { groups, bytes } = SIZES[memory.device.info.type];
  const floats = Math.min(bytes, capabilities(memory.device).maxBindingBytes) / 4;
  return { groups, floats };
}

const fmaProbe = (memory: Memory, kernel: Kernel) => {
  const GROUPS = sizes(memory).groups;
  return Probe.create(memory, kernel, 64 * GROUPS, { GROUPS });
};

const copyProbe = (memory: Memory, kernel: Kernel, width: 1 | 4) => {
  const { floats } = sizes(memory);
  return Probe.create(memory, kernel, floats, { COUNT: floats / width });
};

/** Times of one thing, and of the two controls that were run next to it each time. */
export interface Measured {
  readonly milliseconds: number;
  readonly spread: number;
  readonly control: Control;
}

/** The FMA peak and a copy, to be run again next to everything that is measured. */
export class Controls {
  private constructor(
    private readonly fma: { readonly probe: Probe; readonly run: () => Promise<number> },
    private readonly copy: { readonly probe: Probe; readonly run: () => Promise<number> },
    private readonly copyBytes: number,
  ) {}

  static async create(memory: Memory, stopwatch: Stopwatch): Promise<Controls> {
    const fma = await fmaProbe(memory, fmaF32);
    const copy = await copyProbe(memory, copyVec4, 4);
    return new Controls(
      { probe: fma, run: (await stopwatch.prepare(fma.work)).run },
      { probe: copy, run: (await stopwatch.prepare(copy.work)).run },
      2 * 4 * sizes(memory).floats,
    );
  }

  async sample(): Promise<Control> {
    const gflops = this.fma.probe.flops / (await this.fma.run()) / 1e6;
    const gbs = this.copyBytes / (await this.copy.run()) / 1e6;
    return { gflops, gbs };
  }

  /**
   * The median of `repetitions` of `run` (milliseconds), and the best of the controls between them:
   * a slow machine slows all of them down, a passing disturbance does not. Work that takes long is
   * repeated less often, but three times at least.
   */
  async beside(run: () => Promise<number>, repetitions: number): Promise<Measured> {
    const times: number[] = [];
    const controls: Control[] = [];
    const start = performance.now();
    const isEnough = () => times.length >= 3 && performance.now() - start > LONG_MS;
    while (times.length < repetitions && !isEnough()) {
      controls.push(await this.sample());
      times.push(await run());
    }
    const control = {
      gflops: Math.max(...controls.map((c) => c.gflops)),
      gbs: Math.max(...controls.map((c) => c.gbs)),
    };
    return { milliseconds: median(times), spread: spreadOf(times), control };
  }

  release(): void {
    this.fma.probe.release();
    this.copy.probe.release();
  }
}

/** Least milliseconds of a probe over `repetitions`; the probe is released. */
async function best(stopwatch: Stopwatch, probe: Probe, repetitions: number): Promise<number> {
  const { run } = await stopwatch.prepare(probe.work);
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) times.push(await run());
  probe.release();
  return Math.min(...times);
}

async function bufferCopyRate(memory: Memory, stopwatch: Stopwatch, repetitions: number) {
  const { floats } = sizes(memory);
  const [from, to] = [state("from", [floats]), state("to", [floats])];
  const [source, target] = [memory.bufferOf(from), memory.bufferOf(to)];
  const work: Work = {
    inPass: false,
    encode(encoder, times) {
      for (let i = 0; i < times; i++) {
        encoder.copyBufferToBuffer(source, 0, target, 0, 4 * floats);
      }
    },
  };
  const { run } = await stopwatch.prepare(work);
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) times.push(await run());
  for (const t of [from, to]) memory.release(t);
  return (2 * 4 * floats) / Math.min(...times) / 1e6;
}

/** Additional milliseconds of each of `many − few` repetitions, from the best of both by the clock. */
async function slope(time: (times: number) => Promise<number>, few: number, many: number) {
  const best = { few: Number.POSITIVE_INFINITY, many: Number.POSITIVE_INFINITY };
  await time(few);
  for (let i = 0; i < SLOPE_RUNS; i++) {
    best.many = Math.min(best.many, await time(many));
    best.few = Math.min(best.few, await time(few));
  }
  return Math.max(0, best.many - best.few) / (many - few);
}

/** Microseconds of a launch within a submission, and of a submission with one launch. */
async function launchCosts(memory: Memory, stopwatch: Stopwatch) {
  const probe = await Probe.create(memory, emptyKernel, 1, {});
  const { work } = probe;
  const { device } = memory;
  const submissions = async (count: number) => {
    const start = performance.now();
    for (let i = 0; i < count; i++) {
      const encoder = device.device.createCommandEncoder({ label: "empty" });
      work.encode(encoder, 1);
      device.submit(encoder.finish(), "empty");
    }
    await device.idle();
    return performance.now() - start;
  };
  const dispatch = await slope((times) => stopwatch.byClock(work, times), 500, 2500);
  const submit = await slope(submissions, 50, 250);
  probe.release();
  return { dispatchMicroseconds: 1000 * dispatch, submitMicroseconds: 1000 * submit };
}

/** Best of `repetitions` of each. */
export async function measureCeilings(
  memory: Memory,
  stopwatch: Stopwatch,
  repetitions: number,
): Promise<Ceilings> {
  const { floats } = sizes(memory);
  const flopRate = async (kernel: Kernel) => {
    const probe = await fmaProbe(memory, kernel);
    return probe.flops / (await best(stopwatch, probe, repetitions)) / 1e6;
  };
  const copyRate = async (kernel: Kernel, width: 1 | 4) => {
    const probe = await copyProbe(memory, kernel, width);
    return (2 * 4 * floats) / (await best(stopwatch, probe, repetitions)) / 1e6;
  };
  const hasF16 = memory.device.features.has("shader-f16");
  return {
    f32Gflops: await flopRate(fmaF32),
    ...(hasF16 && { f16Gflops: await flopRate(fmaF16) }),
    copyVec4Gbs: await copyRate(copyVec4, 4),
    copyF32Gbs: await copyRate(copyF32, 1),
    copyBufferGbs: await bufferCopyRate(memory, stopwatch, repetitions),
    ...(await launchCosts(memory, stopwatch)),
  };
}

/** The best of the measured ways to copy, GB/s read and written: the bandwidth of the roofline. */
export function bandwidth({ copyVec4Gbs, copyF32Gbs, copyBufferGbs }: Ceilings): number {
  return Math.max(copyVec4Gbs, copyF32Gbs, copyBufferGbs);
}
