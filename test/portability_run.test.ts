/** The suite at work in a process of its own: a case, a planted defect, and a folder that shows it. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { driverSources } from "../src/platform/vulkan";
import { bun } from "../src/portability/hosts/bun";
import type { Mutant } from "../src/portability/mutants/defect";
import { DEFECTS } from "../src/portability/mutants/index";
import { chain, faultOn, mutated, single } from "../src/portability/reduce";
import type { Report } from "../src/portability/report/schema";
import { Column } from "../src/portability/runner";
import { writeFolder } from "../src/portability/standalone";
import { Suite } from "../src/portability/suite";

const WORKER = join(import.meta.dir, "..", "src", "portability", "worker.ts");
const ID = "groupNorm.backward/c4g2_odd@20";
const DEFECT = DEFECTS.find(({ kernel }) => kernel === "group_norm_dx")!;

const { adapters } = await bun.adapters();
const adapter = adapters.find(({ kind }) => kind === "lavapipe") ?? adapters[0]!;

describe(`bun × ${adapter.name}`, () => {
  const column = new Column(bun, adapter, { worker: WORKER, timeout: 120 });
  afterAll(() => column.stop());

  const outcome = async (id: string, mutant?: Mutant) => {
    const reply = await column.ask({ do: "run", id, mutant });
    if (!("outcome" in reply)) throw new Error(JSON.stringify(reply));
    return reply.outcome;
  };

  test("cases are listed by pattern and by kernel, and run", async () => {
    const request = { do: "list", seed: 7, short: false } as const;
    const adds = await column.ask({ ...request, patterns: ["add"] });
    const ids = "listed" in adds ? adds.listed.map(({ id }) => id) : [];
    expect(ids).toContain("add/odd@7");
    expect(ids.every((id) => id.startsWith("add/"))).toBe(true);
    const kernels = await column.ask({ ...request, patterns: [], kernel: "group_norm_merge" });
    const rows = "listed" in kernels ? kernels.listed.map(({ row }) => row) : [];
    expect(rows.some((row) => row.startsWith("conv3d.fused/"))).toBe(true);
    const { worst, faults } = await outcome("add/odd@7");
    expect(faults).toEqual([]);
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThanOrEqual(1);
    await expect(outcome("add/none@7")).rejects.toThrow("there is no case add/none@7");
  });

  test("a planted defect is noticed; a stale one is an error", async () => {
    expect((await outcome(ID)).faults).toEqual([]);
    expect((await outcome(ID, DEFECT)).faults.join()).toMatch(/dx .*elements are off/);
    const stale = { ...DEFECT, from: "no such line" };
    await expect(outcome(ID, stale)).rejects.toThrow("stale mutant: group_norm_dx.wgsl has 0");
  });

  test("it is narrowed down to one dispatch, and shown by a folder without voxgrad", async () => {
    const reply = await column.ask({ do: "dissect", id: ID });
    if (!("dissection" in reply)) throw new Error("no dissection");
    const right = reply.dissection;
    expect(right.faults).toEqual([]);
    expect(await faultOn(column, chain(right))).toBeUndefined();
    const wrong = mutated(right, DEFECT);
    const found: string[] = [];
    for (const [i, { kernel }] of wrong.packed.dispatches.entries()) {
      if (await faultOn(column, single(wrong, i, "the same"))) found.push(kernel);
    }
    expect(new Set(found)).toEqual(new Set(["group_norm_dx"]));
    const at = wrong.packed.dispatches.findIndex(({ kernel }) => kernel === "group_norm_dx");
    const folder = mkdtempSync(join(tmpdir(), "voxgrad-reproduction-"));
    writeFolder(folder, ID, column, { ...single(wrong, at, "the same"), summary: "test" });
    const failing = await runFolder(folder);
    expect(failing.text).toContain("FAILED: the results are wrong");
    expect(failing.code).toBe(1);
    const shader = join(folder, "group_norm_dx.wgsl");
    writeFileSync(shader, readFileSync(shader, "utf8").replace(DEFECT.to, DEFECT.from));
    const passing = await runFolder(folder);
    expect(passing.text).toContain("PASSED: the results are right");
    expect(passing.code).toBe(0);
    rmSync(folder, { recursive: true });
  });

  test("it is taken apart with the sizes of another kind of adapter", async () => {
    const workOf = async (id: string, kind?: "hardware") => {
      const reply = await column.ask({ do: "dissect", id, kind });
      if (!("dissection" in reply)) throw new Error("no dissection");
      expect(reply.dissection.faults).toEqual([]);
      return reply.dissection.packed.dispatches.map(({ wgsl, workgroups, args }) => ({
        wgsl,
        workgroups,
        args,
      }));
    };
    const ids = ["groupNorm.backward/c4g2_odd", "groupNorm.backward/c4g2_odd_as_on_gpu"];
    const [own, asOnGpu] = [await workOf(`${ids[0]}@20`), await workOf(`${ids[1]}@20`)];
    expect(own).not.toEqual(asOnGpu);
    expect(await workOf(`${ids[0]}@20`, "hardware")).toEqual(asOnGpu);
  });

  test("kernels as a network runs them, and functions, are taken apart too; a whole network is not", async () => {
    const request = { do: "list", seed: 20, short: true } as const;
    const list = await column.ask({ ...request, patterns: ["conv3d.fused/*", "facts.functions"] });
    const ids = "listed" in list ? list.listed.map(({ id }) => id) : [];
    expect(ids.length).toBeGreaterThan(2);
    for (const id of [ids.find((id) => id.startsWith("conv3d"))!, ids.at(-1)!]) {
      const reply = await column.ask({ do: "dissect", id });
      if (!("dissection" in reply)) throw new Error("no dissection");
      const { dissection } = reply;
      const whole = chain(dissection);
      // What float64 was not asked for is held against the run's own words, so that nothing is forgotten.
      const partial = dissection.expected.filter((e) => e.partial).length;
      expect(whole.expected.length).toBe(dissection.expected.length + partial);
      expect(partial > 0).toBe(id.startsWith("conv3d"));
      const told = await faultOn(column, whole);
      expect(Boolean(told), id).toBe(dissection.faults.length > 0);
      const tight = dissection.expected.map((e) => ({ ...e, values: e.bounds }));
      const wrong = await faultOn(column, chain({ ...dissection, expected: tight }));
      expect(wrong?.text, id).toMatch(/wrong/);
    }
    const network = column.ask({ do: "dissect", id: "network.training/20_steps@20" });
    await expect(network).rejects.toThrow("is not made of dispatches");
  });
});

test("several workers give the results of one, in its order", async () => {
  const resultsOf = async (workers: number) => {
    const chosen = { columns: [{ host: bun, adapter }], missing: [] };
    const cases = ["add*", "limits.invocations"];
    const options = { short: true, seed: 7, cases, timeout: 120, jobs: 1, workers, worker: WORKER };
    const suite = new Suite(chosen, options, new AbortController().signal, () => {});
    await suite.run();
    const [column] = suite.report.columns;
    expect(column!.complete).toBe(true);
    return column!.results.map(({ id, status, worst }) => ({ id, status, worst }));
  };
  const [one, three] = [await resultsOf(1), await resultsOf(3)];
  expect(one.length).toBeGreaterThan(4);
  expect(one.every(({ status }) => status === "passed")).toBe(true);
  expect(three).toEqual(one);
});

test("a report of an older suite is gone on with: without the cases that are no more, with those that are new", async () => {
  const chosen = { columns: [{ host: bun, adapter }], missing: [] };
  const how = { short: true, seed: 7, cases: ["add"], timeout: 120, jobs: 1, worker: WORKER };
  const runOn = async (earlier?: Report) => {
    const suite = new Suite(chosen, how, new AbortController().signal, () => {}, earlier);
    await suite.run();
    return suite.report;
  };
  const first = await runOn();
  const ids = (report: Report) => report.columns[0]!.results.map(({ id }) => id);
  const [column] = structuredClone(first).columns;
  const [one, ...others] = column!.results;
  const gone = { ...one!, id: "add/odd_50_times@7", status: "failed" as const };
  for (const complete of [false, true]) {
    const columns = [{ ...column!, complete, results: [gone, ...others] }];
    const again = await runOn({ ...structuredClone(first), columns });
    expect(ids(again)).toEqual(ids(first));
    expect(again.columns[0]!.complete).toBe(true);
  }
});

describe("portability mutate", () => {
  const mutate = async (...args: string[]) => {
    const main = join(import.meta.dir, "..", "src", "portability", "main.ts");
    const command = [process.execPath, main, "mutate", "--adapter", adapter.kind, ...args];
    const run = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
    return { text: await new Response(run.stdout).text(), code: await run.exited };
  };

  test("tells which case notices a defect", async () => {
    const { text, code } = await mutate("--kernel", "fill");
    expect(text).toMatch(
      /\| comparison \| `fill` \| one vector more \| `fill\/\w+@20` \| stray write \|/,
    );
    expect(text).toContain("1 of 1 defects noticed on");
    expect(code).toBe(0);
  });

  test("fails where no case plants a defect", async () => {
    const { text, code } = await mutate("--kernel", "fill", "--case", "add");
    expect(text).toContain("1 not planted, for no case here launches fill");
    expect(code).toBe(1);
  });
});

async function runFolder(folder: string) {
  const modules = join(folder, "node_modules");
  mkdirSync(modules, { recursive: true });
  try {
    symlinkSync(
      join(import.meta.dir, "..", "node_modules", "webgpu"),
      join(modules, "webgpu"),
      "dir",
    );
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
  const name =
    adapter.kind === "lavapipe" || adapter.kind === "swiftshader" ? adapter.kind : "system";
  const source = driverSources().find((s) => s.name === name);
  const env = (await source?.environment({ mayDownload: false, quiet: true })) ?? {};
  const run = Bun.spawn([process.execPath, "reproduce.mjs"], {
    ...{ cwd: folder, env: { ...process.env, ...env }, stdout: "pipe", stderr: "ignore" },
  });
  const text = await new Response(run.stdout).text();
  return { text, code: await run.exited };
}
