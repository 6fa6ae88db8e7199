/**
 * A process of its own: reads WGSL (JSON on standard input), has Dawn make a pipeline of each, and with
 * Dawn's toggle `dump_shaders` the SPIR-V of each follows a line `== number` on standard output.
 */
import { create, globals } from "webgpu";
import { limitsOf } from "../../src/gpu/adapter";
import { DriverUnavailable } from "../../src/platform/driver";
import { printLine, setNativeEnv } from "../../src/platform/native";
import { driverSources } from "../../src/platform/vulkan";
import type { Binding } from "./launches";
import { MARK } from "./translate";

interface Job {
  readonly source: string;
  readonly bindings: readonly Binding[];
}

const TYPES = { read: "read-only-storage", read_write: "storage", uniform: "uniform" } as const;

async function openLavapipe(): Promise<GPUDevice> {
  const source = driverSources().find(({ name }) => name === "lavapipe");
  if (!source) throw new DriverUnavailable("only brought on Linux");
  const show = await source.prepare({ mayDownload: true, quiet: false });
  show();
  setNativeEnv("MESA_SHADER_CACHE_DISABLE", "1");
  Object.assign(globalThis, globals);
  const features = "enable-dawn-features=allow_unsafe_apis,dump_shaders";
  const gpu = create([features, "backend=vulkan", "adapter=llvmpipe"]);
  Object.assign(globalThis, { pinned: gpu }); // dawn.node crashes when it is collected
  const adapter = await gpu.requestAdapter();
  if (!adapter) throw new DriverUnavailable("Dawn does not take it");
  const requiredFeatures = ["shader-f16", "subgroups"] as GPUFeatureName[];
  const device = await adapter.requestDevice({
    requiredFeatures,
    requiredLimits: limitsOf(adapter.limits),
  });
  device.onuncapturederror = ({ error }) => printLine(error.message);
  return device;
}

function translate(device: GPUDevice, { source, bindings }: Job): void {
  const module = device.createShaderModule({ code: source });
  const entries = bindings.map((binding, i) => ({
    ...{ binding: i, visibility: GPUShaderStage.COMPUTE },
    buffer: { type: TYPES[binding] },
  }));
  const layout = device.createPipelineLayout({
    bindGroupLayouts: [device.createBindGroupLayout({ entries })],
  });
  device.createComputePipeline({ layout, compute: { module, entryPoint: "main" } });
}

const jobs = JSON.parse(await Bun.stdin.text()) as readonly Job[];
try {
  const device = await openLavapipe();
  for (const [i, job] of jobs.entries()) {
    console.log(`\n${MARK} ${i}`);
    translate(device, job);
  }
  await device.queue.onSubmittedWorkDone(); // errors have been told by then
  process.exit(0);
} catch (error) {
  if (!(error instanceof DriverUnavailable)) throw error;
  printLine(error.message);
  process.exit(3);
}
