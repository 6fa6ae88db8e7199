/**
 * lavapipe compiles a pipeline when it first runs, on one thread a device, and keeps it in a cache on
 * disk. Where a program's shaders are new to the machine, a second device therefore compiles half of
 * them beside the first: on two cores the first step comes in little more than half the time.
 */
import type { Dispatch } from "../core/graph";
import type { Device } from "./device";
import type { Memory } from "./memory";
import { type Pipeline, PipelineCache, specialise } from "./shader";

/** Fewer compile faster than a second device opens. */
const WORTHWHILE = 12;

/** Runs pipelines once on next to nothing: sizes in `args` are 0, and reads past the end give 0. */
class Dummy {
  private readonly storage: GPUBuffer[] = [];
  private readonly uniform: GPUBuffer;

  constructor(private readonly device: Device) {
    const { UNIFORM } = GPUBufferUsage;
    this.uniform = device.device.createBuffer({ label: "warm up", size: 256, usage: UNIFORM });
  }

  async run({ pipeline, layout }: Pipeline, { kernel }: Dispatch): Promise<void> {
    const { device } = this.device;
    const count = Object.keys(kernel.bindings).length;
    while (this.storage.length < count) {
      const { STORAGE } = GPUBufferUsage;
      this.storage.push(device.createBuffer({ label: "warm up", size: 4096, usage: STORAGE }));
    }
    const buffers = this.storage.slice(0, count);
    if (kernel.args) buffers.push(this.uniform);
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const encoder = device.createCommandEncoder({ label: "warm up" });
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(1);
    pass.end();
    this.device.submit(encoder.finish(), `warm up ${kernel.name}`);
    await this.device.idle();
  }

  destroy(): void {
    for (const buffer of [...this.storage, this.uniform]) buffer.destroy();
  }
}

/** Compiles what a program needs on two devices, if it has not been compiled on this machine yet. */
export async function warmUp(memory: Memory, dispatches: readonly Dispatch[]): Promise<void> {
  const { device } = memory;
  const { companion: open, compiled } = device.host;
  if (device.info.kind !== "lavapipe" || !open || !compiled) return;
  const bySource = new Map(dispatches.map((d) => [specialise(d.kernel, d.consts), d]));
  const sources = [...bySource.keys()];
  if (sources.length < WORTHWHILE || compiled.before(sources)) return;
  // Long shaders first, so that the two end together.
  const queue = sources.toSorted((a, b) => b.length - a.length);
  const work = async (worker: Device, pipelines: PipelineCache) => {
    const dummy = new Dummy(worker);
    for (let next = queue.shift(); next; next = queue.shift()) {
      const dispatch = bySource.get(next)!;
      await dummy.run(await pipelines.get(dispatch.kernel, dispatch.consts), dispatch);
    }
    dummy.destroy();
  };
  const companion = await open();
  try {
    const other = new PipelineCache(companion.device);
    await Promise.all([work(device, memory.pipelines), work(companion, other)]);
  } finally {
    companion.destroy();
  }
  await compiled.remember(sources);
}
