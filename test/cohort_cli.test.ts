/** `predict --cohort`: shared by processes, killed, gone on with, in parts; one broken patient. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writePhantom } from "../src/data/phantom/cohort";
import { writeSafetensors } from "../src/data/safetensors_file";
import { isOfShard, readShard } from "../src/terminal/shard";
import { expectRefusal, runDocumented, start, succeed } from "./cli_rig";
import { once } from "./once";
import { weightsContents } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-cohort-"));
const [data, many, weights] = ["data", "many", "w.safetensors"].map((name) =>
  join(folder, name),
) as [string, string, string];
const HOW = ["--weights", weights, "--tune", "off"];
const VISITS = [
  "flair_time01_on_middle_space.nii.gz",
  "flair_time02_on_middle_space.nii.gz",
] as const;
const IDS = ["patient001", "patient002", "patient003"];

const cohort = (from: string, out: string, ...more: string[]) => [
  ...["--cohort", from, "--out", out, ...HOW, ...more],
];
const rowsOf = (out: string) =>
  JSON.parse(readFileSync(join(out, "cohort.json"), "utf8")).patients as {
    patient: string;
    status: string;
    problem?: string;
  }[];
const statuses = (out: string) => rowsOf(out).map(({ status }) => status);
const recordOf = (out: string, id: string) => join(out, id, "result.json");
const doneBy = (err: string) => [...err.matchAll(/^(\S+): any new lesion/gm)].map(([, id]) => id!);

beforeAll(async () => {
  mkdirSync(data);
  await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
  for (const id of IDS) rmSync(join(data, id, "ground_truth.nii.gz"));
  for (let i = 0; i < 8; i++) {
    cpSync(join(data, IDS[i % 3]!), join(many, `p${i}`), { recursive: true });
  }
  writeSafetensors({ path: weights, ...weightsContents() });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** One broken patient among three good ones. */
const withBroken = once(async () => {
  const [from, out] = [join(folder, "broken"), join(folder, "broken_out")];
  cpSync(data, from, { recursive: true });
  mkdirSync(join(from, "patient000"));
  for (const name of VISITS) writeFileSync(join(from, "patient000", name), "no image");
  mkdirSync(join(from, "patient004"));
  cpSync(join(data, IDS[0]!, VISITS[0]), join(from, "patient004", VISITS[0]));
  const left = await runDocumented("predict", ...cohort(from, out));
  return { from, out, left };
});

test("every pair, the same result as of predict --out-dir, and a table", async () => {
  const out = join(folder, "all");
  const { code, err, out: said } = await runDocumented("predict", ...cohort(data, out));
  expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
  expect(said).toMatch(/^3 of 3 pairs done, \d with new lesions/);
  expect(statuses(out)).toEqual(["done", "done", "done"]);
  const csv = readFileSync(join(out, "cohort.csv"), "utf8").trim().split("\r\n");
  expect(csv[0]).toStartWith("patient,status,kind,any_new_lesion,lesions,volume_mm3");
  expect(csv.slice(1).map((row) => row.split(",").slice(0, 3).join())).toEqual(
    IDS.map((id) => `${id},done,network`),
  );
  const [id, alone] = [IDS[1]!, join(folder, "alone", IDS[1]!)];
  const [t1, t2] = VISITS.map((name) => join(data, id, name));
  await succeed("predict", "-t1", t1!, "-t2", t2!, "--out-dir", alone, ...HOW);
  for (const name of readdirSync(alone).filter((file) => file.endsWith(".gz"))) {
    expect(readFileSync(join(out, id, name))).toEqual(readFileSync(join(alone, name)));
  }
  const { created: _, ...record } = JSON.parse(readFileSync(recordOf(out, id), "utf8"));
  const { created: __, ...other } = JSON.parse(readFileSync(join(alone, "result.json"), "utf8"));
  expect(record).toEqual(other);
});

test("a broken patient and one that lacks a visit are listed, the others done: exit code 4", async () => {
  const { out, left } = await withBroken();
  expect(left.code).toBe(4);
  expect(left.err).toMatch(/failed: patient000: .*patient000/);
  expect(left.err).toMatch(/failed: patient004: .*lacks flair_time02/);
  expect(left.err).not.toMatch(/^\s+at /m);
  expect(statuses(out)).toEqual(["failed", "done", "done", "done", "failed"]);
  expect(existsSync(join(out, "patient000"))).toBe(false);
});

test("the same command does what failed again, and nothing that is whole", async () => {
  const { from, out } = await withBroken();
  const before = statSync(recordOf(out, IDS[0]!)).mtimeMs;
  for (const name of VISITS) cpSync(join(data, IDS[0]!, name), join(from, "patient000", name));
  const { code, err } = await runDocumented("predict", ...cohort(from, out));
  expect(code).toBe(4);
  expect(err).toContain("5 of 5 pairs, 2 not done yet");
  expect(doneBy(err)).toEqual(["patient000"]);
  expect(statuses(out)).toEqual(["done", "done", "done", "done", "failed"]);
  expect(statSync(recordOf(out, IDS[0]!)).mtimeMs).toBe(before);
  rmSync(join(from, "patient004"), { recursive: true });
  const last = await succeed("predict", ...cohort(from, out));
  expect(last.err).toContain("4 of 4 pairs, 0 not done yet");
  await expectRefusal(/made with another stride/, "predict", ...cohort(from, out, "--stride", "4"));
});

