import { expect, test } from "bun:test";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { applyAffine, multiplyAffine } from "../src/data/affine";
import { openCohort } from "../src/data/cohort";
import { parseItkTransform } from "../src/data/itk_transform";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import type { Affine, Grid, Mask } from "../src/data/volume";
import { overlap } from "../src/eval/dice";
import { IMPORTERS } from "../src/import";
import { splitChange } from "../src/import/lesion_change";
import { inTemporaryFolder } from "./nifti_fixture";

const COMMON: Grid = {
  size: [25, 23, 11],
  affine: [-1.4, 0, 0, 17, 0, -1.4, 0, 16, 0, 0, 3, -15, 0, 0, 0, 1],
};
const TRANSFORMS = [
  "Transform: Euler3DTransform_double_3_3\nParameters: 0.1 -0.05 0.2 2 -3 1\nFixedParameters: 1 2 3 0\n",
  "Transform: MatrixOffsetTransformBase_double_3_3\n" +
    "Parameters: 0.99 0.1 0 -0.1 0.99 0.02 0 -0.02 1.01 -1 2 0.5\nFixedParameters: 0 0 0\n",
].map((text) => `#Insight Transform File V1.0\n#Transform 0\n${text}`);

type Image = (x: number, y: number, z: number) => number;

const bump = (x: number, y: number, z: number, height: number, width: number): Image => {
  return (a, b, c) => height * Math.exp(-((a - x) ** 2 + (b - y) ** 2 + (c - z) ** 2) / width ** 2);
};
const brain = (gain: number): Image => {
  const [whole, wave] = [
    bump(0, 0, 0, 100, 15),
    (x: number, y: number) => 8 * Math.sin(x / 4 + y / 5),
  ];
  return (x, y, z) => gain * (whole(x, y, z) + wave(x, y));
};
const [appeared, resolved] = [bump(6, 3, 0, 60, 4), bump(-6, -3, 3, 60, 4)];
// The second scanner shows everything 1.7 times as bright.
const VISITS: Image[] = [
  (x, y, z) => brain(1)(x, y, z) + resolved(x, y, z),
  (x, y, z) => brain(1.7)(x, y, z) + 1.7 * appeared(x, y, z),
];

const values = ({ size: [nx, ny, nz], affine }: Grid, image: Image): Float32Array =>
  Float32Array.from({ length: nx * ny * nz }, (_, i) =>
    image(...applyAffine(affine, [i % nx, Math.floor(i / nx) % ny, Math.floor(i / nx / ny)])),
  );
const maskOf = (image: Image, threshold: number): Mask => ({
  ...COMMON,
  data: Uint8Array.from(values(COMMON, image), (value) => (value > threshold ? 1 : 0)),
});

/** A patient as on GitHub: raw/patient01 and coregistered/patient01. */
async function publish(dir: string): Promise<void> {
  const [raw, registered] = ["raw", "coregistered"].map((name) => join(dir, name, "patient01"));
  for (const folder of [raw!, registered!]) mkdirSync(folder, { recursive: true });
  for (const [i, text] of TRANSFORMS.entries()) {
    writeFileSync(join(registered!, `study${i + 1}_FLAIR_to_common_space.txt`), text);
    // The raw scan holds at T(p) what the common space has at p: its own affine is T · A.
    const own: Affine = [1, 0, 0, -20, 0, 1.1, 0, -21, 0, 0, 1.6, -18, 0, 0, 0, 1];
    const grid: Grid = { size: [41, 39, 24], affine: own };
    const placed = multiplyAffine(parseItkTransform(text, ""), own);
    const scan = { size: grid.size, affine: placed, data: values(grid, VISITS[i]!) };
    await writeVolume(join(raw!, `study${i + 1}_FLAIR.nii.gz`), scan);
  }
  const either: Image = (x, y, z) => Math.max(appeared(x, y, z), resolved(x, y, z));
  await writeMask(join(registered!, "gt.nii.gz"), maskOf(either, 30));
  await writeMask(join(registered!, "brainmask.nii.gz"), maskOf(bump(0, 0, 0, 1, 15), 0.3));
}

