/** Fusion in the kernels that this machine's adapters would run (test/fusion_chains.ts). */
import { describe, expect, test } from "bun:test";
import { Graph, storagesOf } from "../src/core/graph";
import { GPU } from "./adapters";
import { BLOCKED, CASES, record, testAgreement, testReaders } from "./fusion_chains";
import { testDevice } from "./test_devices";

for (const adapter of ["lavapipe", "swiftshader", "hardware"]) {
  const device = await testDevice(adapter);
  if (!device) continue;
  describe(adapter, () => {
    testAgreement(device, "own");
    if (adapter === "hardware") testAgreement(device, "blocked");
    testReaders(device);
  });
}

test("the fused path writes fewer tensors", () => {
  const dispatches = [true, false].map((fuse) => {
    const graph = new Graph(GPU, { fuse, variants: BLOCKED[0] });
    return record(graph, CASES[0]).graph.dispatches;
  });
  const count = (i: number) => storagesOf(dispatches[i]!).length;
  expect(count(0)).toBeLessThan(count(1));
});
