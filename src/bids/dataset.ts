/** The files at the root of a data set of derivatives. */
import { existsSync, mkdirSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { name, version } from "../../package.json";
import { UserError } from "../core/errors";
import { writeAtomically } from "../platform/atomic_file";
import { readJsonFile } from "../platform/json_file";

export const DESCRIPTION = "dataset_description.json";
/** Of the standard the names follow. */
const BIDS_VERSION = "1.10.0";
/** Names that the standard does not have yet. */
const IGNORED = ["*_xfm.txt", "*.html", "new_lesions.tsv", "new_lesions.json", ".cohort/"];

const describedSchema = z.looseObject({
  Name: z.string().optional(),
  DatasetType: z.string().optional(),
  GeneratedBy: z.array(z.looseObject({ Name: z.string() })).optional(),
});

const README = `New multiple-sclerosis lesions between two sessions with a FLAIR, as voxgrad found them.

voxgrad is research software and not a medical device: nothing here may be used for diagnosis.

sub-*/ses-*/anat/ of the later session holds the mask (label-lesion_desc-new_mask), each lesion by its number
(desc-new_dseg, with a table), the probability (label-lesion_desc-new_probseg) and, where the sessions were
registered, ITK transforms (xfm.txt). sub-*.html are reports. new_lesions.tsv has a row for each pair of
sessions, after the group level.
`;

/**
 * Makes the data set, or joins it.
 * @param bids the data set that is read: "raw" in BIDS URIs
 * @throws UserError where another program's derivatives, or raw data, lie there
 */
export function makeDataset(bids: string, out: string): void {
  const path = join(out, DESCRIPTION);
  const source = readJsonFile(join(bids, DESCRIPTION), describedSchema, "mend it");
  if (existsSync(path)) {
    const there = readJsonFile(path, describedSchema, "name another folder");
    if (there.GeneratedBy?.some(({ Name }) => Name === name)) return;
    throw new UserError(
      `${path}: is of another data set; name a folder of its own for the derivatives`,
    );
  }
  const described = {
    Name: `New lesions of ${source.Name ?? "a data set without a name"}`,
    BIDSVersion: BIDS_VERSION,
    DatasetType: "derivative",
    GeneratedBy: [{ Name: name, Version: version, Description: "new lesions between two FLAIR" }],
    DatasetLinks: { raw: relative(resolve(out), resolve(bids)).split(sep).join("/") || "." },
  };
  mkdirSync(out, { recursive: true });
  writeAtomically(join(out, "README"), README);
  writeAtomically(join(out, ".bidsignore"), `${IGNORED.join("\n")}\n`);
  writeAtomically(path, `${JSON.stringify(described, null, 2)}\n`);
}

/** The BIDS URI of a file of the data set that is read. */
export const rawUri = (bids: string, path: string): string =>
  `bids:raw:${relative(resolve(bids), resolve(path)).split(sep).join("/")}`;
