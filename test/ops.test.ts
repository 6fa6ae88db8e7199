/** Every op in the variants that this machine's adapters choose by themselves (test/op_tests.ts). */
import { expect, test } from "bun:test";
import { upsample3dReference } from "../src/reference/upsample3d";
import { LAVAPIPE } from "./adapters";
import { describeOps, describeReferences, runsOf } from "./op_tests";

test("a wrong reference fails in its own cases, with the remedy, and the others are tested", () => {
  const wide = { ...upsample3dReference, f16: { inputs: ["x"] } };
  const runs = runsOf(wide, LAVAPIPE, "quick");
  const faults = runs.flatMap(({ fault }) => (fault ? [fault.message] : []));
  const views = wide.cases.filter(({ attrs }) => "out" in (attrs as object));
  expect(faults.length).toBe(views.length);
  for (const [i, { id }] of views.entries()) {
    expect(faults[i]).toMatch(`upsample3d ${id} in f16: `);
    expect(faults[i]).toContain("attrs: halfOut");
  }
  const sound = runs.filter(({ fault }) => !fault).map(({ c }) => c);
  expect(new Set([...sound, ...views])).toEqual(new Set(wide.cases));
});

describeReferences();
await describeOps("quick");
