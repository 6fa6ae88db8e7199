/** The capabilities of a device, in the form from which kernels choose their variant. */
import { UserError } from "../core/errors";
import { Graph, type GraphOptions } from "../core/graph";
import type { Capabilities } from "../core/kernel";
import type { Precision } from "../core/tensor";
import type { AdapterKind } from "./adapter";
import type { Device } from "./device";

export function capabilities(device: Device): Capabilities {
  const { limits, info, subgroupSize: size } = device;
  const usable = device.features.has("subgroups") && size !== null && size.min === size.max;
  return {
    kind: knownKind(info.kind),
    architecture: `${info.vendor} ${info.architecture}`.trim(),
    subgroupSize: usable ? size.min : null,
    subgroupMatrices: device.features.has("chromium-experimental-subgroup-matrix")
      ? info.subgroupMatrices
      : [],
    shaderF16: device.features.has("shader-f16"),
    maxBindingBytes: Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    maxInvocations: limits.maxComputeInvocationsPerWorkgroup,
    maxWorkgroupBytes: limits.maxComputeWorkgroupStorageSize,
  };
}

/** A new graph for a device. */
export function graphFor(device: Device, options: GraphOptions = {}): Graph {
  return new Graph(capabilities(device), options);
}

/** @throws UserError when the device cannot store activations so */
export function checkPrecision(device: Device, precision: Precision): void {
  if (precision === "f32" || device.features.has("shader-f16")) return;
  throw new UserError(
    `--precision ${precision}: ${device.info.name} has no shader-f16; leave the option out, or choose ` +
      "another --adapter (`bun run adapters` lists their features)",
  );
}

/** An unknown software driver is treated like the plainest one we know. */
export const knownKind = (kind: AdapterKind): Capabilities["kind"] =>
  kind === "software" ? "swiftshader" : kind;
