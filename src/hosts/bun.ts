/** Dawn in Bun: voxgrad's own host. Drivers that the system lacks are brought. */
import type { AdapterDescription } from "../gpu/adapter";
import {
  type AdapterSource,
  collectAdapters,
  type FoundAdapters,
  searchAdapter,
} from "../gpu/adapter_search";
import type { Device } from "../gpu/device";
import { DriverUnavailable } from "../platform/driver";
import { catchStderr } from "../platform/native";
import { adapterVariable, type DriverSource, driverSources, nvidiaHint } from "../platform/vulkan";
import { type DeviceOptions, dawnAdapters, dawnDevice } from "./dawn";

export type { DeviceOptions } from "./dawn";

/**
 * Opens the best adapter, or the one that `adapter`, else `VOXGRAD_ADAPTER`, names: hardware, then
 * lavapipe (brought into the cache where it is missing), then SwiftShader.
 * @throws UserError when there is none, saying what there is or what was tried
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const wanted = options.adapter || adapterVariable();
  const { candidate, reasons } = await searchAdapter(sourcesFor(options), wanted, options.turn);
  const host = {
    companion: () => openDevice({ adapter: candidate.info.name, quiet: true }),
    lavapipeRefusal: reasons.get("lavapipe"),
    gpuHint: candidate.info.type === "software" && !wanted ? nvidiaHint() : undefined,
  };
  return dawnDevice(candidate, host, options.limits);
}

/** Every adapter that is there or can be had, best first, and why each other source has none. */
export function surveyAdapters(
  options: DeviceOptions = {},
): Promise<{ adapters: AdapterDescription[]; reasons: string[] }> {
  return collectAdapters(sourcesFor(options));
}

/** The adapters of {@link surveyAdapters}. */
export async function listAdapters(options: DeviceOptions = {}): Promise<AdapterDescription[]> {
  return (await surveyAdapters(options)).adapters;
}

function sourcesFor(options: DeviceOptions): AdapterSource[] {
  return driverSources().map((source) => ({
    name: source.name,
    find: (mayDownload) => adaptersOf(source, mayDownload, options),
  }));
}

async function adaptersOf(
  source: DriverSource,
  mayDownload: boolean,
  options: DeviceOptions,
): Promise<FoundAdapters> {
  try {
    const show = await source.prepare({ mayDownload, quiet: options.quiet === true });
    const withDrivers = <T>(call: () => T) =>
      catchStderr(() => {
        show();
        return call();
      });
    const found = await dawnAdapters(source.name, withDrivers, options);
    const hasGpu = found.candidates.some(({ info }) => info.type === "hardware");
    const hint = source.name === "system" && !hasGpu ? nvidiaHint() : undefined;
    return hint ? { ...found, reason: [found.reason, hint].filter(Boolean).join("; ") } : found;
  } catch (error) {
    if (!(error instanceof DriverUnavailable)) throw error;
    return { candidates: [], reason: error.message };
  }
}
