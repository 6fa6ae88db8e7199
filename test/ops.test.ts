/**
 * Every op against its float64 reference: values, gradients, guard words, repeatability; every case,
 * every variant, on every adapter that can be had, and on software adapters once more as a GPU would
 * split the work. Names of tests are `adapter op case variants`.
 */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { UserError } from "../src/core/errors";
import { openDevice } from "../src/hosts/bun";
import { faultsOf, gradientFaultsOfReference } from "../src/portability/op_checks";
import { OpGraph, Rig, type Trial, trialOf, variantRounds } from "../src/portability/op_run";
import { references } from "../src/reference/index";
import type { Case, Reference } from "../src/reference/reference";

const trials = new Map<string, Trial>();

/**
 * The same inputs and expectations for every variant and adapter; what some variant rounds to f16 is
 * rounded for all.
 */
function trial(reference: Reference<unknown>, c: Case<unknown>, half = false): Trial {
  const key = `${reference.op.name} ${c.id} ${half}`;
  const variants = half ? Object.values(reference.op.variants ?? {}).flat() : [];
  const rounded = variants.flatMap(({ rounds = [] }) => rounds);
  const made = trials.get(key) ?? trialOf(reference, c, { half, rounded });
  trials.set(key, made);
  return made;
}

/**
 * Two devices where the adapter can be had: lavapipe compiles a kernel when it first runs, on one
 * thread per device.
 */
async function open(adapter: string): Promise<Rig[]> {
  try {
    const opened = [await openDevice({ adapter, quiet: true })];
    opened.push(await openDevice({ adapter, quiet: true }));
    return opened.map((device) => new Rig(device));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    if (adapter !== "hardware") console.warn(`ops are not tested on ${adapter}: ${error.message}`);
    return [];
  }
}

/** Failures read best as a list of lines. */
function expectNone(faults: readonly string[], id: string): void {
  if (faults.length > 0) throw new Error(`${id}:\n  ${faults.join("\n  ")}`);
}

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
  const rigs = await open(adapter);
  if (rigs.length === 0) continue;
  describe(adapter, () => {
    afterAll(() => {
      for (const { device } of rigs) device.destroy();
    });
    for (const reference of references) describeOp(rigs, adapter, reference);
  });
}

/** The launches of a graph, with everything but tensors. */
function launches({ graph }: OpGraph): string {
  return JSON.stringify(graph.dispatches.map(({ kernel, sizes }) => [kernel.name, sizes]));
}

/** Runs the adapter's own choice of variants with the sizes that a GPU is given, where they differ. */
async function faultsAsOnGpu(trial: Trial, rig: Rig): Promise<readonly string[]> {
  const own = new OpGraph(trial, rig.caps, {});
  const variants = Object.fromEntries(own.graph.picks.map(({ op, chosen }) => [op, chosen]));
  const graph = new OpGraph(trial, { ...rig.caps, kind: "hardware" }, variants);
  if (launches(graph) === launches(own)) return [];
  return faultsOf(graph, await graph.run(rig));
}

function describeOp(rigs: readonly Rig[], adapter: string, reference: Reference<unknown>): void {
  const { caps } = rigs[0]!;
  const runsOf = (half: boolean) =>
    variantRounds(reference.op, caps, half).flatMap((variants) =>
      reference.cases.map((c) => {
        const names = Object.entries(variants).map(([pick, name]) => `${pick}=${name}`);
        const how = half ? ["in f16", ...names] : names;
        const id = [adapter, reference.op.name, c.id, ...how].join(" ");
        const run = async (rig: Rig) => {
          const graph = new OpGraph(trial(reference, c, half), rig.caps, variants);
          return faultsOf(graph, await graph.run(rig));
        };
        return { id, run };
      }),
    );
  const asOnGpu = reference.cases.map((c) => {
    const id = [adapter, reference.op.name, c.id, "as on a GPU"].join(" ");
    return { id, run: (rig: Rig) => faultsAsOnGpu(trial(reference, c), rig) };
  });
  const runs = [
    ...runsOf(false),
    ...(reference.f16 && caps.shaderF16 ? runsOf(true) : []),
    ...(caps.kind === "hardware" ? [] : asOnGpu),
  ];
  describe(reference.op.name, () => {
    const found = new Map<string, readonly string[] | Error>();
    beforeAll(async () => {
      const queue = [...runs];
      const work = async (rig: Rig) => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          found.set(next.id, await next.run(rig).catch((error: Error) => error));
        }
      };
      await Promise.all(rigs.map(work));
    });
    for (const { id } of runs) {
      test(id, () => {
        const faults = found.get(id)!;
        if (faults instanceof Error) throw faults;
        expectNone(faults, id);
      });
    }
  });
}
