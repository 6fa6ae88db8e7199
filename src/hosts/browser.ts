/** A browser page, on the WebGPU of its browser. */
import { navigatorHost } from "./navigator";

export const { openDevice, listAdapters } = navigatorHost("browser", "webgpu");
