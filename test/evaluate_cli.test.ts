import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMask } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import type { Affine, Mask } from "../src/data/volume";
import { inOrder, orderTo } from "../src/data/voxel_order";
import { METRICS } from "../src/eval/scores";
import { runDocumented } from "./cli_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-evaluate-"));
// Voxels of 2×2×3 mm.
const affine: Affine = [-2, 0, 0, 10, 0, -2, 0, 20, 0, 0, 3, -30, 0, 0, 0, 1];

/** Writes a mask of 8×4×3 voxels with these voxel indices set. */
async function write(name: string, voxels: number[], moved = 0): Promise<string> {
  const data = new Uint8Array(96);
  for (const voxel of voxels) data[voxel] = 1;
  const placed = affine.map((value, i) => (i === 3 ? value + moved : value));
  const mask: Mask = { size: [8, 4, 3], affine: placed, data };
  const path = join(folder, name);
  await writeMask(path, mask);
  return path;
}

async function evaluate(...args: string[]) {
  const script = join(import.meta.dir, "..", "src", "cli", "evaluate.ts");
  const child = Bun.spawn([process.execPath, script, ...args], { stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, code };
}

// A lesion of 4 voxels, three of them predicted; one of 1 voxel missed; a false one of 2 voxels.
const reference = await write("reference.nii.gz", [0, 1, 2, 3, 64]);
const prediction = await write("prediction.nii.gz", [1, 2, 3, 30, 31]);
const files = ["--reference", reference, "--prediction", prediction];

// Nearest voxels, 2×2×3 mm: √40 mm from the missed one, √72 and 10 mm from the false one.
test("tables: metrics in report order, found and missed, volumes and places in mm", async () => {
  const { out, err, code } = await evaluate(...files);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out.split("\n").slice(0, 26)).toEqual([
    "Jaccard              0.4286",
    "Dice                 0.6000",
    "Sensitivity          0.6000",
    "Specificity          0.9780",
    "PPV                  0.6000",
    "NPV                  0.9780",
    "RelativeVolumeError  0.00 %",
    "HausdorffDistance    10.00 mm",
    "ContourMeanDistance  3.70 mm",
    "SurfaceDistance      2.68 mm",
    "PPVL                 0.5000",
    "SensL                0.5000",
    "F1_score             0.5000",
    "",
    "volume: reference 0.060 ml, predicted 0.060 ml, both 0.036 ml",
    "",
    "Reference lesions",
    "no.          volume/mm³  overlap  right/mm  anterior/mm  superior/mm",
    "  1  found         48.0   75.0 %       7.0         20.0        -30.0",
    "  2  missed        12.0    0.0 %      10.0         20.0        -24.0",
    "",
    "Predicted lesions",
    "no.         volume/mm³  overlap  right/mm  anterior/mm  superior/mm",
    "  1  true         36.0  100.0 %       6.0         20.0        -30.0",
    "  2  false        24.0    0.0 %      -3.0         14.0        -30.0",
    "",
  ]);
  expect(out).toContain("A lesion is larger than 3 mm³, its voxels connected by faces.\n");
});

test("--json: the same for programs, nothing else on standard output", async () => {
  const { out, code } = await evaluate(...files, "--json", "--connectivity", "26");
  expect(code).toBe(0);
  const { scores, ...others } = JSON.parse(out);
  expect(Object.keys(scores)).toEqual([...METRICS]);
  expect([scores.Dice, scores.SensL, scores.NbTestedLesions]).toEqual([0.6, 0.5, null]);
  const [detected, overlap] = [{ verdict: "detected" }, { verdict: "overlap" }];
  expect(others).toEqual({
    format: 2,
    reference,
    prediction,
    connectivity: 26,
    rule: { minVolumeMm3: 3, alpha: 0.1, beta: 0.7, gamma: 0.65 },
    animaCompat: false,
    truePositives: 3,
    falsePositives: 2,
    falseNegatives: 2,
    trueNegatives: 89,
    dice: 0.6,
    lesionFree: false,
    voxelVolumeMm3: 12,
    referenceLesions: [
      {
        ...{ id: 1, voxels: 4, volumeMm3: 48, centreMm: [7, 20, -30], overlap: 0.75, found: true },
        ...detected,
      },
      {
        ...{ id: 2, voxels: 1, volumeMm3: 12, centreMm: [10, 20, -24], overlap: 0, found: false },
        ...overlap,
      },
    ],
    predictedLesions: [
      {
        ...{ id: 1, voxels: 3, volumeMm3: 36, centreMm: [6, 20, -30], overlap: 1 },
        ...{ truePositive: true, ...detected },
      },
      {
        ...{ id: 2, voxels: 2, volumeMm3: 24, centreMm: [-3, 14, -30], overlap: 0 },
        ...{ truePositive: false, ...overlap },
      },
    ],
    smallInReference: { components: 0, volumeMm3: 0 },
    smallInPrediction: { components: 0, volumeMm3: 0 },
  });
});

