/** Fusion on software adapters in the kernels that are made for GPUs (test/fusion_chains.ts). */
import { describe } from "bun:test";
import { testAgreement } from "../fusion_chains";
import { testDevice } from "../test_devices";

for (const adapter of ["lavapipe", "swiftshader"]) {
  const device = await testDevice(adapter);
  if (device) describe(adapter, () => testAgreement(device, "blocked"));
}