test("two processes share a folder: each pair is done once", async () => {
  const out = join(folder, "shared");
  const both = await Promise.all([0, 1].map(() => succeed("predict", ...cohort(many, out))));
  expect(both.flatMap(({ err }) => doneBy(err)).sort()).toEqual(readdirSync(many).sort());
  expect(statuses(out)).toEqual(Array(8).fill("done"));
  expect(readdirSync(join(out, ".cohort"))).toEqual(["settings.json"]);
});

test("killed: nothing half is left, and the same command does the rest", async () => {
  const out = join(folder, "killed");
  const child = start("predict", cohort(many, out));
  while (!existsSync(recordOf(out, "p0")) && child.exitCode === null) await Bun.sleep(5);
  child.kill("SIGKILL");
  await child.exited;
  const done = readdirSync(many).filter((id) => existsSync(recordOf(out, id)));
  expect(done.length).toBeLessThan(8);
  const { err } = await succeed("predict", ...cohort(many, out));
  expect(doneBy(err)).toEqual(
    readdirSync(many)
      .filter((id) => !done.includes(id))
      .sort(),
  );
  expect(statuses(out)).toEqual(Array(8).fill("done"));
});

test("Ctrl-C: what is done stays, no claim is left, and the exit code says so", async () => {
  const out = join(folder, "interrupted");
  const child = start("predict", cohort(many, out));
  while (!existsSync(recordOf(out, "p0")) && child.exitCode === null) await Bun.sleep(5);
  child.kill("SIGINT");
  const said = await new Response(child.stdout).text();
  expect(await child.exited).toBe(130);
  expect(said).toMatch(/^\d of 8 pairs done, .*\d left\n/);
  expect(readdirSync(join(out, ".cohort"))).toEqual(["settings.json"]);
  const done = rowsOf(out).filter(({ status }) => status === "done");
  expect(done.length).toBe(readdirSync(many).filter((id) => existsSync(recordOf(out, id))).length);
});

test("a pair that another machine works on is left to it, until its claim has aged", async () => {
  const out = join(folder, "elsewhere");
  const claim = join(out, ".cohort", `${IDS[1]}.claim`);
  const part = await succeed("predict", ...cohort(data, out, "--shard", shardWithout(IDS[1]!)));
  expect(part.err).toMatch(/\d of 3 pairs in part \d of 3/);
  const owner = { pid: 1, host: "elsewhere", since: "2026-01-01", touches: 30 };
  writeFileSync(claim, JSON.stringify(owner));
  const first = await succeed("predict", ...cohort(data, out));
  expect(first.out).toMatch(/^2 of 3 pairs done, .*1 in work elsewhere/);
  expect(statuses(out)).toEqual(["done", "open", "done"]);
  const tenMinutesAgo = Date.now() / 1000 - 600;
  utimesSync(claim, tenMinutesAgo, tenMinutesAgo);
  expect(doneBy((await succeed("predict", ...cohort(data, out))).err)).toEqual([IDS[1]!]);
});

const shardWithout = (id: string) =>
  [1, 2, 3].map((i) => `${i}/3`).find((shard) => !isOfShard(id, readShard(shard)))!;

test("shards are disjoint and whole, do not depend on the cohort, and are of like size", () => {
  const ids = Array.from({ length: 1000 }, (_, i) => `sub-${String(i).padStart(4, "0")}`);
  for (const of of [1, 2, 3, 7, 16]) {
    const parts = Array.from({ length: of }, (_, i) =>
      ids.filter((id) => isOfShard(id, { index: i + 1, of })),
    );
    expect(parts.flat().sort()).toEqual(ids);
    for (const { length } of parts) {
      expect(Math.abs(length - 1000 / of)).toBeLessThan(4 * Math.sqrt(1000 / of));
    }
  }
  // The hash is a contract: processes of other versions split alike.
  expect(
    ids.slice(0, 12).map((id) => [1, 2, 3].find((index) => isOfShard(id, { index, of: 3 }))),
  ).toEqual([2, 3, 3, 1, 3, 3, 1, 3, 2, 1, 3, 3]);
  expect(isOfShard("Jose\u0301", { index: 1, of: 2 })).toBe(isOfShard("José", { index: 1, of: 2 }));
});

test("what does not fit is refused in one line", async () => {
  const out = join(folder, "refused");
  await expectRefusal(
    /--shard.*from 1\/n to n\/n/,
    "predict",
    ...cohort(data, out, "--shard", "0/3"),
  );
  await expectRefusal(/-o is of one pair/, "predict", ...cohort(data, out, "-o", "m.nii.gz"));
  await expectRefusal(/name the folder.*--out/, "predict", "--cohort", data, ...HOW);
  await expectRefusal(/no pair of visits found/, "predict", ...cohort(join(data, IDS[0]!), out));
  await expectRefusal(/no such folder/, "predict", ...cohort(join(folder, "nowhere"), out));
  const inside = join(data, IDS[0]!, "out");
  await expectRefusal(/lies in the folder that --cohort reads/, "predict", ...cohort(data, inside));
  await expectRefusal(/--cohort: an empty path/, "predict", ...cohort("", out));
  await expectRefusal(/--out is of --cohort/, "predict", "-t1", "a", "-t2", "b", "--out", out);
  expect(existsSync(out)).toBe(false);
});
