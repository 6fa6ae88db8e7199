/** Cohorts of pairs of visits: the derived truth, the files that are found, and bad input. */
import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
    expect(readme).toMatch(/truth is derived, not drawn by a rater.*by rule 2\. A component/);
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
    const elsewhere = { ...GRID, affine: GRID.affine.with(3, 12) };
    const flair = { ...elsewhere, data: Float32Array.from(boxes(STAYS).data) };
    await writeVolume(msFile(dir, "P1", "T2", "FLAIR"), flair);
    await refused(
      /P1_T1_T2: registration: left out, .* two grids\n.*left out\n.*none of 1 pairs of visits/,
    );
    rmSync(msFile(dir, "P1", "T2", "MASK"));
    await refused(/no pair of visits can be made \(P1_T1_T2: no mask of the lesions at T2/);
  });
}, 120_000);

const DESCRIPTION = {
  Name: "Made up",
  BIDSVersion: "1.10.0",
  License: "CC0",
  HowToAcknowledge: "Cite nobody, 2020",
};

const bidsFile = (dir: string, subject: string, session: string, rest: string, below = "") =>
  join(dir, below, subject, session, "anat", `${subject}_${session}_${rest}.nii.gz`);

/** A session with its FLAIR, and masks by the end of their name, below derivatives/raters. */
async function session(
  dir: string,
  subject: string,
  name: string,
  masks: Readonly<Record<string, Mask>>,
): Promise<void> {
  await writeVisit(bidsFile(dir, subject, name, "FLAIR"), 100);
  for (const [rest, mask] of Object.entries(masks)) {
    const path = bidsFile(dir, subject, name, rest, "derivatives/raters");
    mkdirSync(dirname(path), { recursive: true });
    await writeMask(path, mask);
  }
}

const describeIn = (dir: string, text = JSON.stringify(DESCRIPTION)) => {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "dataset_description.json"), text);
};

