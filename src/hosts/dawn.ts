/** Dawn through the npm package `webgpu`: the part that Bun and Node share. */
import { type AdapterSourceName, describeAdapter } from "../gpu/adapter";
import type { Candidate, FoundAdapters } from "../gpu/adapter_search";
import { createDevice, type Device, type DeviceHost, type WantedLimits } from "../gpu/device";
import { throttledWait } from "../gpu/wait";
import { compiledBefore, rememberCompiled } from "../platform/compiled";

export interface DeviceOptions {
  /** `lavapipe`, `swiftshader`, `hardware`, `gpu` or part of an adapter's name, in any case. */
  readonly adapter?: string;
  /** Of several adapters that are equally good and meant, take this one, counted from 0 in turn. */
  readonly turn?: number;
  /** Say nothing while a driver is brought. */
  readonly quiet?: boolean;
  /** False compiles shaders without bounds checks: only for kernels that are proven in bounds. */
  readonly robustness?: boolean;
  /** All of the adapter's if absent. */
  readonly limits?: WantedLimits;
}

/** Makes a synchronous call into Dawn, which looks for drivers within it: what it wrote to stderr. */
export type DawnCall = <T>(call: () => T) => { readonly value: T; readonly text: string };

/** Backends that compute: Dawn also lists `null`, which runs nothing, and OpenGL. */
const BACKENDS: readonly string[] = ["metal", "d3d12", "vulkan"];
const NO_SUCH_ADAPTER = "list all";

/** The adapters of the drivers that Dawn sees within `call`. */
export async function dawnAdapters(
  source: AdapterSourceName,
  call: DawnCall,
  options: DeviceOptions,
): Promise<FoundAdapters> {
  const request = await dawnRequest(call, options);
  // Dawn tells the names of its adapters only in the error for a name that it does not have.
  const { error, warnings } = await request([`adapter=${NO_SUCH_ADAPTER}`]);
  const listed = [...(error ?? "").matchAll(/backend: '(.+?)', name: '(.+?)'$/gm)];
  const candidates: Candidate[] = [];
  for (const [, backend = "", name = ""] of listed) {
    if (!BACKENDS.includes(backend)) continue;
    const { adapter } = await request([`backend=${backend}`, `adapter=${name}`]);
    if (!adapter) continue;
    candidates.push({ info: describeAdapter(adapter, { name, backend, source }), adapter });
  }
  return candidates.length > 0 ? { candidates } : { candidates, reason: warnings || "no adapter" };
}

interface DawnAnswer {
  readonly adapter?: GPUAdapter;
  readonly error?: string;
  /** What Dawn had to say of drivers that it refused, on one line. */
  readonly warnings: string;
}

/** A function that asks a fresh Dawn instance for an adapter. */
async function dawnRequest(
  call: DawnCall,
  { robustness = true }: DeviceOptions,
): Promise<(flags: readonly string[]) => Promise<DawnAnswer>> {
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  // Without the first no adapter offers subgroup matrices, without the second NVIDIA's no shader-f16
  // (docs/engine/adapters.md).
  const unlocked = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"];
  const enabled = [...unlocked, ...(robustness ? [] : ["disable_robustness"])];
  const toggles = [
    "disable-dawn-features=timestamp_quantization",
    `enable-dawn-features=${enabled.join(",")}`,
  ];
  return async (flags) => {
    const { value, text } = call(() => {
      const gpu = pinned(create([...toggles, ...flags]));
      return gpu.requestAdapter({ powerPreference: "high-performance" });
    });
    const warnings = [...new Set(text.split("\n"))]
      .filter((line) => line && !/artificially reduced|XDG_RUNTIME_DIR|^\s+(at|-) /.test(line))
      .map((line) => line.replace(/^(Warning|Error): /, ""))
      .join(", ")
      .replace(/^.*Found no drivers.*$/, "no Vulkan driver is installed");
    try {
      return { adapter: (await value) ?? undefined, warnings };
    } catch (error) {
      return { error: String(error), warnings };
    }
  };
}

/** dawn.node crashes when the object from `create()` is collected: it is kept for good. */
function pinned(gpu: GPU): GPU {
  const scope = globalThis as { __voxgradGpu?: GPU[] };
  scope.__voxgradGpu ??= [];
  scope.__voxgradGpu.push(gpu);
  return gpu;
}

/** A device whose waits leave a software driver the processor (wait.ts). */
export function dawnDevice(
  candidate: Candidate,
  host: Pick<DeviceHost, "companion" | "lavapipeRefusal" | "gpuHint">,
  limits?: WantedLimits,
): Promise<Device> {
  const { type, driver } = candidate.info;
  const own: DeviceHost = {
    ...host,
    wait: type === "software" ? throttledWait : undefined,
    compiled: {
      before: (sources) => compiledBefore(driver, sources),
      remember: (sources) => rememberCompiled(driver, sources),
    },
  };
  return createDevice(candidate, own, limits);
}
