/** Khronos' assembler for SPIR-V: the system's, else out of the distribution's package. */
import { chmod, copyFile } from "node:fs/promises";
import { join } from "node:path";
import { type Brought, broughtFolder } from "./brought";
import { DriverUnavailable, type PrepareOptions } from "./driver";

const PACKAGE = "spirv-tools";
const ASSEMBLER = "spirv-as";

const SPIRV_TOOLS: Brought = {
  kind: "spirv-tools",
  what: "spirv-as (assembler of the package spirv-tools, 3 MB, once)",
  packages: [PACKAGE],
  choose([first]) {
    if (first) return first;
    throw new DriverUnavailable(`apt offers no ${PACKAGE}`);
  },
  async install(root, into) {
    await copyFile(join(root, "usr/bin", ASSEMBLER), join(into, ASSEMBLER));
    await chmod(join(into, ASSEMBLER), 0o755);
  },
};

/**
 * Path of spirv-as.
 * @throws DriverUnavailable where it cannot be had
 */
export async function spirvAssembler(options: PrepareOptions): Promise<string> {
  const installed = Bun.which(ASSEMBLER);
  return installed ?? join(await broughtFolder(SPIRV_TOOLS, options), ASSEMBLER);
}
