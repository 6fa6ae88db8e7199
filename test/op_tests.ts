/**
 * Every op against its float64 reference: values, gradients, guard words, repeatability; every case,
 * every variant, on every adapter that can be had, and on software adapters once more as a GPU would
 * split the work. Names of tests are `adapter op case variants`.
 *
 * Software adapters take seconds to compile a kernel. The variants that they would not choose by
 * themselves are the part of test/long/ops.test.ts there; all else, and everything on a GPU, is that of
 * test/ops.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { UserError } from "../src/core/errors";
import type { Capabilities } from "../src/core/kernel";
import { openDevice } from "../src/hosts/bun";
import { faultsOf, gradientFaultsOfReference } from "../src/portability/op_checks";
import { OpGraph, Rig, type Trial, trialOf, variantRounds } from "../src/portability/op_run";
import { outlineOf } from "../src/portability/outline";
import { references } from "../src/reference/index";
import type { Case, Reference } from "../src/reference/reference";
import { FOR_GPUS } from "./adapters";

/**
 * On software adapters, cases take turns with the variants that are made for GPUs: each variant gets every
 * third case, and each case every third variant. All of them together would compile for half an hour. The
 * whole form of `bun run portability`, and these tests on a GPU, have every case in every variant.
 */
const TURNS = 3;

/** Words of a test's name. */
const AS_ON_GPU = "as on a GPU";

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

/** The files that share the tests. */
export type Part = "quick" | "long";

/** Tests the references themselves. */
export function describeReferences(): void {
  describe("references by finite differences", () => {
    for (const reference of references) {
      if (!reference.backward) continue;
      for (const c of reference.cases.filter((c) => c.smooth !== false)) {
        const id = `${reference.op.name} ${c.id}`;
        test(id, () => expectNone(gradientFaultsOfReference(trial(reference, c)), id));
      }
    }
  });
}

/** Tests every op on every adapter. */
export async function describeOps(part: Part): Promise<void> {
  for (const adapter of ["hardware", "lavapipe", "swiftshader"]) {
    const rigs = await open(adapter);
    if (rigs.length === 0) continue;
    describe(adapter, () => {
      afterAll(() => {
        for (const { device } of rigs) device.destroy();
      });
      const runs = references.map((r) => [r, runsOf(r, rigs[0]!.caps, part)] as const);
      for (const [reference, own] of runs) describeOp(rigs, adapter, reference, own);
      if (part === "long" || adapter === "hardware") return;
      const split = runs.flatMap(([, own]) => own.filter(({ how }) => how.includes(AS_ON_GPU)));
      test(`${split.length} cases ${AS_ON_GPU} are other work`, () => {
        expect(split.length).toBeGreaterThan(0);
      });
    });
  }
}

/** A case as it is recorded for an adapter, or for a GPU in its place. */
interface Run {
  readonly c: Case<unknown>;
  /** Activations are stored as f16. */
  readonly half: boolean;
  readonly caps: Capabilities;
  readonly variants: Readonly<Record<string, string>>;
  /** Words of the test's name, after the case's id. */
  readonly how: readonly string[];
  /** Whether this case has the turn with the variants, which matters where they are made for GPUs. */
  readonly isItsTurn?: boolean;
  /** The op or its reference could not even be recorded: the test fails with it. */
  readonly fault?: Error;
}

/** The error of a case that cannot be recorded, with the op, the case and the likely remedy. */
function recordingFault(op: string, { c, half }: Pick<Run, "c" | "half">, cause: unknown): Error {
  const { message } = cause as Error;
  const remedy =
    half && "out" in ((c.attrs ?? {}) as object)
      ? "; with an `out`, its reference must say f16: { inputs: […], attrs: halfOut } (src/reference/reference.ts)"
      : "";
  return new Error(`${op} ${c.id}${half ? " in f16" : ""}: ${message}${remedy}`, { cause });
}

function recorded(reference: Reference<unknown>, run: Omit<Run, "how">) {
  const { c, half, caps, variants } = run;
  try {
    return new OpGraph(outlineOf(reference, c, half), caps, variants).graph;
  } catch (error) {
    throw recordingFault(reference.op.name, run, error);
  }
}

