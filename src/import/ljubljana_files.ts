import { join } from "node:path";
import { UserError } from "../core/errors";
import { imagesOf } from "../data/file_names";
import { byNumber, checkWanted, contentsOf, namesIn } from "./folder";

/** The published files of one patient of the longitudinal data set of Ljubljana. */
export interface LjubljanaPatient {
  /** Name of the folder, e.g. "patient01". */
  readonly id: string;
  /** FLAIR of the two studies in scanner space. */
  readonly flair: readonly [string, string];
  /** ITK transforms from the common space to each of them. */
  readonly transform: readonly [string, string];
  /** Lesion changes of either direction, in the common space. */
  readonly change: string;
  readonly brain: string;
}

const RAW = "raw";
const REGISTERED = "coregistered";

const LAYOUT =
  "expected patientN/patientN_gt.nii.gz, …_brainmask.nii.gz, …_studyN_FLAIR_to_common_space.txt and " +
  "patientN/raw/patientN_studyN_FLAIR.nii.gz, or coregistered/patientNN/gt.nii.gz, … and " +
  "raw/patientNN/studyN_FLAIR.nii.gz";

/**
 * Finds the patients in either of the published namings: that of the laboratory's archive, where
 * file names begin with the patient's and raw scans lie in a folder of the patient's, or that of the
 * copy on GitHub (open_ms_data), with a folder `raw` and a folder `coregistered` of patients. All
 * files of a patient may also lie in one folder. Opens no file.
 *
 * @param only the ids of those to find; all by default
 * @throws UserError when there is no such patient, or when one lacks a file
 */
export async function findLjubljana(
  dir: string,
  only?: readonly string[],
): Promise<LjubljanaPatient[]> {
  const top = await list(dir);
  const root = top.includes("longitudinal") ? join(dir, "longitudinal") : dir;
  const tops = [root, join(root, RAW), join(root, REGISTERED)];
  const names = (await Promise.all(tops.map((path) => list(path, true)))).flat();
  const ids = [...new Set(names.filter((name) => /^patient\d+$/i.test(name)))];
  ids.sort(byNumber);
  if (ids.length === 0) {
    throw new UserError(`${dir}: no folder patientNN (${contentsOf(top)}); ${LAYOUT}`);
  }
  checkWanted(dir, ids, only);
  const found = await Promise.all((only ?? ids).map((id) => findPatient(root, id)));
  const incomplete = found.filter((each) => typeof each === "string");
  if (incomplete.length > 0) {
    throw new UserError(
      `${dir}: incomplete: ${incomplete.join("; ")}; ${LAYOUT}; ` +
        "download what is missing, or choose others with --patients",
    );
  }
  return found.filter((each) => typeof each !== "string");
}

/** The patient, or what is missing in words. */
async function findPatient(root: string, id: string): Promise<LjubljanaPatient | string> {
  const own = join(root, id);
  const raw = [join(root, RAW, id), join(own, RAW)];
  const registered = [join(root, REGISTERED, id), own];
  const missing: string[] = [];
  const find = async (name: string, extension: Extension, folders: readonly string[]) => {
    for (const folder of folders) {
      const inside = await list(folder, true);
      const [file] = [name, `${id}_${name}`].flatMap((stem) => FILES[extension](inside, stem));
      if (file !== undefined) return join(folder, file);
    }
    missing.push(name + extension);
    return "";
  };
  // Where there is a folder `raw`, a FLAIR beside it is the registered one.
  const flair = (study: number) => find(`study${study}_FLAIR`, ".nii.gz", [...raw, own]);
  const transform = (study: number) =>
    find(`study${study}_FLAIR_to_common_space`, ".txt", [...registered, ...raw]);
  const patient: LjubljanaPatient = {
    id,
    flair: [await flair(1), await flair(2)],
    transform: [await transform(1), await transform(2)],
    change: await find("gt", ".nii.gz", [...registered, ...raw]),
    brain: await find("brainmask", ".nii.gz", [...registered, ...raw]),
  };
  return missing.length === 0 ? patient : `${id} lacks ${missing.join(", ")}`;
}

type Extension = ".nii.gz" | ".txt";

/** The names in a folder that are the file of a stem. */
const FILES: Readonly<Record<Extension, typeof imagesOf>> = {
  ".nii.gz": imagesOf,
  ".txt": (inside, stem) => inside.filter((name) => name === `${stem}.txt`),
};

const list = (path: string, optional = false) => namesIn(path, LAYOUT, optional);
