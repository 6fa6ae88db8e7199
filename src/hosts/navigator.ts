/** The adapters of `navigator.gpu`: the part that Deno and a browser share. */
import { type AdapterDescription, type AdapterSourceName, describeAdapter } from "../gpu/adapter";
import {
  type AdapterSource,
  type Candidate,
  collectAdapters,
  searchAdapter,
} from "../gpu/adapter_search";
import { createDevice, type Device, type WantedLimits } from "../gpu/device";

/** Requests that may bring different adapters, the best first. */
const REQUESTS: readonly GPURequestAdapterOptions[] = [
  { powerPreference: "high-performance" },
  { powerPreference: "low-power" },
  { forceFallbackAdapter: true },
];

/** A source of the adapters that `navigator.gpu` offers, each once. */
function navigatorSource(name: AdapterSourceName, backend: string): AdapterSource {
  return {
    name,
    async find() {
      const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
      if (!gpu) return { candidates: [], reason: "no WebGPU (navigator.gpu) here" };
      const found = new Map<string, Candidate>();
      for (const request of REQUESTS) {
        const adapter = await gpu.requestAdapter(request);
        if (!adapter) continue;
        const { description, vendor, architecture } = adapter.info;
        const label = description || `${vendor} ${architecture}`.trim() || "unnamed";
        const info = describeAdapter(adapter, { name: label, backend, source: name });
        if (!found.has(label)) found.set(label, { info, adapter });
      }
      const candidates = [...found.values()];
      return candidates.length > 0 ? { candidates } : { candidates, reason: "no adapter" };
    },
  };
}

export interface NavigatorHost {
  /** @throws UserError when there is no such adapter, saying what there is */
  openDevice(options?: {
    readonly adapter?: string;
    readonly limits?: WantedLimits;
  }): Promise<Device>;
  listAdapters(): Promise<AdapterDescription[]>;
}

/** @param backend what an adapter's description says of what the place computes with */
export function navigatorHost(name: AdapterSourceName, backend: string): NavigatorHost {
  const source = navigatorSource(name, backend);
  return {
    async openDevice({ adapter = "", limits } = {}) {
      const { candidate } = await searchAdapter([source], adapter);
      return createDevice(candidate, {}, limits);
    },
    async listAdapters() {
      return (await collectAdapters([source])).adapters;
    },
  };
}
