/**
 * Record once, replay: a graph becomes a frozen list of { pipeline, bind group, grid }. Running it
 * creates nothing and binds nothing new.
 */
import { UserError } from "../core/errors";
import type { Dispatch, Graph } from "../core/graph";
import type { Grid } from "../core/kernel";
import type { Tensor } from "../core/tensor";
import { byteLength, showShape, storageOf } from "../core/tensor";
import type { Memory } from "./memory";
import type { Lifetime } from "./plan";
import { peakBytes, plan } from "./plan";
import type { Pipeline } from "./shader";
import { warmUp } from "./warm_up";

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: Grid;
  readonly label: string;
}

export interface ProgramStats {
  readonly dispatches: number;
  readonly pipelines: number;
  /** Bytes of the planned temporaries, and the least that perfect packing would need. */
  readonly plannedBytes: number;
  readonly peakBytes: number;
}

const UNIFORM_STRIDE = 256;
/** About a fifth of an iteration of the paper's preset. */
const STEPS_PER_SUBMIT = 64;

function lifetimes(dispatches: readonly Dispatch[], keep: ReadonlySet<number>): Lifetime[] {
  const found = new Map<number, { t: Tensor; first: number; last: number }>();
  dispatches.forEach((d, i) => {
    for (const t of d.tensors) {
      const s = storageOf(t);
      if (s.kind !== "temp") continue;
      const life = found.get(s.id);
      if (life) life.last = i;
      else found.set(s.id, { t: s, first: i, last: i });
    }
  });
  return [...found.values()].map(({ t, first, last }) => ({
    id: t.id,
    name: t.name,
    bytes: byteLength(t),
    first,
    last: keep.has(t.id) ? dispatches.length : last,
  }));
}

/** @throws Error naming the tensor when one is larger than the adapter can bind */
function checkLimits(dispatches: readonly Dispatch[], limits: GPUSupportedLimits): void {
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  for (const d of dispatches) {
    for (const t of d.tensors) {
      const bytes = byteLength(t.channels?.base ?? t);
      if (bytes <= most) continue;
      throw new UserError(
        `${d.label}: tensor ${t.name} (${showShape(t.shape)}) takes ${(bytes / 2 ** 20).toFixed(0)} ` +
          `MiB, this adapter binds at most ${(most / 2 ** 20).toFixed(0)} MiB; use smaller batches, patches or ` +
          "filters, larger voxels, or another adapter",
      );
    }
    const grid = d.kernel.grid(d.sizes);
    if (grid.some((n) => n > limits.maxComputeWorkgroupsPerDimension || n < 1)) {
      throw new Error(`${d.label}: grid ${grid.join("×")} passes the adapter's workgroup limit`);
    }
  }
}

export class Program {
  private constructor(
    private readonly memory: Memory,
    private readonly steps: readonly Step[],
    /** What was recorded, step by step. */
    readonly dispatches: readonly Dispatch[],
    private readonly buffers: ReadonlyMap<number, GPUBuffer>,
    private readonly uniforms: GPUBuffer,
    readonly stats: ProgramStats,
    readonly name: string,
  ) {}

  /**
   * Plans, compiles in parallel and binds.
   * @param keep temporaries that are read back or used by another program after a run
   */
  static async compile(
    memory: Memory,
    graph: Graph,
    name: string,
    keep: readonly Tensor[] = [],
  ): Promise<Program> {
    const { dispatches } = graph;
    checkLimits(dispatches, memory.device.limits);
    const lives = lifetimes(dispatches, new Set(keep.map((t) => storageOf(t).id)));
    const planned = plan(lives);
    const pending = dispatches.map((d) => memory.pipelines.get(d.kernel, d.consts));
    const pipelines = await memory.device.wait(Promise.all(pending));
    await warmUp(memory, dispatches);
    return memory.checked(`compiling ${name}`, () => {
      const slots = planned.slots.map((bytes, i) => memory.allocate(`${name}.slot${i}`, bytes));
      const buffers = new Map<number, GPUBuffer>();
      for (const [id, slot] of planned.slotOf) buffers.set(id, slots[slot]!);
      const uniforms = uniformBuffer(memory, dispatches, name);
      const steps = dispatches.map((d, i) => bind(memory, d, pipelines[i]!, buffers, uniforms, i));
      const stats = {
        dispatches: steps.length,
        pipelines: new Set(pipelines).size,
        plannedBytes: planned.slots.reduce((sum, n) => sum + n, 0),
        peakBytes: peakBytes(lives),
      };
      return new Program(memory, steps, dispatches, buffers, uniforms, stats, name);
    });
  }