test("an empty reference: number and volume of what is predicted", async () => {
  const empty = await write("empty.nii.gz", []);
  const { out, code } = await evaluate("--reference", empty, "--prediction", prediction);
  expect(code).toBe(0);
  expect(out.split("\n").slice(0, 2)).toEqual([
    "NbTestedLesions      2 lesions",
    "VolTestedLesions     60.00 mm³",
  ]);
  const both = await evaluate("--reference", empty, "--prediction", empty);
  expect(both.out).toStartWith("NbTestedLesions      0 lesions\nVolTestedLesions     0.00 mm³\n");
});

/** Folders with three patients that pair, one of them lesion-free, and one on either side. */
async function folders() {
  for (const name of ["truth/a", "truth/b", "truth/c", "truth/gone", "found/b"]) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  await write("truth/a/ground_truth.nii.gz", [0, 1, 2, 3, 64]);
  await write("truth/a/ground_truth_expert1.nii.gz", [5]);
  await write("truth/b/ground_truth.nii", []);
  await write("truth/c/any, name.nii.gz", [0, 1, 2, 3]);
  await write("truth/gone/ground_truth.nii.gz", [1]);
  await write("found/a.nii.gz", [1, 2, 3, 30, 31]);
  await write("found/b/prediction.nii.gz", [8, 9]);
  await write("found/c.nii", [0, 1, 2, 3]);
  await write("found/more.nii", [0]);
  return ["--references", join(folder, "truth"), "--predictions", join(folder, "found")];
}

test("folders: tables, a CSV row per patient, a JSON summary, lesion-free and unmatched apart", async () => {
  const dirs = await folders();
  const [csv, json] = [join(folder, "scores.csv"), join(folder, "scores.json")];
  const { out, err, code } = await evaluate(...dirs, "--csv", csv, "--json", json);
  expect(code).toBe(0);
  expect(err).toBe(`only in ${dirs[1]}, not scored: gone\nonly in ${dirs[3]}, not scored: more\n`);
  const lines = out.split("\n");
  expect(lines[0]).toBe("Patients with new lesions");
  expect(lines[2]).toMatch(
    /^a +0.6000 +0.6000 +0.6000 +0.00 +10.00 +2.68 +0.5000 +0.5000 +0.5000$/,
  );
  expect(lines.slice(5, 8)).toEqual([
    "Patients without new lesions",
    "patient  NbTestedLesions  VolTestedLesions/mm³",
    "b                      1                 24.00",
  ]);
  expect(out).toMatch(/^Dice +2 +0.8000 +0.6000 – 1.0000 +0.8000 +0.6000 – 1.0000$/m);
  expect(out).toContain("any lesion predicted: 2 of 2 patients with new lesions, 1 of 1 without\n");

  const rows = readFileSync(csv, "utf8").split("\r\n");
  expect(rows[0]).toStartWith("patient,Jaccard,Dice,");
  expect(rows[1]).toStartWith(`a,${3 / 7},0.6,0.6,`);
  const place = join(folder, "truth", "b", "ground_truth.nii");
  expect(rows[2]).toStartWith(`b,,,,,,,,,,,,,,1,24,0,0,1,0,${place},`);
  expect(rows[3]).toContain('c/any, name.nii.gz",');
  expect(rows.length).toBe(5);

  const report = JSON.parse(readFileSync(json, "utf8"));
  expect(report.format).toBe(2);
  expect(report.unmatched).toEqual({ references: ["gone"], predictions: ["more"] });
  expect(report.patients.map((p: { patient: string }) => p.patient)).toEqual(["a", "b", "c"]);
  expect(report.summary.withLesions).toEqual({ patients: 2, withPrediction: 2 });
  expect(report.summary.lesionFree).toEqual({ patients: 1, withPrediction: 1 });
  expect(report.summary.metrics.SensL).toEqual({
    patients: 2,
    mean: { value: 0.75, interval: [0.5, 1] },
    median: { value: 0.75, interval: [0.5, 1] },
  });
  expect(report.summary.metrics.VolTestedLesions.mean).toEqual({ value: 24, interval: null });
  expect(report.summary.bootstrap).toEqual({
    ...{ seed: 0, resamples: 10000, confidence: 0.95, method: "percentile" },
  });
});

