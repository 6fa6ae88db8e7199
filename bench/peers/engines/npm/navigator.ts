/** `navigator.gpu` for engines that expect a browser: the adapter that voxgrad itself would use. */
import { create } from "webgpu";
import type { AdapterDescription } from "../../../../src/gpu/adapter";
import { throttledWait } from "../../../../src/gpu/wait";
import { openDevice } from "../../../../src/hosts/bun";
import { refuse } from "../../engine";

export interface Browser {
  readonly info: AdapterDescription;
  /** Awaits a promise as voxgrad does on this adapter: Dawn must not spin (src/gpu/wait.ts). */
  readonly wait: <T>(promise: Promise<T>) => Promise<T>;
}

/** Brings the driver up, and a Dawn instance that offers `adapter` alone. */
export async function provideGpu(adapter: string): Promise<Browser> {
  const device = await openDevice({ adapter, quiet: true }).catch(refuse);
  const { info } = device;
  device.destroy();
  // The driver is loaded and shown to this process now; a fresh instance finds it by its name.
  const gpu = create([`backend=${info.backend}`, `adapter=${info.name}`]);
  Object.defineProperty(globalThis.navigator, "gpu", { value: gpu, configurable: true });
  const isSoftware = info.type === "software";
  return { info, wait: (promise) => (isSoftware ? throttledWait(promise) : promise) };
}
