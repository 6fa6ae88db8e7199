/** The first messages between a worker and its starter, before the worker's own. */
import { type AdapterDescription, limitsOf } from "../../../gpu/adapter";
import type { Device } from "../../../gpu/device";
import type { HostAdapter } from "../../host";

/** A file of src/hosts. */
export interface Place {
  openDevice(options: { readonly adapter?: string }): Promise<Device>;
  listAdapters(): Promise<AdapterDescription[]>;
}

/** An adapter before its host adds what runs there. */
export type PlainAdapter = Omit<HostAdapter, "versions">;

/** The first message of a worker. */
export type Opening =
  | { readonly adapters: readonly PlainAdapter[] }
  | { readonly ready: true }
  | { readonly failure: string };

/** An adapter as JSON: its own limits object has getters, its features are a set. */
export function plainAdapter(adapter: AdapterDescription): PlainAdapter {
  const { name, kind, backend, driver, vendor, architecture, subgroupSize } = adapter;
  const features = [...adapter.features].sort();
  const limits = limitsOf(adapter.limits);
  return {
    ...{ name, kind, backend, driver, vendor, architecture, subgroupSize },
    ...{ limits, features },
  };
}

/** Whether the worker's environment shows it: Bun also brings drivers by itself. */
function isShown({ source }: AdapterDescription): boolean {
  return source === "system" || source === "browser";
}

/** Lists the adapters, or opens one and serves on it. Failures before the first message go into it. */
export async function runPlace(
  place: Place,
  adapter: string | undefined,
  reply: (message: unknown) => void,
  serve: (device: Device) => Promise<void>,
): Promise<void> {
  const open = (message: Opening) => reply(message);
  let device: Device;
  try {
    if (adapter === undefined) {
      const adapters = (await place.listAdapters()).filter(isShown);
      return open({ adapters: adapters.map(plainAdapter) });
    }
    device = await place.openDevice({ adapter });
  } catch (error) {
    return open({ failure: error instanceof Error ? error.message : String(error) });
  }
  open({ ready: true });
  await serve(device);
  device.destroy();
}