test("bids: the data set's own mask of new lesions is the truth, else it is derived; sessions in time", async () => {
  await inTemporaryFolder(async (folder) => {
    const [dir, out] = [join(folder, "data"), join(folder, "out")];
    describeIn(dir);
    // By name the sessions would come in the other order.
    await session(dir, "sub-01", "ses-b", { "space-orig_label-lesion_mask": boxes(STAYS, GONE) });
    await session(dir, "sub-01", "ses-a", {
      "label-lesions_mask": boxes(STAYS, NEW),
      "space-MNI_label-lesions_mask": boxes(),
    });
    const table =
      "session_id\tage\tacq_time\nses-a\t31\t2011-02-03T04:05:06\nses-b\t30\t2010-02-03\n";
    writeFileSync(join(dir, "sub-01", "sub-01_sessions.tsv"), table);
    await session(dir, "sub-02", "ses-1", {});
    await session(dir, "sub-02", "ses-2", { "desc-newLesions_mask": boxes(GROWS) });
    await session(dir, "sub-02", "ses-10", { "label-lesion_mask": boxes(STAYS) });
    writeFileSync(join(dir, "sub-02", "sub-02_sessions.tsv"), "session_id\tacq_time\nses-1\tn/a\n");
    await session(dir, "sub-04", "ses-1", { "label-lesion_mask": boxes(STAYS, GONE) });
    const both = {
      "label-lesion_mask": boxes(STAYS, NEW),
      "desc-new_label-lesion_mask": boxes(GROWS),
    };
    await session(dir, "sub-04", "ses-2", both);
    await session(dir, "sub-03", "ses-1", {});
    await writeVisit(bidsFile(dir, "sub-03", "ses-1", "run-2_FLAIR"), 100);
    mkdirSync(join(dir, "sub-03", "ses-2"));

    const { code, out: text, err } = await runDocumented("import", "bids", dir, out);
    expect({ code, err: code === 0 ? "" : err }).toEqual({ code: 0, err: "" });
    expect(text).toBe(`3 patients written to ${out}, 0 already there, 4 left out\n`);
    for (const line of [
      "sub-02: sessions.tsv has no acq_time of ses-1, ses-2, ses-10; its sessions are sorted by name",
      "sub-02_ses-2_ses-10: no mask of the lesions at ses-2; left out",
      "sub-03 ses-2: no FLAIR; left out",
      "sub-03: no visit with a FLAIR; a pair needs two; left out",
      "sub-02_ses-1_ses-2: the new lesions are those of the published mask",
    ]) {
      expect(err).toContain(`${line}\n`);
    }
    expect(err).toMatch(
      /sub-03 ses-1: several FLAIR \(sub-03_ses-1_FLAIR.nii.gz, sub-03_ses-1_run-2_FLAIR/,
    );
    const { patients } = await openCohort(out);
    expect(patients.map(({ id }) => id)).toEqual([
      ...["sub-01_ses-b_ses-a", "sub-02_ses-1_ses-2", "sub-04_ses-1_ses-2"],
    ]);
    expect((await readMask(patients[0]!.truth)).data).toEqual(boxes(NEW).data);
    expect((await readMask(patients[0]!.resolved!)).data).toEqual(boxes(GONE).data);
    expect((await readMask(patients[1]!.truth)).data).toEqual(boxes(GROWS).data);
    expect(patients[1]!.resolved).toBeUndefined();
    expect((await readMask(patients[2]!.truth)).data).toEqual(boxes(GROWS).data);
    expect((await readMask(patients[2]!.resolved!)).data).toEqual(boxes(GONE).data);
    expect(existsSync(join(out, "sub-04_ses-1_ses-2", "grown.nii.gz"))).toBeFalse();
    const readme = readFileSync(join(out, "README.md"), "utf8");
    expect(readme).toMatch(/Source: Made up\./);
    expect(readme).toMatch(/CC0\. Cite: Cite nobody, 2020/);
    expect(readme).toMatch(/own mask of new lesions[\s\S]*truth is derived/);
  });
}, 120_000);

test("bids: what is wrong is told in one line", async () => {
  await inTemporaryFolder(async (folder) => {
    const [dir, out] = [join(folder, "data"), join(folder, "out")];
    const refused = (what: RegExp, ...more: string[]) =>
      expectRefusalOf(what, "import", "bids", dir, out, ...more);
    mkdirSync(dir);
    await refused(/holds no dataset_description.json \(it is empty\); a data set in BIDS has one/);
    describeIn(dir, "{");
    await refused(/dataset_description.json: not valid JSON; mend it/);
    describeIn(dir, "{}");
    await refused(/dataset_description.json: Name is missing; mend it/);
    describeIn(dir);
    await refused(/data: no folder sub-… \(it holds dataset_description.json\); expected sub-01/);
    await session(dir, "sub-01", "ses-1", { "label-lesion_mask": boxes(STAYS) });
    await refused(/no pair of visits can be made \(sub-01: one visit only \(ses-1\)/);
    await refused(/--patients: no sub-2 in .*; there are sub-01/, "--patients", "sub-2");
    await refused(/--derivatives: no x in .* \(it holds raters\)/, "--derivatives", "x");
    await session(dir, "sub-01", "ses-2", { "space-MNI_label-lesion_mask": boxes(NEW) });
    await refused(
      /ses-2_space-MNI_label-lesion_mask.nii.gz: lies in space MNI, its image .* in space orig/,
    );
    await session(dir, "sub-01", "ses-2", { "label-lesion_mask": boxes(NEW) });
    const again = join(dir, "derivatives", "again");
    cpSync(join(dir, "derivatives", "raters"), again, { recursive: true });
    await refused(
      /several masks of one kind: .*again.*raters.*; choose a folder below derivatives/,
    );
    const one = await runDocumented("import", "bids", dir, out, "--derivatives", "again");
    expect(one.out).toMatch(/^1 patients written/);
    await refused(/was imported with other settings/, "--derivatives", "raters");
  });
}, 120_000);