/** The same patient as in the laboratory's archive. */
function archive(github: string, dir: string): void {
  cpSync(join(github, "coregistered", "patient01"), join(dir, "patient1"), { recursive: true });
  cpSync(join(github, "raw", "patient01"), join(dir, "patient1", "raw"), { recursive: true });
  const names = [
    ...["gt.nii.gz", "brainmask.nii.gz", "raw/study1_FLAIR.nii.gz", "raw/study2_FLAIR.nii.gz"],
    ...["study1_FLAIR_to_common_space.txt", "study2_FLAIR_to_common_space.txt"],
  ];
  for (const name of names) {
    const at = (file: string) => join(dir, "patient1", file);
    renameSync(at(name), at(name.replace(/[^/]*$/, (base) => `patient1_${base}`)));
  }
}

const run = (...args: string[]) => runImport("ljubljana", ...args);

async function runImport(...args: string[]) {
  const script = join(import.meta.dir, "..", "src", "cli", "import.ts");
  const child = Bun.spawn([process.execPath, script, ...args], { stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { out, err, code: await child.exited };
}

test("both namings give the same cohort: scans in place, changes split, nothing overwritten", async () => {
  await inTemporaryFolder(async (folder) => {
    const [github, lab] = [join(folder, "github"), join(folder, "lab")];
    await publish(github);
    archive(github, lab);
    const [a, b] = [join(folder, "a"), join(folder, "b")];
    const first = await run(github, a);
    expect(first).toEqual({
      out: `1 patients written to ${a}, 0 already there\n`,
      err: "1/1  patient01  written\n",
      code: 0,
    });
    expect((await run(lab, b)).code).toBe(0);
    const { patients } = await openCohort(a);
    expect(patients[0]!.resolved).toBe(join(a, "patient01", "resolved.nii.gz"));
    for (const name of ["flair_time01_on_middle_space", "ground_truth", "resolved", "brain_mask"]) {
      const [one, other] = [join(a, "patient01"), join(b, "patient1")].map((path) =>
        readFileSync(join(path, `${name}.nii.gz`)),
      );
      expect(one!.equals(other!), name).toBeTrue();
    }
    for (const [i, name] of ["time1", "time2"].entries()) {
      const image = await readVolume(patients[0]![name as "time1" | "time2"]);
      const truth = values(COMMON, VISITS[i]!);
      const worst = Math.max(...image.data.map((value, v) => Math.abs(value - truth[v]!)));
      expect(worst, `${name}: of values to 170`).toBeLessThan(0.5);
    }
    const [truth, gone] = [
      await readMask(patients[0]!.truth),
      await readMask(patients[0]!.resolved!),
    ];
    expect(overlap(maskOf(appeared, 30).data, truth.data).dice).toBe(1);
    expect(overlap(maskOf(resolved, 30).data, gone.data).dice).toBe(1);

    const again = await run(github, a);
    expect(again.out).toBe(`0 patients written to ${a}, 1 already there\n`);
    expect((await run(github, a, "--interpolation", "linear")).err).toMatch(
      /patient01: was imported with other settings .*nothing is overwritten/,
    );
    writeFileSync(join(a, "patient01", "import.json"), "null");
    expect((await run(github, a)).err).toMatch(/patient01: was imported with other settings/);
    rmSync(join(a, "patient01", "import.json"));
    expect((await run(github, a)).err).toMatch(/patient01: is there already and was not imported/);
  });
}, 60_000);

test("every importer is a subcommand, and its help says what it reads", async () => {
  expect(new Set(IMPORTERS.map(({ name }) => name)).size).toBe(IMPORTERS.length);
  for (const { name, dir, options } of IMPORTERS) {
    const { out, code } = await runImport(name, "--help");
    expect(code).toBe(0);
    // Help breaks its lines where the terminal ends.
    const flat = out.replace(/\s+/g, " ");
    for (const text of [`import ${name} `, dir, ...options.map(({ flags }) => flags)]) {
      expect(flat).toContain(text);
    }
  }
});

test("what is wrong with a data set is told in one line", async () => {
  await inTemporaryFolder(async (folder) => {
    const [data, out] = [join(folder, "data"), join(folder, "out")];
    await publish(data);
    const registered = join(data, "coregistered", "patient01");
    const fails = async (message: RegExp, ...more: string[]) => {
      const { err, code } = await run(data, out, ...more);
      expect(err).toMatch(message);
      expect(code).toBe(2);
    };
    await fails(/--patients: no patient02 in .*; there are patient01\n/, "--patients", "patient02");
    cpSync(join(registered, "gt.nii.gz"), join(data, "raw", "patient01", "study2_FLAIR.nii.gz"));
    await fails(/study2_FLAIR.nii.gz: lies in the common space already; expected the raw scan/);
    rmSync(join(data, "raw", "patient01", "study2_FLAIR.nii.gz"));
    await fails(/incomplete: patient01 lacks study2_FLAIR.nii.gz; expected patientN/);
    const far = TRANSFORMS[0]!.replace("2 -3 1", "900 0 0");
    writeFileSync(join(registered, "study1_FLAIR_to_common_space.txt"), far);
    cpSync(
      join(data, "raw", "patient01", "study1_FLAIR.nii.gz"),
      join(data, "raw/patient01/study2_FLAIR.nii.gz"),
    );
    await fails(/study1_FLAIR.nii.gz: 100.0 % of the common space lies outside it through/);
    expect(existsSync(join(out, "patient01"))).toBeFalse();
    expect((await run(join(folder, "no"), out)).err).toMatch(/no: no such folder; expected/);
    expect((await run(folder, out)).err).toMatch(/no folder patientNN \(it holds data, out\)/);
  });
}, 60_000);

test("changes are split by the sign of the difference, small ones dropped", async () => {
  const grid = {
    size: [40, 3, 1],
    affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 1],
  } as const;
  const ramp = Float32Array.from({ length: 120 }, (_, i) => 100 + (i % 40));
  const time2 = { ...grid, data: ramp.map((value) => 3 * value + 50) };
  const brainMask = { ...grid, data: new Uint8Array(120).fill(1) };
  const change = { ...grid, data: new Uint8Array(120) };
  // 9 mm³ voxels; an interquartile range is about 20, so that 10 more are 0.5.
  for (const [from, to, more] of [
    [4, 10, 10],
    [14, 20, -10],
    [24, 30, 1],
  ] as const) {
    for (let row = 0; row < 3; row++) {
      change.data.fill(1, 40 * row + from, 40 * row + to);
      for (let x = from; x < to; x++) time2.data[40 * row + x]! += 3 * more;
    }
  }
  const time1 = { ...grid, data: ramp };
  const split = splitChange(time1, time2, change, brainMask);
  const runs = (data: Uint8Array) => [...data.keys()].filter((i) => i < 40 && data[i] === 1);
  expect(runs(split.appeared.data)).toEqual([4, 5, 6, 7, 8, 9]);
  expect(runs(split.resolved.data)).toEqual([14, 15, 16, 17, 18, 19]);
  const swapped = splitChange(time2, time1, change, brainMask);
  expect(swapped.appeared).toEqual(split.resolved);
  const strict = { smoothingMm: 0.7, threshold: 0.25, minVolumeMm3: 163 };
  const none = splitChange(time1, time2, change, brainMask, strict);
  expect(none.appeared.data.includes(1)).toBeFalse();
});

const SHARED = [process.env.VOXGRAD_DATA, join(dirname(import.meta.dir), "..", "shared", "data")]
  .filter((path) => path !== undefined)
  .find(
    (path) => existsSync(join(path, "ljubljana_raw")) && existsSync(join(path, "longitudinal")),
  );
if (!SHARED) {
  console.log("ljubljana: the data set is not here (set VOXGRAD_DATA); its test is skipped");
}
test.skipIf(!SHARED)(
  "a published patient becomes what another implementation made of it",
  async () => {
    await inTemporaryFolder(async (out) => {
      const { code } = await run(join(SHARED!, "ljubljana_raw"), out, "--patients", "patient01");
      expect(code).toBe(0);
      const [ours, theirs] = [join(out, "patient01"), join(SHARED!, "longitudinal", "patient01")];
      for (const name of ["flair_time01_on_middle_space", "flair_time02_on_middle_space"]) {
        const [a, b] = [
          await readVolume(join(ours, `${name}.nii.gz`)),
          await readVolume(join(theirs, `${name}.nii.gz`)),
        ];
        const different = a.data.reduce((n, value, i) => n + (value === b.data[i] ? 0 : 1), 0);
        expect(different / a.data.length, name).toBeLessThan(1e-5);
      }
      for (const name of ["ground_truth", "resolved", "change", "brain_mask"]) {
        const [a, b] = [
          await readMask(join(ours, `${name}.nii.gz`)),
          await readMask(join(theirs, `${name}.nii.gz`)),
        ];
        expect(overlap(b.data, a.data).dice, name).toBeGreaterThan(0.99);
      }
    });
  },
  120_000,
);