/** A map of 8×4×3 voxels: 0 but for these. */
async function writeMap(name: string, voxels: Readonly<Record<number, number>>, moved = 0) {
  const data = new Float32Array(96);
  for (const [voxel, p] of Object.entries(voxels)) data[Number(voxel)] = p;
  const placed = affine.map((value, i) => (i === 3 ? value + moved : value));
  const path = join(folder, name);
  await writeVolume(path, { size: [8, 4, 3], affine: placed, data });
  return path;
}

test("probability maps: Brier score, calibration error and a diagram, of a pair and of a cohort", async () => {
  // Lesion: 0 to 3 and 64. Two voxels are said 0.8, one of them lesion; one is said 0.3 and is none.
  const map = await writeMap("map.nii.gz", { 1: 0.8, 30: 0.8, 40: 0.3, 64: 0.005 });
  const png = join(folder, "reliability.png");
  const { out, code } = await evaluate(...files, "--probability", map, "--reliability", png);
  expect(code).toBe(0);
  expect(out).toContain("Probabilities (3 voxels of 0.01 or more)\n");
  expect(out).toContain(`Brier score                 ${((0.04 + 0.64 + 0.09) / 3).toFixed(4)}\n`);
  expect(out).toContain(`expected calibration error  ${((0.6 + 0.3) / 3).toFixed(4)}\n`);
  expect(out).toMatch(/^ +0\.8–0\.9 +2 +0\.800 +0\.500$/m);
  expect([...readFileSync(png).subarray(1, 4)]).toEqual([..."PNG"].map((c) => c.charCodeAt(0)));
  const dirs = await folders();
  mkdirSync(join(folder, "maps"), { recursive: true });
  await writeMap("maps/a.nii.gz", { 1: 0.8, 30: 0.8, 40: 0.3 });
  await writeMap("maps/b.nii.gz", { 8: 0.6 });
  const maps = ["--probabilities", join(folder, "maps")];
  const cohort = await evaluate(...dirs, ...maps, "--json");
  expect(cohort.err).toContain(`no probability map in ${maps[1]}: c, gone`);
  const { probabilities } = JSON.parse(cohort.out);
  expect(probabilities.voxels).toBe(4);
  expect(probabilities.brier).toBeCloseTo((0.04 + 0.64 + 0.09 + 0.36) / 4, 6);
});

test("probability maps that do not fit are refused in a line", async () => {
  const [moved, wrong] = [
    await writeMap("moved.nii.gz", {}, 1),
    await writeMap("w.nii.gz", { 1: 2 }),
  ];
  for (const [args, what] of [
    [["--probability", moved], /moved\.nii\.gz: the map lies on another grid/],
    [["--probability", wrong], /w\.nii\.gz: holds 2, and probabilities lie from 0 to 1/],
    [["--reliability", join(folder, "x.png")], /--reliability draws probability maps/],
    [["--probabilities", folder], /--probabilities are maps of a cohort/],
  ] as const) {
    const { err, code } = await evaluate(...files, ...args);
    expect(err).toMatch(what);
    expect(code).toBe(2);
  }
});

