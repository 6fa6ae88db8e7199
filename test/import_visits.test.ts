/** Cohorts of pairs of visits: the derived truth, the files that are found, and bad input. */
import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openCohort } from "../src/data/cohort";
import { readMask } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import type { Grid, Mask } from "../src/data/volume";
import { deriveTruth } from "../src/import/derived_truth";
import { expectRefusal, expectRefusalOf, runDocumented } from "./cli_rig";
import { inTemporaryFolder } from "./nifti_fixture";

const GRID: Grid = {
  size: [20, 18, 15],
  affine: [-1, 0, 0, 9, 0, 1, 0, -8, 0, 0, 1, -7, 0, 0, 0, 1],
};
type Box = readonly [x: number, y: number, z: number, nx: number, ny: number, nz: number];

function boxes(...list: readonly Box[]): Mask {
  const [nx, ny, nz] = GRID.size;
  const data = new Uint8Array(nx * ny * nz);
  for (const [x, y, z, w, h, d] of list) {
    for (let k = z; k < z + d; k++) {
      for (let j = y; j < y + h; j++)
        data.fill(1, (k * ny + j) * nx + x, (k * ny + j) * nx + x + w);
    }
  }
  return { ...GRID, data };
}

const STAYS: Box = [2, 2, 2, 3, 3, 3];
const GROWS: Box = [10, 2, 2, 3, 3, 3];
const GROWN: Box = [10, 2, 2, 5, 3, 3];
const GONE: Box = [2, 10, 2, 2, 2, 2];
const NEW: Box = [10, 10, 8, 3, 2, 2];
const voxels = ({ data }: Mask) => data.reduce((sum, v) => sum + v, 0);

test("a component apart from the earlier lesions is new, the rest has grown, and the other way round", () => {
  const [earlier, later] = [boxes(STAYS, GROWS, GONE), boxes(STAYS, GROWN, NEW)];
  const truth = deriveTruth(earlier, later);
  expect(truth.appeared.data).toEqual(boxes(NEW).data);
  expect(truth.resolved.data).toEqual(boxes(GONE).data);
  expect(truth.grown.data).toEqual(boxes([13, 2, 2, 2, 3, 3]).data);
  expect(truth.counts).toEqual({ appeared: 1, resolved: 1, grownMm3: 18, specks: 0 });
});

test("a corner that touches the earlier lesion is no new lesion, a voxel between them makes one", () => {
  const earlier = boxes([2, 2, 2, 2, 2, 2]);
  const touching = deriveTruth(earlier, boxes([4, 4, 4, 2, 2, 2]));
  expect([voxels(touching.appeared), voxels(touching.grown)]).toEqual([0, 8]);
  const apart = deriveTruth(earlier, boxes([5, 4, 4, 2, 2, 2]));
  expect([voxels(apart.appeared), voxels(apart.grown)]).toEqual([8, 0]);
});

test("3 mm³ are a speck, 4 are a lesion; a mask at the edge does not wrap round", () => {
  const truth = deriveTruth(boxes(), boxes([0, 0, 0, 3, 1, 1], [10, 0, 0, 4, 1, 1]));
  expect(truth.appeared.data).toEqual(boxes([10, 0, 0, 4, 1, 1]).data);
  expect(truth.counts.specks).toBe(1);
  const far = deriveTruth(boxes([19, 0, 0, 1, 1, 1]), boxes([0, 1, 0, 1, 5, 1]));
  expect(far.counts.appeared).toBe(1);
});

async function writeVisit(path: string, brightness: number, mask?: Mask, maskPath = path) {
  mkdirSync(dirname(path), { recursive: true });
  const data = Float32Array.from(boxes().data, (_, i) => brightness + ((i * 7) % 50));
  await writeVolume(path, { ...GRID, data });
  if (!mask) return;
  mkdirSync(dirname(maskPath), { recursive: true });
  await writeMask(maskPath, mask);
}

const msFile = (dir: string, patient: string, visit: string, kind: string) =>
  join(dir, "train", patient, visit, `${patient}_${visit}_${kind}.nii.gz`);

