import { join } from "node:path";
import { UserError } from "../core/errors";
import { imagesOf } from "../data/file_names";
import { byNumber, checkWanted, contentsOf, namesIn } from "./folder";
import type { Importer } from "./importer";
import { importVisits, visitOptions } from "./visit_cohort";
import type { Subject, Visit } from "./visit_pairs";

/** MSLesSeg: patients with one to four visits; docs/guides/data.md says what is made of them. */
export const MSLESSEG: Importer = {
  name: "mslesseg",
  help:
    "MSLesSeg, multiple-sclerosis patients with 1–4 visits, lesions drawn at each (CC BY 4.0): " +
    "pairs of visits, registered, with new lesions derived from the masks.",
  dir: "the data set as published, or its folder train",
  // Each visit went to the template by a transform of its own, which may scale.
  options: visitOptions("affine", "P1,P7"),
  usesDevice: true,
  async run(dir, out, options, tools) {
    const found = await findMslesseg(dir, options.patients as string[] | undefined);
    return importVisits({ ...SOURCE, dir }, found, out, options, tools);
  },
};

const SOURCE = {
  command: "mslesseg",
  title: "MSLesSeg, https://doi.org/10.6084/m9.figshare.27919209",
  licence: "CC BY 4.0.",
  cite:
    "Guarnera F, Rondinella A, Crispino E, et al. MSLesSeg: baseline and benchmarking of a new Multiple " +
    "Sclerosis Lesion Segmentation dataset. Scientific Data 12, 920 (2025), " +
    "https://doi.org/10.1038/s41597-025-05250-y",
  hasNewLesions: false,
};

const LAYOUT =
  "expected P1/T1/P1_T1_FLAIR.nii.gz and P1_T1_MASK.nii.gz, P1/T2/…, in the folder itself or in train/ and test/";

/**
 * Finds patients and their visits. Opens no image.
 * @throws UserError when there is no patient, or one of `only` is not there
 */
export async function findMslesseg(
  dir: string,
  only?: readonly string[],
): Promise<{ subjects: Subject[]; leftOut: string[] }> {
  const top = await namesIn(dir, LAYOUT);
  const folders = new Map<string, string>();
  for (const root of [dir, join(dir, "train"), join(dir, "test")]) {
    for (const name of await namesIn(root, LAYOUT, true)) {
      if (/^P\d+$/i.test(name)) folders.set(name, join(root, name));
    }
  }
  const ids = [...folders.keys()].sort(byNumber);
  if (ids.length === 0) {
    throw new UserError(`${dir}: no folder P1, P2, … (${contentsOf(top)}); ${LAYOUT}`);
  }
  checkWanted(dir, ids, only);
  const leftOut: string[] = [];
  const subjects: Subject[] = [];
  for (const id of only ?? ids) {
    const { visits, without } = await findVisits(id, folders.get(id)!);
    leftOut.push(...without);
    subjects.push({ id, visits });
  }
  return { subjects, leftOut };
}

async function findVisits(id: string, folder: string) {
  const visits: Visit[] = [];
  const without: string[] = [];
  const names = (await namesIn(folder, LAYOUT)).filter((name) => /^T\d+$/i.test(name));
  for (const name of names.sort(byNumber)) {
    const inside = await namesIn(join(folder, name), LAYOUT, true);
    const file = (kind: string) => {
      const [found] = imagesOf(inside, `${id}_${name}_${kind}`);
      return found === undefined ? undefined : join(folder, name, found);
    };
    const flair = file("FLAIR");
    if (flair === undefined) without.push(`${id} ${name}: no ${id}_${name}_FLAIR.nii.gz; left out`);
    else visits.push({ name, flair, lesions: file("MASK") });
  }
  return { visits, without };
}
