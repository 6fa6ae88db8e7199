import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Option } from "commander";
import { UserError } from "../core/errors";
import { describeGrid, invertAffine, multiplyAffine, sameGrid } from "../data/affine";
import { withoutHotVoxels } from "../data/hot_voxels";
import { parseItkTransform } from "../data/itk_transform";
import type { FromFile } from "../data/nifti_decode";
import { readMask, readVolume } from "../data/nifti_read";
import { writeMask, writeVolume } from "../data/nifti_write";
import { resampleTo } from "../data/resample";
import { resampleCubicTo } from "../data/resample_cubic";
import type { Grid, Mask, Volume } from "../data/volume";
import { cornersApart } from "../data/voxel_order";
import { inputFileSize } from "../platform/input_file";
import { idsOption } from "../terminal/options";
import { importInto } from "./imported_folder";
import { type Imported, type Importer, importPatients } from "./importer";
import { CHANGE_RULE, type LesionChange, splitChange } from "./lesion_change";
import { findLjubljana, type LjubljanaPatient } from "./ljubljana_files";

type Interpolation = "cubic" | "linear";

interface Options {
  readonly interpolation: Interpolation;
  /** Ids of those to import; all by default. */
  readonly patients?: string[];
}

/** Longitudinal MR images of the University of Ljubljana; docs/guides/data.md says what is made of them. */
export const LJUBLJANA: Importer = {
  name: "ljubljana",
  help:
    "Longitudinal MR images of multiple-sclerosis patients, Laboratory of Imaging Technologies, " +
    "University of Ljubljana (CC BY): raw FLAIR of two studies, with lesion changes.",
  dir: "the data set as published, in either of its namings",
  options: [
    new Option("--interpolation <kind>", "how the scans are resampled to the common space")
      .choices(["cubic", "linear"])
      .default("cubic"),
    new Option("--patients <ids>", "only these, e.g. patient01,patient03").argParser(idsOption),
  ],
  usesDevice: false,
  async run(dir, out, options, { say }) {
    const { interpolation, patients: only }: Options = options as Options;
    const patients = await findLjubljana(dir, only);
    return importPatients(patients, out, say, (each) => importPatient(each, out, interpolation));
  },
};

const CITATION =
  "Lesjak Ž, Pernuš F, Likar B, Špiclin Ž. Validation of white-matter lesion change detection " +
  "methods on a novel publicly available MRI image database. Neuroinformatics, 2016 (CC BY)";

/**
 * Brings one patient into the layout of MSSEG-2, in `out/<id>`: both FLAIR on the grid of the change
 * mask, that mask, its split into `ground_truth` (new at visit 2) and `resolved`, and the brain mask.
 *
 * @throws UserError when a file cannot be used, or when the folder in `out` is something else
 */
async function importPatient(
  patient: LjubljanaPatient,
  out: string,
  interpolation: Interpolation,
): Promise<Imported> {
  const settings = { source: "ljubljana", interpolation, split: CHANGE_RULE, cite: CITATION };
  return importInto(out, patient.id, { settings, files: patient }, async () => {
    const notes: string[] = [];
    const images = await makeImages(patient, interpolation, notes);
    return { notes, write: (folder) => writePatient(folder, images) };
  });
}

async function writePatient(folder: string, images: Images): Promise<void> {
  const path = (name: string) => join(folder, `${name}.nii.gz`);
  await writeVolume(path("flair_time01_on_middle_space"), images.time1);
  await writeVolume(path("flair_time02_on_middle_space"), images.time2);
  await writeMask(path("ground_truth"), images.appeared);
  await writeMask(path("resolved"), images.resolved);
  await writeMask(path("change"), images.change);
  await writeMask(path("brain_mask"), images.brain);
}

interface Images {
  readonly time1: Volume;
  readonly time2: Volume;
  readonly change: Mask;
  readonly appeared: Mask;
  readonly resolved: Mask;
  readonly brain: Mask;
}

async function makeImages(
  patient: LjubljanaPatient,
  interpolation: Interpolation,
  notes: string[],
): Promise<Images> {
  const change = await readMask(patient.change);
  const brain = await readMask(patient.brain);
  notes.push(...change.notes, ...brain.notes);
  if (!sameGrid(change, brain)) {
    throw new UserError(
      `${patient.brain}: lies on another grid (${describeGrid(brain)}) than ${patient.change} ` +
        `(${describeGrid(change)})${cornersApart(brain, change)}; both belong to the common space: take them from one copy`,
    );
  }
  if (!brain.data.includes(1)) {
    throw new UserError(`${patient.brain}: is empty; the scans are normalised inside it`);
  }
  const onCommon = (study: 0 | 1) =>
    toCommonSpace(patient.flair[study], patient.transform[study], change, interpolation, notes);
  const [time1, time2] = [await onCommon(0), await onCommon(1)];
  const { appeared, resolved } = split(patient, time1, time2, change, brain);
  return { time1, time2, change, appeared, resolved, brain: { ...brain, affine: change.affine } };
}

function split(patient: LjubljanaPatient, ...images: [Volume, Volume, Mask, Mask]): LesionChange {
  try {
    return splitChange(...images);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(
      `${patient.id}: its scans cannot be compared (${error.message}); ` +
        `check ${patient.flair.join(", ")} and ${patient.brain}`,
    );
  }
}

/** A raw scan on the common grid, through the transform that takes that space to the scan's. */
async function toCommonSpace(
  path: string,
  transformPath: string,
  common: Grid,
  interpolation: Interpolation,
  notes: string[],
): Promise<Volume> {
  const scan = withoutHotVoxels(await readVolume(path), path);
  notes.push(...scan.notes);
  if (sameGrid(scan, common)) {
    throw new UserError(
      `${path}: lies in the common space already; expected the raw scan, which ${transformPath} ` +
        "is for; give the folder that has raw/ in it",
    );
  }
  const transform = parseItkTransform(await readText(transformPath), transformPath);
  const moved = { ...scan, affine: multiplyAffine(invertAffine(transform), scan.affine) };
  const resample = { cubic: resampleCubicTo, linear: resampleTo }[interpolation];
  const { outside, ...volume } = resample(moved, common);
  const share = outside / volume.data.length;
  if (share > 0.9) {
    throw new UserError(
      `${path}: ${(100 * share).toFixed(1)} % of the common space lies outside it through ` +
        `${transformPath}; the two do not belong together; copy them again from their source`,
    );
  }
  limitToScan(volume.data, scan);
  return volume;
}

/** A spline overshoots: its values stay in the scan's range, and whole numbers where it has them. */
function limitToScan(data: Float32Array, scan: Volume & FromFile): void {
  const low = scan.data.reduce((a, b) => Math.min(a, b));
  const high = scan.data.reduce((a, b) => Math.max(a, b));
  const whole = scan.info.voxelType.includes("int") && scan.info.slope === 1;
  // Outside the scan there is 0, whatever its range.
  data.forEach((value, i) => {
    const limited = value === 0 ? 0 : Math.min(Math.max(value, low), high);
    data[i] = whole ? Math.round(limited) : limited;
  });
}

async function readText(path: string): Promise<string> {
  inputFileSize(path, "an ITK text transform");
  return readFile(path, "utf8").catch((error: Error) => {
    throw new UserError(`${path}: cannot be read (${error.message}); check the path`);
  });
}
