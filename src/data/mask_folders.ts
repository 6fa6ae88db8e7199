import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { composed, imagesOf, niftiStem } from "./file_names";

/** A patient's two masks, one from each folder. */
export interface MaskPair {
  readonly patient: string;
  readonly reference: string;
  readonly prediction: string;
}

export interface MaskPairs {
  /** Sorted by patient. */
  readonly pairs: readonly MaskPair[];
  /** Patients that are in one of the folders only. */
  readonly onlyReference: readonly string[];
  readonly onlyPrediction: readonly string[];
}

/** A folder of masks, and the name that a mask has inside a patient's own folder. */
export interface MaskFolder {
  readonly root: string;
  /** Without extension, e.g. "ground_truth". */
  readonly fileName: string;
  /** The option that names the file, for messages. */
  readonly option: string;
}

/**
 * Pairs the masks of two folders by patient. In each folder a patient is `<patient>.nii.gz`, or a
 * folder `<patient>/` with `<fileName>.nii.gz`, or with a single NIfTI file of any name (`.nii` does
 * as well). Opens no image.
 *
 * @throws UserError when a folder is missing, when it is not clear which file is a patient's mask, or
 *   when no patient is in both
 */
export async function pairMasks(
  references: MaskFolder,
  predictions: MaskFolder,
): Promise<MaskPairs> {
  const [a, b] = await Promise.all([findMasks(references), findMasks(predictions)]);
  const pairs = [...a.keys()]
    .filter((patient) => b.has(patient))
    .map((patient) => ({ patient, reference: a.get(patient)!, prediction: b.get(patient)! }));
  if (pairs.length === 0) {
    throw new UserError(
      `${predictions.root}: no patient of ${references.root} in it (there: ${some([...a.keys()])}; ` +
        `here: ${some([...b.keys()])}); ${LAYOUT}`,
    );
  }
  const missing = (from: Map<string, string>, to: Map<string, string>) =>
    [...from.keys()].filter((patient) => !to.has(patient));
  return { pairs, onlyReference: missing(a, b), onlyPrediction: missing(b, a) };
}

const LAYOUT =
  "masks are paired by <patient>.nii.gz or <patient>/…, with the same names in both folders";

function some(names: readonly string[]): string {
  if (names.length === 0) return "no mask";
  return names.slice(0, 3).join(", ") + (names.length > 3 ? ` and ${names.length - 3} more` : "");
}

/** Path of the mask by patient, sorted by patient. */
async function findMasks(folder: MaskFolder): Promise<Map<string, string>> {
  const masks = new Map<string, string>();
  for (const name of (await list(folder.root)).sort()) {
    if (name.startsWith(".")) continue;
    const path = join(folder.root, name);
    const patient = niftiStem(name);
    const mask = patient === undefined ? await maskInside(path, folder) : path;
    if (mask === undefined) continue;
    const key = patient ?? composed(name);
    const other = masks.get(key);
    if (other !== undefined) {
      throw new UserError(`${folder.root}: two masks of ${key}: ${other} and ${mask}; keep one`);
    }
    masks.set(key, mask);
  }
  return masks;
}

async function maskInside(
  path: string,
  { fileName, option }: MaskFolder,
): Promise<string | undefined> {
  const status = await stat(path).catch(() => undefined);
  if (!status?.isDirectory()) return undefined;
  const images = (await list(path)).filter((name) => !name.startsWith(".") && niftiStem(name));
  const named = imagesOf(images, fileName);
  const chosen = named.length > 0 ? named : images.sort();
  if (chosen.length > 1) {
    throw new UserError(
      `${path}: ${named.length > 0 ? "holds" : `no ${fileName}.nii.gz among`} ` +
        `${chosen.join(", ")}; name the mask with ${option}, or keep one of them`,
    );
  }
  return chosen[0] === undefined ? undefined : join(path, chosen[0]);
}

async function list(path: string): Promise<string[]> {
  return readdir(path).catch(({ code, message }: NodeJS.ErrnoException) => {
    const problem =
      code === "ENOENT" ? "no such folder" : code === "ENOTDIR" ? "is not a folder" : message;
    throw new UserError(`${path}: ${problem}; expected a folder of masks`);
  });
}
