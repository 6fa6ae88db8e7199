/**
 * Dawn in Node. A running Node process cannot load libraries or change the environment that C libraries
 * read: drivers are those that the process was started with (`VK_DRIVER_FILES`, `LD_LIBRARY_PATH`; see
 * `driverEnvironment` in src/platform/vulkan.ts).
 */
import { collectAdapters, searchAdapter } from "../gpu/adapter_search";
import type { AdapterDescription, Device } from "../gpu/device";
import { type DawnCall, type DeviceOptions, dawnAdapters, dawnDevice } from "./dawn";

/** @throws UserError when there is no such adapter, saying what there is */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { candidate } = await searchAdapter(sourcesFor(options), options.adapter ?? "");
  const adapter = candidate.info.name;
  return dawnDevice(candidate, { companion: () => openDevice({ ...options, adapter }) });
}

export async function listAdapters(options: DeviceOptions = {}): Promise<AdapterDescription[]> {
  return (await collectAdapters(sourcesFor(options))).adapters;
}

/** Dawn's words go to this process's stderr. */
const plain: DawnCall = (call) => ({ value: call(), text: "" });

function sourcesFor(options: DeviceOptions) {
  return [{ name: "system" as const, find: () => dawnAdapters("system", plain, options) }];
}
