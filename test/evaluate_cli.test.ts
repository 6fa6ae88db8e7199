import { expect, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeMask } from "../src/data/nifti_write";
import type { Affine, Mask } from "../src/data/volume";

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

test("tables: Dice, found and missed, volumes and places in mm", async () => {
  const { out, err, code } = await evaluate(...files);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out.split("\n")).toEqual([
    "Dice               0.6000",
    "lesions found      1 of 2",
    "false lesions      1 of 2 predicted",
    "volume             reference 0.060 ml, predicted 0.060 ml, both 0.036 ml",
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
    "A lesion is a set of voxels connected by faces. It is found (true) when",
    'at least 10 % of its voxels lie in the other mask (column "overlap").',
    "",
  ]);
});

test("--json: the same for programs, nothing else on standard output", async () => {
  const { out, code } = await evaluate(...files, "--json", "--connectivity", "26");
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({
    format: 1,
    reference,
    prediction,
    truePositives: 3,
    falsePositives: 2,
    falseNegatives: 2,
    trueNegatives: 89,
    dice: 0.6,
    voxelVolumeMm3: 12,
    connectivity: 26,
    hitShare: 0.1,
    referenceLesions: [
      { id: 1, voxels: 4, volumeMm3: 48, centreMm: [7, 20, -30], overlap: 0.75, found: true },
      { id: 2, voxels: 1, volumeMm3: 12, centreMm: [10, 20, -24], overlap: 0, found: false },
    ],
    predictedLesions: [
      { id: 1, voxels: 3, volumeMm3: 36, centreMm: [6, 20, -30], overlap: 1, truePositive: true },
      { id: 2, voxels: 2, volumeMm3: 24, centreMm: [-3, 14, -30], overlap: 0, truePositive: false },
    ],
  });
});

test("two empty masks agree", async () => {
  const empty = await write("empty.nii.gz", []);
  const { out, code } = await evaluate("--reference", empty, "--prediction", empty);
  expect(code).toBe(0);
  expect(out).toStartWith(
    "Dice               1.0000 (both masks are empty)\nlesions found      0 of 0\n",
  );
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
    [["--reference", reference], /^voxgrad: required option '--prediction <file>' not specified\n/],
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