const msVisit = (dir: string, patient: string, visit: number, mask?: Mask) =>
  writeVisit(
    msFile(dir, patient, `T${visit}`, "FLAIR"),
    100 * visit,
    mask,
    msFile(dir, patient, `T${visit}`, "MASK"),
  );

test("mslesseg: consecutive or all visits of a patient; what cannot be paired is named and counted", async () => {
  await inTemporaryFolder(async (folder) => {
    const [dir, out, every] = ["data", "out", "every"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await msVisit(dir, "P2", 1, boxes(STAYS, GONE));
    await msVisit(dir, "P2", 2, boxes(STAYS, NEW));
    await msVisit(dir, "P2", 10, boxes(STAYS, NEW));
    await msVisit(dir, "P10", 1, boxes(STAYS));
    await msVisit(dir, "P11", 1, boxes(STAYS));
    await msVisit(dir, "P11", 2);
    const first = await runDocumented("import", "mslesseg", dir, out);
    expect(first.code).toBe(0);
    expect(first.out).toBe(`2 patients written to ${out}, 0 already there, 2 left out\n`);
    expect(first.err).toContain("P10: one visit only (T1); a pair needs two; left out\n");
    expect(first.err).toContain("P11_T1_T2: no mask of the lesions at T2; left out\n");
    expect(first.err).toMatch(/P2_T1_T2: registration: left out, the images are smaller than/);
    expect(first.err).toMatch(/P2_T1_T2: lesions: 1 new, 1 resolved, grown by 0\.00 mL; 0 specks/);
    const { patients } = await openCohort(out);
    expect(patients.map(({ id }) => id)).toEqual(["P2_T1_T2", "P2_T2_T10"]);
    expect((await readMask(patients[0]!.truth)).data).toEqual(boxes(NEW).data);
    expect((await readMask(patients[0]!.resolved!)).data).toEqual(boxes(GONE).data);
    const grown = await readMask(join(out, "P2_T1_T2", "grown.nii.gz"));
    expect(voxels(grown)).toBe(0);
    const readme = readFileSync(join(out, "README.md"), "utf8");
    expect(readme).toMatch(/truth is derived, not drawn by a rater.*by rule 1\. A component/);
    expect(readme).toMatch(/voxgrad \d+\.\d+\.\d+/);
    expect(readme).toMatch(/CC BY 4\.0\. Cite: Guarnera/);

    writeFileSync(join(out, "README.md"), "mine\n");
    const again = await runDocumented("import", "mslesseg", dir, out, "--patients", "P2");
    expect(again.out).toBe(`0 patients written to ${out}, 2 already there\n`);
    expect(again.err).toMatch(/README.md: is there already and stays/);
    expect(readFileSync(join(out, "README.md"), "utf8")).toBe("mine\n");
    await expectRefusal(
      /P2_T1_T2: was imported with other settings/,
      ...(["import", "mslesseg", dir, out, "--motion", "rigid"] as const),
    );
    const all = ["--patients", "P2", "--pairs", "all"];
    expect((await runDocumented("import", "mslesseg", dir, every, ...all)).out).toMatch(/^3 pat/);
  });
}, 120_000);

test("mslesseg: what is wrong is told in one line", async () => {
  await inTemporaryFolder(async (folder) => {
    const [dir, out] = [join(folder, "data"), join(folder, "out")];
    const refused = (what: RegExp, ...more: string[]) =>
      expectRefusalOf(what, "import", "mslesseg", dir, out, ...more);
    await refused(/data: no such folder; expected P1\/T1/);
    mkdirSync(dir);
    await refused(/data: no folder P1, P2, … \(it is empty\); expected/);
    await msVisit(dir, "P1", 1, boxes(STAYS));
    await refused(/no pair of visits can be made \(P1: one visit only \(T1\)/);
    await refused(/--patients: no P3 in .*; there are P1/, "--patients", "P3");
    await msVisit(dir, "P1", 2, { ...boxes(NEW), affine: GRID.affine.with(3, 12) });
    await refused(/P1_T2_MASK.nii.gz: lies on another grid .* corners up to 3 mm apart; take both/);
    rmSync(msFile(dir, "P1", "T2", "MASK"));
    await refused(/no pair of visits can be made \(P1_T1_T2: no mask of the lesions at T2/);
  });
}, 120_000);
