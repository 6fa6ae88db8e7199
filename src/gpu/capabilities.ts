/** What a device offers to kernels, in the form in which they choose their variant. */
import type { Capabilities } from "../core/kernel";
import type { Device } from "./device";

export function capabilities(device: Device): Capabilities {
  const { limits, info, subgroupSize: size } = device;
  const usable = device.features.has("subgroups") && size !== null && size.min === size.max;
  return {
    // An unknown software driver is treated like the plainest one we know.
    kind: info.kind === "software" ? "swiftshader" : info.kind,
    subgroupSize: usable ? size.min : null,
    shaderF16: device.features.has("shader-f16"),
    maxBindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
  };
}
