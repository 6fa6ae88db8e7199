/** `bids`: derivatives, their names and side-cars, the group level, and the way back into `import bids`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { version } from "../package.json";
import { writePair } from "../src/bids/write_pair";
import { IDENTITY, invertAffine, multiplyAffine } from "../src/data/affine";
import { parseItkTransform } from "../src/data/itk_transform";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeSafetensors } from "../src/data/safetensors_file";
import { findBids } from "../src/import/bids_files";
import { sha256Of } from "../src/run/file_hash";
import { flairPath, writeBidsPhantoms } from "./bids_data";
import { expectRefusalOf, runDocumented } from "./cli_rig";
import { once } from "./once";
import { weightsContents } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-bids-app-"));
const bids = join(folder, "bids");
const out = join(bids, "derivatives", "voxgrad");
const weights = join(folder, "w.safetensors");
const HOW = ["--weights", weights, "--tune", "off", "--threshold", "0.4"];
const flair = (subject: string, session: string) => flairPath(bids, subject, session);

beforeAll(async () => {
  await writeBidsPhantoms(bids);
  writeSafetensors({ path: weights, ...weightsContents() });
});
afterAll(() => rmSync(folder, { recursive: true }));

const participants = once(async () => {
  const one = await runDocumented(
    "bids",
    bids,
    out,
    "participant",
    "--participant-label",
    "01",
    ...HOW,
  );
  const all = await runDocumented("bids", bids, out, "participant", ...HOW);
  return { one, all };
});

/** Files below a folder, but for those of `.cohort`. */
function filesBelow(path: string, below = ""): string[] {
  return readdirSync(join(path, below), { withFileTypes: true }).flatMap((entry) => {
    const name = join(below, entry.name);
    if (entry.name === ".cohort") return [];
    return entry.isDirectory() ? filesBelow(path, name) : [name];
  });
}

const ANAT = "sub-01/ses-02/anat/sub-01_ses-02_space-orig";
const jsonOf = (name: string) => JSON.parse(readFileSync(join(out, name), "utf8"));

test("the participant level: one of them, then the rest, and nothing twice", async () => {
  const { one, all } = await participants();
  expect({ code: one.code, err: one.code === 0 ? "" : one.err }).toEqual({ code: 0, err: "" });
  expect(one.out).toMatch(/^1 of 1 pairs done/);
  expect({ code: all.code, err: all.code === 0 ? "" : all.err }).toEqual({ code: 0, err: "" });
  expect(all.err).toContain("sub-03: 1 session(s) with a FLAIR; left out");
  expect(all.err).toContain("2 of 2 pairs, 1 not done yet");
});

test("names are those of BIDS derivatives, or stand in .bidsignore", async () => {
  await participants();
  // Order of entities and suffixes by BIDS 1.10: rules/files/deriv/imaging.yaml of its schema.
  const image =
    /^(sub-[a-zA-Z0-9]+)\/(ses-[a-zA-Z0-9]+)\/anat\/\1_\2(_space-[a-zA-Z0-9]+)?((_label-[a-zA-Z0-9]+)?(_desc-[a-zA-Z0-9]+)?_(mask|probseg)|(_desc-[a-zA-Z0-9]+)?_(dseg|FLAIR))\.(nii\.gz|json|tsv)$/;
  const ignored = readFileSync(join(out, ".bidsignore"), "utf8").trim().split("\n");
  const isIgnored = (name: string) =>
    ignored.some((pattern) =>
      pattern.startsWith("*") ? name.endsWith(pattern.slice(1)) : name === pattern,
    );
  const root = ["dataset_description.json", "README", ".bidsignore"];
  const files = filesBelow(out);
  const strange = files.filter(
    (name) => !image.test(name) && !root.includes(name) && !isIgnored(basename(name)),
  );
  expect(strange).toEqual([]);
  for (const name of files.filter((each) => each.endsWith(".nii.gz"))) {
    expect(existsSync(join(out, name.replace(".nii.gz", ".json")))).toBe(true);
  }
  const described = jsonOf("dataset_description.json");
  expect(described).toMatchObject({
    DatasetType: "derivative",
    GeneratedBy: [{ Name: "voxgrad", Version: version }],
    DatasetLinks: { raw: "../.." },
  });
});

