/**
 * wgpu and Naga, in Deno. As in Node, the drivers are those that the process was started with; it should
 * be started with `DENO_WEBGPU_BACKEND=vulkan` on Linux, or wgpu falls back to OpenGL where there is no
 * Vulkan loader.
 */
import { navigatorHost } from "./navigator";

export const { openDevice, listAdapters } = navigatorHost("system", "wgpu");
