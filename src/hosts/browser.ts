/** A browser page, on whatever its browser's WebGPU is made of. */
import { navigatorHost } from "./navigator";

export const { openDevice, listAdapters } = navigatorHost("browser", "webgpu");
