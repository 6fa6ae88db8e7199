/** `predict --cohort` on patients whose visits are folders or .zip of DICOM. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPairs } from "../src/cohort/pairs";
import { writeSafetensors } from "../src/data/safetensors_file";
import { findConverter } from "../src/dicom/converter";
import { runDocumented } from "./cli_rig";
import { type MadeSeries, sliceFile, writeSeries } from "./dicom_rig";
import { weightsContents } from "./weights_rig";
import { zipOf } from "./zip_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-cohort-dicom-"));
const data = join(folder, "data");
const FLAIR: MadeSeries = {
  ...{ number: 5, description: "t2_tirm_tra_dark-fluid", times: { tr: 9000, te: 100, ti: 2500 } },
  ...{ size: [24, 20, 12], spacing: [1.25, 1, 3], origin: [-10, -12, -20] },
  ...{ orientation: [1, 0, 0, 0, 1, 0], value: (column, row, slice) => column + row * slice },
};
const seriesOf = (patient: string, date: string): MadeSeries => ({ ...FLAIR, patient, date });

/** @param path below the data; a .zip where it ends so */
function writeVisit(path: string, patient: string, date: string): void {
  const series = seriesOf(patient, date);
  if (!path.endsWith(".zip")) {
    writeSeries(join(data, path, "DICOM", "S5"), series);
    return;
  }
  const slices = Array.from({ length: series.size[2] }, (_, slice) => ({
    ...{ name: `IM${slice}`, bytes: sliceFile(series, slice) },
  }));
  writeFileSync(join(data, path), zipOf(slices));
}

beforeAll(() => {
  writeVisit("anna/visit 2", "A", "20160302");
  writeVisit("anna/visit 1", "A", "20150302");
  writeVisit("anna/visit 10.zip", "A", "20170302");
  writeVisit("bert/a", "B", "20160302");
  writeVisit("bert/b", "B", "20150302"); // the earlier one
  writeVisit("carl/a", "C", "20150302");
  writeVisit("carl/b", "X", "20160302"); // another person
  writeVisit("dora/series5", "D", "20150302");
  writeVisit("dora/series6", "D", "20150302"); // two folders of one examination
  writeVisit("emil/a", "E", "20150302");
  writeVisit("fred/a", "F", "20150302");
  mkdirSync(join(data, "fred", "b")); // its copy failed
  mkdirSync(join(data, "papers", "2015"), { recursive: true });
  mkdirSync(join(data, "papers", "2016"));
  symlinkSync(join(data, "nowhere"), join(data, "unmounted"));
  mkdirSync(join(data, "cohort.csv"));
  for (const n of [1, 2]) {
    writeFileSync(join(data, "cohort.csv", `flair_time0${n}_on_middle_space.nii.gz`), "");
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test("each visit is paired with the next one, by the numbers in their names", async () => {
  const { pairs, notes } = await findPairs(data);
  expect(pairs.map(({ id }) => id)).toEqual([
    ...["anna_visit 1_visit 2", "anna_visit 2_visit 10", "bert_a_b", "carl_a_b"],
    ...["cohort.csv", "dora_series5_series6", "fred_a_b"],
  ]);
  expect(pairs[1]).toMatchObject({
    t1: join(data, "anna", "visit 2"),
    t2: join(data, "anna", "visit 10.zip"),
  });
  expect(notes).toEqual([
    `${join(data, "emil")}: one visit with DICOM (a); left out`,
    `${data}: ignored papers: no FLAIR there`,
    `${data}: ignored unmounted: a link to nowhere, or no name in UTF-8`,
  ]);
});

let converter = true;
try {
  findConverter();
} catch {
  converter = false;
}

test.skipIf(!converter)(
  "they are predicted; swapped visits, other persons fail alone",
  async () => {
    const [weights, out] = [join(folder, "w.safetensors"), join(folder, "out")];
    writeSafetensors({ path: weights, ...weightsContents() });
    const how = ["--weights", weights, "--tune", "off"];
    const { code, err } = await runDocumented("predict", "--cohort", data, "--out", out, ...how);
    expect(code, err).toBe(4);
    const rows = JSON.parse(readFileSync(join(out, "cohort.json"), "utf8")).patients as {
      patient: string;
      status: string;
      problem?: string;
    }[];
    expect(rows.map(({ status }) => status)).toEqual([
      ...["done", "done", "failed", "failed", "failed", "failed", "failed"],
    ]);
    const problems = Object.fromEntries(rows.map(({ patient, problem }) => [patient, problem]));
    expect(problems.bert_a_b).toMatch(
      /visit 2 \(2015-03-02\) is earlier than visit 1 \(2016-03-02\)/,
    );
    expect(problems.carl_a_b).toMatch(/different PatientIDs/);
    expect(problems["cohort.csv"]).toMatch(/the table of all has this name/);
    expect(problems.dora_series5_series6).toMatch(/of one examination/);
    expect(problems.fred_a_b).toMatch(/no DICOM image/);
    const record = JSON.parse(readFileSync(join(out, "anna_visit 2_visit 10/result.json"), "utf8"));
    expect(record.visits).toMatchObject([{ date: "2016-03-02" }, { date: "2017-03-02" }]);
  },
);
