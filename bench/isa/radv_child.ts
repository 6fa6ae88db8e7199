/**
 * A process of its own for one chip, which RADV_FORCE_FAMILY names: reads a job (JSON on standard
 * input), compiles its shaders and writes a line of JSON for each. A shader can end the process.
 */
import { readFileSync } from "node:fs";
import { loadLibrary } from "../../src/platform/native";
import type { RadvJob } from "./radv";
import { RadvDevice } from "./radv_device";

const { libraries, shaders } = JSON.parse(await Bun.stdin.text()) as RadvJob;
for (const library of libraries) {
  const refusal = loadLibrary(library);
  if (refusal) throw new Error(refusal);
}
const device = RadvDevice.open(libraries.at(-1)!);
const { chip, driver } = device;
console.log(JSON.stringify({ chip, driver }));
for (const { file, entryPoint, bindings } of shaders) {
  const numbers = (isUniform: boolean) =>
    bindings.flatMap((binding, i) => ((binding === "uniform") === isUniform ? [i] : []));
  const spirv = readFileSync(file);
  const buffers = { storage: numbers(false), uniform: numbers(true) };
  console.log(JSON.stringify(device.compile({ spirv, entryPoint, ...buffers })));
}
process.exit(0); // without the driver's own end, which has nothing to end here