test("mask, lesions and probability agree; side-cars name sources by URI and hash", async () => {
  await participants();
  const mask = await readMask(join(out, `${ANAT}_label-lesion_desc-new_mask.nii.gz`));
  const labels = await readVolume(join(out, `${ANAT}_desc-new_dseg.nii.gz`));
  const map = await readVolume(join(out, `${ANAT}_label-lesion_desc-new_probseg.nii.gz`));
  const scan = await readVolume(flair("sub-01", "ses-02"));
  for (const image of [mask, labels, map]) expect(image.size).toEqual(scan.size);
  expect(Array.from(labels.data, (v) => Math.sign(v))).toEqual(Array.from(mask.data));
  const rows = readFileSync(join(out, `${ANAT}_desc-new_dseg.tsv`), "utf8")
    .trim()
    .split("\n");
  const side = jsonOf(`${ANAT}_label-lesion_desc-new_mask.json`);
  expect(rows.length - 1).toBe(side.Lesions);
  expect(jsonOf(`${ANAT}_desc-new_dseg.json`)).toMatchObject(
    Object.fromEntries(
      rows[0]!
        .split("\t")
        .slice(2)
        .map((name) => [name, {}]),
    ),
  );
  expect(side.Lesions).toBe(new Set(labels.data).size - 1);
  expect(side).toMatchObject({ Type: "Lesion", SpatialReference: "orig" });
  const uris = ["ses-01", "ses-02"].map(
    (s) => `bids:raw:sub-01/${s}/anat/sub-01_${s}_FLAIR.nii.gz`,
  );
  expect(side.Sources).toEqual(uris);
  expect(side.SourcesSHA256[uris[1]!]).toBe(sha256Of(flair("sub-01", "ses-02")));
  expect(side.Weights).toEqual([{ name: "w.safetensors", sha256: sha256Of(weights) }]);
  expect(readFileSync(join(out, "sub-01_ses-01_ses-02.html"), "utf8")).toContain("<!doctype html>");
});

test("the group level writes a table and a page with links", async () => {
  await participants();
  const { code, out: said } = await runDocumented("bids", bids, out, "group");
  expect({ code, said: said.split("\n")[0] }).toEqual({
    code: 0,
    said: "2 of 2 pairs of sessions done",
  });
  const rows = readFileSync(join(out, "new_lesions.tsv"), "utf8").trimEnd().split("\n");
  expect(rows.map((row) => row.split("\t").slice(0, 4))).toEqual([
    ["participant_id", "session_id", "session_id_before", "status"],
    ["sub-01", "ses-02", "ses-01", "done"],
    ["sub-02", "ses-02", "ses-01", "done"],
  ]);
  const page = readFileSync(join(out, "new_lesions.html"), "utf8");
  expect(page).toContain('<a href="sub-01_ses-01_ses-02.html">sub-01</a>');
});

test("import bids finds the masks as those of new lesions", async () => {
  await participants();
  const { subjects } = await findBids(bids, { derivatives: ["voxgrad"] });
  expect(subjects[0]!.visits[1]!.newLesions).toBe(
    join(out, `${ANAT}_label-lesion_desc-new_mask.nii.gz`),
  );
});

test("transforms: ITK's, one the inverse of the other, where registration was trusted", async () => {
  await participants();
  const record = JSON.parse(
    readFileSync(join(out, ".cohort", "sub-01_ses-01_ses-02.result.json"), "utf8"),
  );
  const image = await readVolume(flair("sub-01", "ses-02"));
  const mask = { ...image, data: new Uint8Array(image.data.length) };
  const moved = [1, 0, 0, 3, 0, 1, 0, -2, 0, 0, 1, 5, 0, 0, 0, 1] as const;
  const to = join(folder, "moved");
  const pair = {
    ...{ id: "x", t1: flair("sub-01", "ses-01"), t2: flair("sub-01", "ses-02") },
    bids: { subject: "sub-01", sessions: ["ses-01", "ses-02"] as const },
  };
  const of = (trusted: boolean) => ({
    record: {
      ...{ ...record, grid: "middle", lesions: [] },
      registration: { trusted, visit1ToVisit2: [...moved] },
    },
    ...{ visit1: image, visit2: image, mask },
  });
  const anat = join(to, "sub-01", "ses-02", "anat");
  const transforms = () => readdirSync(anat).filter((name) => name.endsWith("_xfm.txt"));
  await writePair({ bids, out: to }, pair, of(false));
  expect(transforms()).toEqual([]);
  await writePair({ bids, out: to }, pair, of(true));
  const read = (name: string) => parseItkTransform(readFileSync(join(anat, name), "utf8"), name);
  const [forward, backward] = ["01_to-ses02", "02_to-ses01"].map((name) =>
    read(`sub-01_ses-02_from-ses${name}_mode-image_xfm.txt`),
  );
  // Resampling visit 2 on the grid of visit 1 takes points of visit 1 to visit 2.
  expect(backward).toEqual([...moved]);
  expect(invertAffine(forward!)).toEqual(backward!);
  expect(multiplyAffine(forward!, backward!)).toEqual(IDENTITY);
  const side = JSON.parse(
    readFileSync(
      join(anat, "sub-01_ses-02_space-midpoint_label-lesion_desc-new_mask.json"),
      "utf8",
    ),
  );
  const reference = side.SpatialReference.replace(/^bids::/, "");
  expect(existsSync(join(to, reference))).toBe(true);
  // A validator asks for it of every image that a program has sampled.
  const visit = readFileSync(join(to, reference.replace(".nii.gz", ".json")), "utf8");
  expect(JSON.parse(visit).SkullStripped).toBe(false);
});

