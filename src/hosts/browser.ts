/** A browser page, on whatever its browser's WebGPU is made of. */
import type { AdapterDescription, Device } from "../gpu/device";
import { listFrom, navigatorSource, openFrom } from "./navigator";

const source = navigatorSource("browser", "webgpu");

/** @throws UserError when there is no such adapter, saying what there is */
export function openDevice({ adapter }: { readonly adapter?: string } = {}): Promise<Device> {
  return openFrom(source, adapter);
}

export function listAdapters(): Promise<AdapterDescription[]> {
  return listFrom(source);
}