/** The launches, with everything but tensors, and the variants that were picked. */
function outlined(reference: Reference<unknown>, { c, half, caps, variants }: Omit<Run, "how">) {
  const graph = recorded(reference, { c, half, caps, variants });
  const launches = graph.dispatches.map(({ kernel, sizes }) => {
    return [kernel.name, Bun.hash(kernel.source).toString(36), sizes];
  });
  const picked = Object.fromEntries(graph.picks.map(({ op, chosen }) => [op, chosen]));
  return { picked, launches: JSON.stringify(launches) };
}

/**
 * Every case in the adapter's own choice of variants and in every other one, in f32 and f16, and on a
 * software adapter once more with the sizes that a GPU is given: each distinct work once. A variant that
 * cannot do a case leaves it to another one, and many ops split their work alike everywhere: that has
 * run already.
 */
export function runsOf(reference: Reference<unknown>, caps: Capabilities, part: Part): Run[] {
  return reference.cases.flatMap((c, turn) => {
    try {
      return runsOfCase(reference, c, turn, caps, part);
    } catch (error) {
      // The other cases and ops are tested all the same.
      return [{ c, half: false, caps, variants: {}, how: [], fault: error as Error }];
    }
  });
}

function runsOfCase(
  reference: Reference<unknown>,
  c: Case<unknown>,
  turn: number,
  caps: Capabilities,
  part: Part,
): Run[] {
  const own: Run = { c, half: false, caps, variants: {}, how: [] };
  const gpu = { ...caps, kind: "hardware" } as const;
  const { picked } = outlined(reference, own);
  const split: Run = { ...own, caps: gpu, variants: picked, how: [AS_ON_GPU] };
  const rounds = (half: boolean) =>
    variantRounds(reference.op, caps, half).map((variants, i): Run => {
      const names = Object.entries(variants).map(([pick, name]) => `${pick}=${name}`);
      const how = half ? ["in f16", ...names] : names;
      return { ...own, half, variants, how, isItsTurn: (turn + i) % TURNS === 0 };
    });
  const isGpu = caps.kind === "hardware";
  const quick = isGpu ? [own] : [own, split];
  const known = new Set<string>();
  return [...quick, ...rounds(false), ...(reference.f16 && caps.shaderF16 ? rounds(true) : [])]
    .map((run) => ({ run, ...outlined(reference, run) }))
    .filter(({ run: { isItsTurn = true }, picked }) => isItsTurn || isGpu || !isForGpus(picked))
    .filter(({ launches }) => !known.has(launches) && known.add(launches))
    .filter(({ run, picked }) => part === (isQuick(run, picked, quick) ? "quick" : "long"))
    .map(({ run }) => run);
}

const isForGpus = (picked: Readonly<Record<string, string>>) =>
  Object.values(picked).some((name) => FOR_GPUS.test(name));

/**
 * On a GPU everything is quick. Software adapters compile slowly: there it is what they run by
 * themselves, and in f16 what is not made for GPUs.
 */
function isQuick(run: Run, picked: Readonly<Record<string, string>>, quick: readonly Run[]) {
  if (run.caps.kind === "hardware") return true;
  return quick.includes(run) || (run.half && !isForGpus(picked));
}

async function faultsOfRun(reference: Reference<unknown>, run: Run, rig: Rig) {
  const { c, half, caps, variants } = run;
  const graph = new OpGraph(trial(reference, c, half), caps, variants);
  return faultsOf(graph, await graph.run(rig));
}

function describeOp(
  rigs: readonly Rig[],
  adapter: string,
  reference: Reference<unknown>,
  runs: readonly Run[],
): void {
  const { op } = reference;
  if (runs.length === 0) return;
  describe(op.name, () => {
    // Every test waits for its own run, so that each has the time limit for itself.
    const found = new Map(
      runs.map((run) => [run, Promise.withResolvers<readonly string[] | Error>()]),
    );
    let all: Promise<unknown>;
    beforeAll(() => {
      const queue = [...runs];
      const work = async (rig: Rig) => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const faults =
            next.fault ?? (await faultsOfRun(reference, next, rig).catch((error: Error) => error));
          found.get(next)!.resolve(faults);
        }
      };
      all = Promise.all(rigs.map(work));
    });
    afterAll(() => all);
    for (const run of runs) {
      const id = [adapter, op.name, run.c.id, ...run.how].join(" ");
      test(id, async () => {
        const faults = await found.get(run)!.promise;
        if (faults instanceof Error) throw faults;
        expectNone(faults, id);
      });
    }
  });
}
