/** Names of patients, files and lists, however they are stored or typed. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCohort, splitCohort } from "../src/data/cohort";
import { idsNamed, imagesOf, niftiStem } from "../src/data/file_names";
import { writePhantom } from "../src/data/phantom/cohort";
import { findSources } from "../src/synthesis/sources";
import { idsOption, listOption, pathsOption } from "../src/terminal/options";
import { readPaths } from "../src/terminal/paths";
import { runDocumented } from "./cli_rig";
import { expectUserError } from "./nifti_fixture";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-names-"));
const data = join(folder, "data");
/** As macOS stores it, and as a keyboard types it. */
const [stored, typed] = ["Renée".normalize("NFD"), "Renée".normalize("NFC")];
const doe = "Doe, John";

beforeAll(async () => {
  mkdirSync(data);
  await writePhantom(data, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 2 });
  renameSync(join(data, "patient001"), join(data, stored));
  renameSync(join(data, "patient002"), join(data, doe));
  for (const name of ["flair_time01_on_middle_space", "ground_truth"]) {
    const path = join(data, "patient003", name);
    renameSync(`${path}.nii.gz`, `${path}.NII.GZ`);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the extension of an image is .nii or .nii.gz in any case", () => {
  expect(["a.nii", "a.b.nii.gz", "a.NII.GZ", "a.Nii", `${stored}.nii`].map(niftiStem)).toEqual([
    ...["a", "a.b", "a", "a"],
    typed,
  ]);
  expect([".nii", "a.gz", "a.nii.bz2", "anii", "a.nii.gz.tmp"].map(niftiStem)).toEqual(
    Array(5).fill(undefined),
  );
  expect(imagesOf(["a.nii", "A.nii", "a.NII.GZ", "ab.nii"], "a")).toEqual(["a.NII.GZ", "a.nii"]);
});

test("a list may name ids that hold commas; spaces around commas do not count", () => {
  const ids = ["p01", "p02", doe, "a,b", "a", typed];
  const named = (text: string) => idsNamed(listOption(text), ids);
  expect(named("p01, p02")).toEqual({ found: ["p01", "p02"], unknown: [] });
  expect(named(`${doe},p02`)).toEqual({ found: [doe, "p02"], unknown: [] });
  expect(named("Doe,John , a,b ,a")).toEqual({ found: [doe, "a,b", "a"], unknown: [] });
  expect(named(stored)).toEqual({ found: [typed], unknown: [] });
  expect(named("p01,Doe,b")).toEqual({ found: ["p01"], unknown: ["Doe", "b"] });
  expect(idsOption("p02", idsOption("p01, a"))).toEqual(["p01", "a", "p02"]);
});

test("a list of paths may name files that are there and hold commas or spaces", () => {
  const [comma, space] = [join(folder, "run a, b"), join(folder, " c ")];
  for (const path of [comma, space]) mkdirSync(path);
  expect(readPaths(`${comma},x/y , ${comma}`)).toEqual([comma, "x/y", comma]);
  expect(readPaths(`${space},  ${comma}`)).toEqual([space, comma]);
  expect(readPaths(`${comma}c,d`)).toEqual([join(folder, "run a"), "bc", "d"]);
  expect(pathsOption("x", pathsOption("y,z"))).toEqual(["y", "z", "x"]);
});

test("a cohort: composed ids, extensions in any case, and all of it splits by what is typed", async () => {
  const { patients, notes } = await openCohort(data);
  expect(notes).toEqual([`${data}: ignored phantom.json (a file)`]);
  expect(patients.map(({ id }) => id)).toEqual([doe, typed, "patient003"]);
  for (const { time1, truth } of patients) expect([time1, truth].every(existsSync)).toBe(true);
  const split = splitCohort(patients, { val: ["Doe", "John", stored], seed: 0 });
  expect(split.val.map(({ id }) => id)).toEqual([doe, typed]);
  expect(findSources([data], ["patient003", typed]).map(({ name }) => name)).toEqual([
    `${typed}/1`,
    `${typed}/2`,
    "patient003/1",
    "patient003/2",
  ]);
});

test("two folders of one name in two forms of Unicode are told apart by nobody: refused", async () => {
  const twins = join(folder, "twins");
  for (const id of [stored, typed])
    cpSync(join(data, stored), join(twins, id), { recursive: true });
  // A file system that composes names itself cannot hold both.
  if ((await Array.fromAsync(new Bun.Glob("*").scan({ cwd: twins, onlyFiles: false }))).length < 2)
    return;
  const parts = [twins, `two folders are called ${typed}`, "rename one"];
  await expectUserError("twins", () => openCohort(twins), ...parts);
});

test("bun run train --val takes what is typed, and says which part it does not know", async () => {
  const train = (...val: string[]) =>
    runDocumented("train", "--data", data, ...val.flatMap((v) => ["--val", v]));
  for (const [val, unknown] of [
    [["nobody, patient003"], "nobody"],
    [[`${doe}, nobody`], "nobody"],
    [[stored, "Doe, Jane"], "Doe, Jane"],
  ] as const) {
    const { err, code } = await train(...val);
    expect(code).toBe(2);
    expect(err).toContain(`--val: no patient ${unknown}; there are ${doe}, ${typed}, patient003`);
  }
});

test("bun run evaluate pairs folders whose names are stored in two forms", async () => {
  const predictions = join(folder, "predictions");
  mkdirSync(predictions);
  const truth = (id: string) => join(data, id, "ground_truth.nii.gz");
  cpSync(truth(stored), join(predictions, `${typed}.NII.GZ`));
  cpSync(truth(doe), join(predictions, `${doe}.nii.gz`));
  const folders = ["--references", data, "--predictions", predictions];
  const { out, err, code } = await runDocumented("evaluate", ...folders, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(out).patients.map(({ patient }: { patient: string }) => patient)).toEqual([
    doe,
    typed,
  ]);
  expect(err).toContain(`only in ${data}, not scored: patient003`);
});
