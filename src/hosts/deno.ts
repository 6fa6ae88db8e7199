/**
 * wgpu and Naga, in Deno. As in Node, the drivers are those that the process was started with; it should
 * be started with `DENO_WEBGPU_BACKEND=vulkan` on Linux, or wgpu falls back to OpenGL where there is no
 * Vulkan loader.
 */
import type { AdapterDescription, Device } from "../gpu/device";
import { listFrom, navigatorSource, openFrom } from "./navigator";

const source = navigatorSource("system", "wgpu");

/** @throws UserError when there is no such adapter, saying what there is */
export function openDevice({ adapter }: { readonly adapter?: string } = {}): Promise<Device> {
  return openFrom(source, adapter);
}

export function listAdapters(): Promise<AdapterDescription[]> {
  return listFrom(source);
}
