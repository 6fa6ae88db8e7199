import type { Precision } from "../core/tensor";
import type { Choices } from "../core/variant";
import type { DriverSource } from "../platform/vulkan";
import { type AdapterDescription, describeAdapter, startLine } from "./adapter";
import {
  type AdapterSource,
  type Candidate,
  collectAdapters,
  type FoundAdapters,
  searchAdapter,
} from "./adapter_search";
import { throttledWait } from "./wait";

export type { AdapterDescription, AdapterKind } from "./adapter";

export interface DeviceOptions {
  /** `lavapipe`, `swiftshader`, `hardware`, `gpu` or part of an adapter's name, in any case. */
  readonly adapter?: string;
  /** Say nothing while a driver is brought. */
  readonly quiet?: boolean;
  /** False compiles shaders without bounds checks: only for kernels that are proven in bounds. */
  readonly robustness?: boolean;
}

/** Asked for where an adapter has them; no kernel may need one. */
const WANTED_FEATURES: readonly string[] = [
  "subgroups",
  "subgroup-size-control",
  "shader-f16",
  "timestamp-query",
  "chromium-experimental-subgroup-matrix",
];

/**
 * Opens the best adapter, or the one that `adapter`, else `VOXGRAD_ADAPTER`, names: hardware, then
 * lavapipe (brought into the cache where it is missing), then SwiftShader.
 * @throws UserError when there is none, saying what there is or what was tried
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { sources, defaultAdapter } = await adapterSources(options);
  const { candidate, reasons } = await searchAdapter(sources, options.adapter || defaultAdapter);
  return createDevice(candidate, reasons.get("lavapipe"));
}

/** Every adapter that is there or can be had, best first, and why each other source has none. */
export async function surveyAdapters(
  options: DeviceOptions = {},
): Promise<{ adapters: AdapterDescription[]; reasons: string[] }> {
  const { sources } = await adapterSources(options);
  return collectAdapters(sources);
}

/** The adapters of {@link surveyAdapters}. */
export async function listAdapters(options: DeviceOptions = {}): Promise<AdapterDescription[]> {
  return (await surveyAdapters(options)).adapters;
}

async function adapterSources(
  options: DeviceOptions,
): Promise<{ sources: AdapterSource[]; defaultAdapter: string }> {
  const browser = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (browser) {
    const find = async () => ({ candidates: await browserAdapters(browser) });
    return { sources: [{ name: "browser", find }], defaultAdapter: "" };
  }
  const { adapterVariable, driverSources } = await import("../platform/vulkan");
  const sources = driverSources().map((source) => ({
    name: source.name,
    find: (mayDownload: boolean) => dawnAdapters(source, mayDownload, options),
  }));
  return { sources, defaultAdapter: adapterVariable() };
}

async function browserAdapters(gpu: GPU): Promise<Candidate[]> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) return [];
  const name = adapter.info.description || `${adapter.info.vendor} ${adapter.info.architecture}`;
  const info = describeAdapter(adapter, { name, backend: "webgpu", source: "browser" });
  return [{ info, adapter, isDawnNode: false }];
}

/** Backends that compute: Dawn also lists `null`, which runs nothing, and OpenGL. */
const BACKENDS: readonly string[] = ["metal", "d3d12", "vulkan"];
const NO_SUCH_ADAPTER = "list all";

async function dawnAdapters(
  source: DriverSource,
  mayDownload: boolean,
  options: DeviceOptions,
): Promise<FoundAdapters> {
  let request: (flags: readonly string[]) => Promise<DawnAnswer>;
  try {
    const show = await source.prepare({ mayDownload, quiet: options.quiet === true });
    request = await dawnRequest(show, options);
  } catch (error) {
    if (error instanceof Error && error.name === "DriverUnavailable") {
      return { candidates: [], reason: error.message };
    }
    throw error;
  }
  // Dawn tells the names of its adapters only in the error for a name that it does not have.
  const { error, warnings } = await request([`adapter=${NO_SUCH_ADAPTER}`]);
  const listed = [...(error ?? "").matchAll(/backend: '(.+?)', name: '(.+?)'$/gm)];
  const candidates: Candidate[] = [];
  for (const [, backend = "", name = ""] of listed) {
    if (!BACKENDS.includes(backend)) continue;
    const { adapter } = await request([`backend=${backend}`, `adapter=${name}`]);
    if (!adapter) continue;
    const info = describeAdapter(adapter, { name, backend, source: source.name });
    candidates.push({ info, adapter, isDawnNode: true });
  }
  return candidates.length > 0 ? { candidates } : { candidates, reason: warnings || "no adapter" };
}

interface DawnAnswer {
  readonly adapter?: GPUAdapter;
  readonly error?: string;
  /** What Dawn had to say of drivers that it refused, on one line. */
  readonly warnings: string;
}

/**
 * A function that asks a fresh Dawn instance for an adapter. Dawn looks for drivers within the
 * call, so the drivers are shown, and stderr is caught, around the call alone.
 */