  /** Labels of the steps, for profiles. */
  get labels(): readonly string[] {
    return this.steps.map((s) => s.label);
  }

  /** Encodes steps [from, to): a profile times parts of a program this way. */
  encodeSteps(pass: GPUComputePassEncoder, from: number, to: number): void {
    for (let i = from; i < to; i++) {
      const { pipeline, group, grid } = this.steps[i]!;
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    }
  }

  /**
   * Encodes and submits one run; returns at once. A GPU gets it in several submissions: watchdogs
   * of graphics drivers end a command buffer that runs for seconds.
   */
  run(): void {
    const { device } = this.memory;
    const most = device.info.type === "hardware" ? STEPS_PER_SUBMIT : this.steps.length;
    for (let from = 0; from < this.steps.length; from += most) {
      const encoder = device.device.createCommandEncoder({ label: this.name });
      const pass = encoder.beginComputePass({ label: this.name });
      this.encodeSteps(pass, from, Math.min(this.steps.length, from + most));
      pass.end();
      device.submit(encoder.finish(), this.name);
    }
  }

  /** The buffer of a tensor of this program (kept temporaries) or of the memory's states. */
  bufferOf(t: Tensor): GPUBuffer {
    const s = storageOf(t);
    const buffer = this.buffers.get(s.id);
    if (buffer) return buffer;
    return this.memory.bufferOf(s);
  }

  destroy(): void {
    for (const buffer of new Set(this.buffers.values())) this.memory.free(buffer);
    this.uniforms.destroy();
  }
}

function uniformBuffer(memory: Memory, dispatches: readonly Dispatch[], name: string): GPUBuffer {
  const words = new Uint32Array((UNIFORM_STRIDE / 4) * Math.max(1, dispatches.length));
  dispatches.forEach((d, i) => {
    words.set(d.args, (i * UNIFORM_STRIDE) / 4);
  });
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = memory.device.device.createBuffer({
    label: `${name}.args`,
    size: words.byteLength,
    usage,
  });
  memory.device.device.queue.writeBuffer(buffer, 0, words);
  return buffer;
}

function bind(
  memory: Memory,
  d: Dispatch,
  { pipeline, layout }: Pipeline,
  buffers: ReadonlyMap<number, GPUBuffer>,
  uniforms: GPUBuffer,
  position: number,
): Step {
  const entries: GPUBindGroupEntry[] = d.tensors.map((t, binding) => {
    const s = storageOf(t);
    const buffer = buffers.get(s.id) ?? memory.bufferOf(s);
    const offset = (t.range?.offset ?? 0) * 4;
    const guard = t.range ? 0 : memory.guardWords * 4;
    const size = byteLength(t.channels ? s : t) + guard;
    return { binding, resource: { buffer, offset, size } };
  });
  if (d.args.length > 0) {
    const resource = { buffer: uniforms, offset: position * UNIFORM_STRIDE, size: UNIFORM_STRIDE };
    entries.push({ binding: entries.length, resource });
  }
  const group = memory.device.device.createBindGroup({ label: d.label, layout, entries });
  return { pipeline, group, grid: d.kernel.grid(d.sizes), label: d.label };
}
