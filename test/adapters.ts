/** Capabilities of adapters that tests record for without opening one. */
import type { Capabilities, SubgroupMatrix } from "../src/core/kernel";
import type { Precision } from "../src/core/tensor";
import type { Choices } from "../src/core/variant";

export const LAVAPIPE: Capabilities = {
  ...{ kind: "lavapipe", subgroupSize: 8, shaderF16: true, subgroupMatrices: [] },
  ...{ maxBindingBytes: 2 ** 27, maxInvocations: 1024, maxWorkgroupBytes: 32768 },
};

const MATRIX: SubgroupMatrix = { M: 16, N: 16, K: 16, component: "f16", result: "f32" };

/** A GPU with everything that a kernel may want. */
export const GPU: Capabilities = {
  ...{ kind: "hardware", subgroupSize: 32, shaderF16: true, subgroupMatrices: [MATRIX] },
  ...{ maxBindingBytes: 2 ** 31, maxInvocations: 1024, maxWorkgroupBytes: 49152 },
};

/**
 * Variants that are made for GPUs, by their names: tiles in workgroup memory, between barriers. A
 * software adapter takes minutes to compile them.
 */
export const FOR_GPUS = /^(blocked|matrix|uniform|sparing)_/;

/**
 * Choices for a test that is about something else than kernels. In f16 a software adapter would take
 * those that are made for GPUs, a minute of compiling, and the naive ones take a second.
 */
export function quickKernels(
  kind: Capabilities["kind"],
  precision: Precision,
): Choices | undefined {
  return kind === "hardware" || precision === "f32" ? undefined : () => "naive";
}
