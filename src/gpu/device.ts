import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import { type AdapterDescription, limitsOf, startLine } from "./adapter";
import type { Candidate } from "./adapter_search";

export type { AdapterDescription, AdapterKind } from "./adapter";

/** The additions of a device's host (src/hosts) to WebGPU itself. */
export interface DeviceHost {
  /** How a promise of the device is awaited; absent: like any other. */
  readonly wait?: <T>(promise: Promise<T>) => Promise<T>;
  /** Opens another device on the same adapter. */
  readonly companion?: () => Promise<Device>;
  readonly compiled?: CompiledShaders;
  /** Why a faster software adapter is not there; for the start line. */
  readonly lavapipeRefusal?: string;
  /** Of a software adapter that was taken though a GPU is there: what its driver lacks. */
  readonly gpuHint?: string;
}

/** The sets of shaders that the driver has compiled on this machine, and still has. */
export interface CompiledShaders {
  before(sources: readonly string[]): boolean;
  remember(sources: readonly string[]): Promise<void>;
}

/** Asked for where an adapter has them; no kernel may need one. */
const WANTED_FEATURES: readonly string[] = [
  "subgroups",
  "subgroup-size-control",
  "shader-f16",
  "timestamp-query",
  "chromium-experimental-subgroup-matrix",
];

/** All limits of the adapter, or those alone that WebGPU promises of any. */
export type WantedLimits = "all" | "default";

/** Opens an adapter with those of the wanted features that it has. */
export async function createDevice(
  candidate: Candidate,
  host: DeviceHost,
  limits: WantedLimits = "all",
): Promise<Device> {
  const { adapter, info } = candidate;
  const requiredFeatures = WANTED_FEATURES.filter((name) => info.features.has(name));
  const device = await adapter.requestDevice({
    requiredLimits: limits === "all" ? limitsOf(adapter.limits) : {},
    requiredFeatures: requiredFeatures as GPUFeatureName[],
  });
  return new Device(device, adapter, info, host);
}

/** The device is gone, by a reset of its driver say: nothing that it held can be read any more. */
export class DeviceLost extends UserError {
  /**
   * @param adapter its name
   * @param what was lost, and when
   */
  constructor(
    readonly adapter: string,
    readonly what: string,
  ) {
    super(`${what}; start the command again`);
  }
}

/** @param what did not fit */
export function outOfMemory(what: string): UserError {
  return new UserError(
    `${what}: take less at a time, by a smaller --chunk, --volume-budget, --batch or --patch, or by ` +
      "--precision f16 and --volume-precision f16",
  );
}

/** A lost device may reject what is pending a moment before it says that it is lost. */
const LOSS_MS = 100;
/** Names of the errors with which it does. */
const MAYBE_LOST = ["AbortError", "OperationError"];

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
  /** Resolves when the device is lost (not by `destroy`), naming the last submission. */
  readonly lost: Promise<DeviceLost>;

  #errors: Error[] = [];
  #loss: DeviceLost | undefined;
  #isDestroyed = false;
  #lastLabel = "nothing";

  /** Use `openDevice` of a file of src/hosts. */
  constructor(
    device: GPUDevice,
    adapter: GPUAdapter,
    info: AdapterDescription,
    readonly host: DeviceHost,
  ) {
    this.device = device;
    this.adapter = adapter;
    this.info = info;
    this.limits = device.limits;
    this.features = new Set<string>(device.features);
    this.subgroupSize = info.subgroupSize;
    device.onuncapturederror = (event) => {
      const { error } = event;
      event.preventDefault(); // else dawn.node prints it as well
      const { name } = error.constructor;
      const isMemory = name === "GPUOutOfMemoryError";
      this.#errors.push(
        isMemory
          ? outOfMemory(`${info.name} is out of memory`)
          : new Error(`${name}: ${error.message}`),
      );
    };
    this.lost = new Promise((resolve) => {
      device.lost.then(({ message }) => {
        if (this.#isDestroyed) return;
        const when = `after "${this.#lastLabel}"`;
        const [reason] = message.split("\n");
        this.#loss = new DeviceLost(
          info.name,
          `${info.name}: the device was lost ${when} (${reason})`,
        );
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
   * Awaits a promise of the device; every such wait should go through here: Dawn in Bun and Node must
   * not spin (wait.ts).
   * @throws what {@link check} throws, once the promise has settled
   */
  async wait<T>(promise: Promise<T>): Promise<T> {
    let value: T;
    try {
      value = await (this.host.wait ? this.host.wait(promise) : promise);
    } catch (error) {
      const cause = await this.causeOf(error);
      this.check();
      throw cause;
    }
    this.check();
    return value;
  }

  /** The loss of the device where that is why a promise of it was rejected, else the error itself. */
  async causeOf(error: unknown): Promise<unknown> {
    if (!this.#loss && error instanceof Error && MAYBE_LOST.includes(error.name)) {
      const moment = new Promise((resolve) => setTimeout(resolve, LOSS_MS));
      await Promise.race([this.lost, moment]);
    }
    return this.#loss ?? error;
  }

  /** Waits until everything submitted is done. */
  async idle(): Promise<void> {
    await this.wait(this.device.queue.onSubmittedWorkDone());
  }

  /** Takes the errors that Dawn reported outside of any error scope since the last call. */
  takeErrors(): Error[] {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }

  /**
   * @throws DeviceLost
   * @throws UserError where the device ran out of memory since the last check
   * @throws Error for other errors that Dawn reported since then
   */
  check(): void {
    if (this.#loss) throw this.#loss;
    const errors = this.takeErrors();
    // What is made of a buffer that did not fit is invalid too.
    const memory = errors.find((error) => error instanceof UserError);
    if (memory) throw memory;
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) {
      throw new AggregateError(errors, errors.map(({ message }) => message).join("\n"));
    }
  }

  /** The one line at start: adapter, driver, precision, and what a software adapter means. */
  describe(precision: Precision = "f32"): string {
    const text = precision === "f16" ? "float16 activations, float32 arithmetic" : "float32";
    return startLine(this.info, text, this.host);
  }

  destroy(): void {
    openDevices.delete(this);
    this.#isDestroyed = true;
    this.device.destroy();
  }
}