async function dawnRequest(
  showDrivers: () => void,
  { robustness = true }: DeviceOptions,
): Promise<(flags: readonly string[]) => Promise<DawnAnswer>> {
  const { create, globals } = await import("webgpu");
  const { catchStderr } = await import("../platform/native");
  Object.assign(globalThis, globals);
  // Without the first no adapter offers subgroup matrices.
  const enabled = ["allow_unsafe_apis", ...(robustness ? [] : ["disable_robustness"])];
  const toggles = [
    "disable-dawn-features=timestamp_quantization",
    `enable-dawn-features=${enabled.join(",")}`,
  ];
  return async (flags) => {
    const { value, text } = catchStderr(() => {
      showDrivers();
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

async function createDevice(candidate: Candidate, lavapipeRefusal?: string): Promise<Device> {
  const { adapter, info } = candidate;
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const value: unknown = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof value === "number") requiredLimits[name] = value;
  }
  const requiredFeatures = WANTED_FEATURES.filter((name) => info.features.has(name));
  const device = await adapter.requestDevice({
    requiredLimits,
    requiredFeatures: requiredFeatures as GPUFeatureName[],
  });
  const sleeps = candidate.isDawnNode && info.type === "software";
  return new Device(device, adapter, info, { sleeps, lavapipeRefusal });
}

const openDevices = new Set<Device>();

/** Destroys every device that is open; for the end of the process. */
export function destroyDevices(): void {
  for (const device of openDevices) device.destroy();
}

/** An open adapter: waiting, errors and loss in one place. */
export class Device {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
  readonly info: AdapterDescription;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  readonly subgroupSize: AdapterDescription["subgroupSize"];
  /** Resolves when the device is lost (not when it is destroyed), naming the last submission. */
  readonly lost: Promise<Error>;
  /** What the tuner found for this adapter; graphs of graphFor (capabilities.ts) use it. */
  choices: Choices | undefined;

  readonly #sleeps: boolean;
  readonly #lavapipeRefusal: string | undefined;
  #errors: Error[] = [];
  #loss: Error | undefined;
  #lastLabel = "nothing";

  /** Use {@link openDevice}. */
  constructor(
    device: GPUDevice,
    adapter: GPUAdapter,
    info: AdapterDescription,
    how: { readonly sleeps: boolean; readonly lavapipeRefusal: string | undefined },
  ) {
    this.device = device;
    this.adapter = adapter;
    this.info = info;
    this.limits = device.limits;
    this.features = new Set<string>(device.features);
    this.subgroupSize = info.subgroupSize;
    this.#sleeps = how.sleeps;
    this.#lavapipeRefusal = how.lavapipeRefusal;
    device.onuncapturederror = (event) => {
      const { error } = event;
      event.preventDefault(); // else dawn.node prints it as well
      this.#errors.push(new Error(`${error.constructor.name}: ${error.message}`));
    };
    this.lost = new Promise((resolve) => {
      device.lost.then(({ reason, message }) => {
        if (reason === "destroyed") return;
        this.#loss = new Error(`device lost after "${this.#lastLabel}": ${message}`);
        resolve(this.#loss);
      });
    });
    openDevices.add(this);
  }

  /** Submits; `label` is what a loss of the device will be attributed to. */
  submit(commands: GPUCommandBuffer, label: string): void {
    this.#lastLabel = label;
    this.device.queue.submit([commands]);
  }

  /**
   * Awaits a promise of the device; every such wait should go through here, see wait.ts.
   * @throws what {@link check} throws, once the promise has settled
   */
  async wait<T>(promise: Promise<T>): Promise<T> {
    try {
      return await (this.#sleeps ? throttledWait(promise) : promise);
    } finally {
      this.check();
    }
  }

  /** Waits until everything submitted is done. */
  async idle(): Promise<void> {
    await this.wait(this.device.queue.onSubmittedWorkDone());
  }

  /** Whether the driver has compiled all of these shaders on this machine, and still has them. */
  async compiledBefore(sources: readonly string[]): Promise<boolean> {
    const { compiledBefore } = await import("../platform/compiled");
    return compiledBefore(this.info.driver, sources);
  }

  async rememberCompiled(sources: readonly string[]): Promise<void> {
    const { rememberCompiled } = await import("../platform/compiled");
    await rememberCompiled(this.info.driver, sources);
  }

  /** Takes the errors that Dawn reported outside of any error scope since the last call. */
  takeErrors(): Error[] {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }

  /** @throws Error for a lost device or for errors that Dawn reported since the last check */
  check(): void {
    if (this.#loss) throw this.#loss;
    const errors = this.takeErrors();
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) {
      throw new AggregateError(errors, errors.map(({ message }) => message).join("\n"));
    }
  }

  /** The one line at start: adapter, driver, precision, and what a software adapter means. */
  describe(precision: Precision = "f32"): string {
    const text = precision === "f16" ? "float16 activations, float32 arithmetic" : "float32";
    return startLine(this.info, text, this.#lavapipeRefusal);
  }

  destroy(): void {
    openDevices.delete(this);
    this.device.destroy();
  }
}