test("what does not fit is refused in one line", async () => {
  await participants();
  const command = (...args: string[]) => ["bids", bids, ...args] as const;
  const bad = (what: RegExp, ...args: string[]) => expectRefusalOf(what, ...command(...args));
  await bad(/no sub-09/, out, "participant", "--participant-label", "09", ...HOW);
  await bad(/no FLAIR of ses-07/, out, "participant", "--session_label", "07", ...HOW);
  await bad(/Allowed choices are participant, group/, out, "subject");
  await bad(/name weights/, out, "participant", "--weights", "none");
  await bad(/run the participant level first/, join(folder, "nothing"), "group");
  await bad(/is the path of <bids_dir> too/, bids, "participant", ...HOW);
  const other = join(folder, "other");
  mkdirSync(other);
  copyFileSync(join(bids, "dataset_description.json"), join(other, "dataset_description.json"));
  await bad(/is of another data set/, other, "participant", ...HOW);
});

const key = z.string().regex(/^\[[A-Z0-9_]+\]$/);
const id = z.string().regex(/^[0-9_a-zA-Z]+$/);
/** What the descriptors use of Boutiques' schema 0.5, boutiques/schema/descriptor.schema.json. */
const descriptorSchema = z.strictObject({
  ...{ name: z.string().min(1), description: z.string().min(1), "command-line": z.string().min(1) },
  ...{ "tool-version": z.literal(version), "schema-version": z.literal("0.5") },
  inputs: z.array(
    z.strictObject({
      ...{ id, name: z.string(), type: z.enum(["String", "File", "Flag", "Number"]) },
      ...{ "value-key": key, description: z.string(), optional: z.boolean().optional() },
      ...{ list: z.boolean().optional(), "command-line-flag": z.string().optional() },
      "value-choices": z.array(z.string()).optional(),
    }),
  ),
  "output-files": z.array(
    z.strictObject({
      ...{ id, name: z.string(), "path-template": z.string().min(1) },
      ...{ description: z.string().optional(), optional: z.boolean().optional() },
    }),
  ),
  "error-codes": z.array(z.strictObject({ code: z.int(), description: z.string() })).min(1),
  tags: z.record(z.string(), z.array(z.string())),
});

/** The words of a command line, as Boutiques puts values into it. */
function wordsOf(name: string, values: Record<string, string>): string[] {
  const path = join(import.meta.dir, "../examples/boutiques", `${name}.json`);
  const descriptor = descriptorSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  const line = descriptor["command-line"];
  const keys = descriptor.inputs.map((input) => input["value-key"]);
  expect([...line.matchAll(/\[[A-Z0-9_]+\]/g)].map(([each]) => each!).sort()).toEqual(keys.sort());
  return line.split(" ").flatMap((word) => {
    const input = descriptor.inputs.find((each) => each["value-key"] === word);
    if (!input) return [word];
    const value = values[input.id];
    if (value === undefined) {
      expect(input.optional).toBe(true);
      return [];
    }
    const flag = input["command-line-flag"];
    return flag === undefined ? [value] : [flag, value];
  });
}

test("the Boutiques descriptors follow the schema, and their command lines run", async () => {
  await participants();
  const output = join(folder, "new.nii.gz");
  const [time01, time02] = ["ses-01", "ses-02"].map((s) => flair("sub-01", s));
  const pair = wordsOf("msseg2", { time01: time01!, time02: time02!, output, weights });
  expect(pair.slice(0, 3)).toEqual(["bun", "run", "predict"]);
  expect((await runDocumented("predict", ...pair.slice(3))).code).toBe(0);
  expect(existsSync(output)).toBe(true);
  const app = wordsOf("bids_app", {
    bids_dir: bids,
    output_dir_name: out,
    analysis_level: "group",
  });
  expect((await runDocumented("bids", ...app.slice(3))).code).toBe(0);
});