test("folders: another name of the mask, and what is wrong with a folder", async () => {
  const dirs = await folders();
  const named = await evaluate(...dirs, "--reference-name", "ground_truth_expert1", "--json");
  expect(JSON.parse(named.out).patients[0].reference).toEndWith("ground_truth_expert1.nii.gz");
  mkdirSync(join(folder, "other"), { recursive: true });
  const none = await evaluate(...dirs.slice(0, 3), join(folder, "other"));
  expect(none.err).toMatch(
    /other: no patient of .*truth in it \(there: a, b, c and 1 more; here: no/,
  );
  const missing = await evaluate(...dirs.slice(0, 3), join(folder, "nowhere"));
  expect(missing.err).toMatch(/nowhere: no such folder; expected a folder of masks\n$/);
  await write("truth/c/another.nii", [1]);
  expect((await evaluate(...dirs)).err).toMatch(
    /c: no ground_truth.nii.gz among another.nii, any, name.nii.gz; name the mask with --reference-name/,
  );
  rmSync(join(folder, "truth/c/another.nii"));
  await write("found/a.nii", [1]);
  expect((await evaluate(...dirs)).err).toMatch(
    /found: two masks of a: .*a.nii and .*; keep one\n/,
  );
});

test("a prediction whose voxels are stored in another order is scored as it is, with a note", async () => {
  const plain = await readMask(prediction);
  const expected = JSON.parse((await evaluate(...files, "--json")).out);
  for (const code of ["RAS", "LAI", "PIR", "SPL"]) {
    const stored = join(folder, `stored-${code}.nii.gz`);
    await writeMask(stored, inOrder(plain, orderTo(plain.affine, code)));
    const args = ["--reference", reference, "--prediction", stored, "--json"];
    const { out, err, code: status } = await evaluate(...args);
    expect(status).toBe(0);
    expect(err).toBe(
      `${stored}: its voxels are stored in the order ${code}, those of ${reference} in the order ` +
        "LPS: reordered, without interpolation\n",
    );
    expect(JSON.parse(out)).toEqual({ ...expected, prediction: stored });
  }
});

test("grids that read the same are told apart by the distance of their corners", async () => {
  const near = await write("near.nii.gz", [1, 2, 3], 0.04);
  expect((await evaluate("--reference", reference, "--prediction", near)).err).toBe("");
  const far = await write("far.nii.gz", [1, 2, 3], 0.07);
  const mirrored = join(folder, "far-RAS.nii.gz");
  const mask = await readMask(far);
  await writeMask(mirrored, inOrder(mask, orderTo(mask.affine, "RAS")));
  for (const path of [far, mirrored]) {
    const { err, code } = await evaluate("--reference", reference, "--prediction", path);
    expect(code).toBe(2);
    expect(err).toMatch(/lies on another grid .*, corners up to 0.07 mm apart; compare masks/);
  }
});

test("bun run evaluate tells of a header that contradicts itself, and refuses one it cannot use", async () => {
  const plain = await write("plain.nii", [1, 2, 3]);
  const bytes = Buffer.from(await Bun.file(plain).arrayBuffer());
  const score = (path: string) =>
    runDocumented("evaluate", "--reference", reference, "--prediction", path, "--json");
  const store = async (name: string, change: (file: Buffer) => void) => {
    const file = Buffer.from(bytes);
    change(file);
    await Bun.write(join(folder, name), file);
    return score(join(folder, name));
  };
  // The qform's place: 3 mm further right than the sform's.
  const moved = await store("moved-qform.nii", (file) => file.writeFloatLE(13, 268));
  expect(moved.code).toBe(0);
  expect(moved.err).toContain(
    "contradict each other (corners up to 3 mm apart); its sform is used",
  );
  expect(JSON.parse(moved.out).truePositives).toBe(3);
  const zero = await store("offset0.nii", (file) => file.writeFloatLE(0, 108));
  expect([zero.code, JSON.parse(zero.out).truePositives]).toEqual([0, 3]);
  for (const [change, message] of [
    [(file: Buffer) => file.writeInt16LE(16, 72), /bitpix 16, but datatype 2 \(uint8\) has 8 bits/],
    [
      (file: Buffer) => file.write("n+2", 344),
      /header of 348 bytes is NIfTI-1's, its magic "n\+2"/,
    ],
  ] as const) {
    const { out, err, code } = await store("bad.nii", change);
    expect({ out, code }).toEqual({ out: "", code: 2 });
    expect(err).toMatch(message);
  }
});

test("bad input is told on standard error with exit code 2", async () => {
  const moved = await write("moved.nii.gz", [1], 1);
  const cases: [string[], RegExp][] = [
    [
      ["--reference", reference, "--prediction", moved],
      /^voxgrad: .*moved.nii.gz: lies on another grid .*\n$/,
    ],
    [
      ["--reference", reference, "--prediction", join(folder, "no.nii")],
      /^voxgrad: .*no.nii: no such file.*\n$/,
    ],
    [["--reference", reference], /^voxgrad: evaluate needs either --reference FILE and/],
    [[...files, "--references", folder], /^voxgrad: evaluate needs either --reference FILE and/],
    [
      [...files, "--connectivity", "7"],
      /^voxgrad: option '--connectivity <n>' argument '7' is invalid/,
    ],
    [[...files, "more"], /^voxgrad: too many arguments/],
    [[...files, "--jsn"], /^voxgrad: unknown option '--jsn'/],
  ];
  const results = await Promise.all(cases.map(([args]) => evaluate(...args)));
  results.forEach(({ out, err, code }, i) => {
    const [args, message] = cases[i]!;
    expect({ out, code }, args.join(" ")).toEqual({ out: "", code: 2 });
    expect(err, args.join(" ")).toMatch(message);
  });
});
