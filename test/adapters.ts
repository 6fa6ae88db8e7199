/** Capabilities of adapters that tests record for without opening one. */
import type { Capabilities, SubgroupMatrix } from "../src/core/kernel";

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
