/** The order of the work on a cohort, and what ends it. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CohortFolder } from "../src/cohort/folder";
import type { CohortPair } from "../src/cohort/pairs";
import { type PairWork, runCohort } from "../src/cohort/run_cohort";
import { CohortTable } from "../src/cohort/table";
import { UserError } from "../src/core/errors";
import { DeviceLost } from "../src/gpu/device";
import type { Result } from "../src/result/parts";
import type { ResultRecord } from "../src/result/record";

const root = mkdtempSync(join(tmpdir(), "voxgrad-run-cohort-"));
afterAll(() => rmSync(root, { recursive: true }));

const PAIRS: readonly CohortPair[] = ["a", "b", "c"].map((id) => ({ id, t1: "1", t2: "2" }));
const record = (patient: string): ResultRecord => ({
  ...{ format: 1, program: "voxgrad 0", created: "2026-01-01T00:00:00Z", patient, kind: "network" },
  ...{
    visits: [{ name: "1" }, { name: "2" }],
    weights: [],
    grid: "t1",
    newLesions: false,
    rule: "",
  },
  files: { mask: "mask.nii.gz", visit1: "visit1.nii.gz", visit2: "visit2.nii.gz" },
  ...{ lesions: [], quality: { fit: true, lines: [] } },
});

/** Runs the three pairs; each step takes a while, and tells when it begins and ends. */
async function runAll(
  name: string,
  broken: (step: string) => void = () => {},
  check?: PairWork<string>["check"],
) {
  const folder = new CohortFolder(join(root, name));
  folder.open({}, PAIRS);
  const paths = ["cohort.csv", "cohort.json"].map((file) => join(folder.path, file));
  const table = new CohortTable(folder, PAIRS, paths as [string, string]);
  const events: string[] = [];
  const step = async (what: string, { id }: CohortPair, milliseconds: number) => {
    events.push(`${what} ${id}`);
    await Bun.sleep(milliseconds);
    broken(`${what} ${id}`);
    events.push(`${what} ${id} ended`);
  };
  const empty = { size: [1, 1, 1], affine: [], data: new Float32Array(1) } as never;
  const work: PairWork<string> = {
    check,
    read: async (pair) => (await step("read", pair, 5)) ?? pair.id,
    async compute(pair, read) {
      expect(read).toBe(pair.id);
      await step("compute", pair, 30);
      return { record: record(pair.id), visit1: empty, visit2: empty, mask: empty } as Result;
    },
    async write(pair, result) {
      await step("write", pair, 15);
      const path = folder.recordOf(pair.id);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(result.record));
    },
  };
  const ended = await runCohort(PAIRS, folder, table, work, {}, new AbortController().signal).then(
    () => undefined,
    (error: unknown) => error,
  );
  const claims = PAIRS.filter(({ id }) => existsSync(join(folder.path, ".cohort", `${id}.claim`)));
  return { events, ended, claims, rows: table.rows() };
}

const failing = (at: string, error: unknown) => (step: string) => {
  if (step === at) throw error;
};

test("the next pair is read and the last one written while one is computed", async () => {
  const { events, ended, rows } = await runAll("order");
  expect(ended).toBeUndefined();
  expect(rows.map(({ status, newLesion }) => `${status} ${newLesion}`)).toEqual(
    Array(3).fill("done no"),
  );
  const at = (event: string) => events.indexOf(event);
  expect(at("read b ended")).toBeLessThan(at("compute a ended"));
  expect(at("compute b")).toBeLessThan(at("write a ended"));
  expect(at("write a ended")).toBeLessThan(at("compute b ended"));
});

test("a file that cannot be used and a defect of ours fail their pair alone", async () => {
  const bad = await runAll("bad", failing("read b", new UserError("b.nii: no image")));
  expect(bad.ended).toBeUndefined();
  expect(bad.rows.map(({ status }) => status)).toEqual(["done", "failed", "done"]);
  expect(bad.rows[1]!.problem).toBe("b.nii: no image");
  const defect = await runAll("defect", failing("compute a", new TypeError("x is undefined")));
  expect(defect.rows.map(({ status }) => status)).toEqual(["failed", "done", "done"]);
  expect(defect.rows[0]!.problem).toMatch(/a defect of voxgrad.*x is undefined/);
});

test("a result that has no place fails its pair alone, before any work", async () => {
  const taken = await runAll("taken", undefined, ({ id }) => {
    if (id === "b") throw new UserError("b: the table has this name");
  });
  expect(taken.ended).toBeUndefined();
  expect(taken.rows.map(({ status }) => status)).toEqual(["done", "failed", "done"]);
  expect(taken.events.filter((event) => event.includes(" b"))).toEqual([]);
});

test("a pair's name may be as long as the name of a folder", () => {
  const folder = new CohortFolder(join(root, "long"));
  const [one, two] = ["1", "2"].map((last) => "é".repeat(126) + last) as [string, string];
  folder.open({}, []);
  const release = folder.claim(one);
  expect(release).toBeDefined();
  expect(folder.claim(two)).toBeDefined();
  release?.();
  folder.fail(one, "why");
  expect(folder.stateOf(one)).toMatchObject({ status: "failed", problem: "why" });
  expect(folder.stateOf(two).status).toBe("open");
});

test("a full disk and a lost device end the work, with all claims given back", async () => {
  const full = new UserError("mask.nii.gz: cannot be written: the disk is full");
  const disk = await runAll("disk", failing("write a", full));
  expect(disk.ended).toBe(full);
  expect(disk.rows.map(({ status }) => status)).toContain("open");
  const gone = new DeviceLost("an adapter", "lost while predicting");
  const lost = await runAll("lost", failing("compute b", gone));
  expect(lost.ended).toBe(gone);
  expect(lost.rows.map(({ status }) => status)).toEqual(["done", "open", "open"]);
  expect([...disk.claims, ...lost.claims]).toEqual([]);
});

test("a folder keeps to its settings, and takes no results of others", async () => {
  const folder = new CohortFolder(join(root, "settings"));
  folder.open({ weights: ["x"], stride: undefined }, PAIRS);
  folder.open({ weights: ["x"] }, PAIRS);
  expect(() => folder.open({ weights: ["y"] }, PAIRS)).toThrow(/another weights/);
  const strange = new CohortFolder(join(root, "strange"));
  mkdirSync(join(strange.path, "b"), { recursive: true });
  writeFileSync(strange.recordOf("b"), JSON.stringify(record("b")));
  expect(() => strange.open({}, PAIRS)).toThrow(/a result that no cohort made/);
});
