/**
 * Every op against its float64 reference: values, gradients, guard words, repeatability; every case,
 * every variant, on every adapter that can be had. Names of tests are `adapter op case variants`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ops } from "../kernels/index";
import { UserError } from "../src/core/errors";
import { openDevice } from "../src/gpu/device";
import { faultsOf, gradientFaultsOfReference } from "./op_checks";
import { OpGraph, Rig, type Trial, trialOf, variantRounds } from "./op_run";
import { references } from "./reference/index";
import type { Case, Reference } from "./reference/reference";

const trials = new Map<Case<unknown>, Trial>();

/** The same inputs and expectations for every variant and adapter. */
function trial(reference: Reference<unknown>, c: Case<unknown>): Trial {
  const made = trials.get(c) ?? trialOf(reference, c);
  trials.set(c, made);
  return made;
}

async function open(adapter: string): Promise<Rig | undefined> {
  try {
    return new Rig(await openDevice({ adapter, quiet: true }));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (adapter !== "hardware") console.warn(`ops are not tested on ${adapter}: ${error.message}`);
    return undefined;
  }
}

/** Failures read best as a list of lines. */
function expectNone(faults: readonly string[], id: string): void {
  if (faults.length > 0) throw new Error(`${id}:\n  ${faults.join("\n  ")}`);
}

test("every op has a reference with cases of distinct ids", () => {
  const named = new Set(references.map((r) => r.op.name));
  const missing = Object.values(ops).filter((op) => !named.has(op.name));
  expect(missing.map((op) => op.name)).toEqual([]);
  for (const { op, cases } of references) {
    expect(new Set(cases.map((c) => c.id)).size, op.name).toBe(cases.length);
  }
});

describe("references by finite differences", () => {
  for (const reference of references) {
    if (!reference.backward) continue;
    for (const c of reference.cases.filter((c) => c.smooth !== false)) {
      const id = `${reference.op.name} ${c.id}`;
      test(id, () => expectNone(gradientFaultsOfReference(trial(reference, c)), id));
    }
  }
});

for (const adapter of ["hardware", "lavapipe", "swiftshader"]) {
  const rig = await open(adapter);
  if (!rig) continue;
  describe(adapter, () => {
    afterAll(() => rig.device.destroy());
    for (const reference of references) describeOp(rig, adapter, reference);
  });
}

function describeOp(rig: Rig, adapter: string, reference: Reference<unknown>): void {
  const runs = variantRounds(reference.op, rig.caps).flatMap((variants) =>
    reference.cases.map((c) => {
      const names = Object.entries(variants).map(([pick, name]) => `${pick}=${name}`);
      const id = [reference.op.name, c.id, ...names].join(" ");
      return { id, record: () => new OpGraph(trial(reference, c), rig.caps, variants) };
    }),
  );
  describe(reference.op.name, () => {
    const recorded = new Map<string, OpGraph>();
    beforeAll(async () => {
      // Compiled together, on all cores; a failure shows again in the test that it belongs to.
      const compiling = runs.flatMap(({ id, record }) => {
        const made = record();
        recorded.set(id, made);
        return made.graph.dispatches.map((d) => rig.memory.pipelines.get(d.kernel, d.consts));
      });
      await rig.device.wait(Promise.allSettled(compiling));
    });
    for (const { id } of runs) {
      test(id, async () => {
        const graph = recorded.get(id)!;
        expectNone(faultsOf(graph, await graph.run(rig)), `${adapter} ${id}`);
      });
    }
  });
}
