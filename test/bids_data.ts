/**
 * A small data set in BIDS: phantoms, two participants with two sessions and one with a single one.
 * `bun test/bids_data.ts DIR` writes it, with weights that nothing has trained in DIR.safetensors, for a
 * validator (docs/guides/clusters.md).
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { writePhantom } from "../src/data/phantom/cohort";
import { writeSafetensors } from "../src/data/safetensors_file";
import { weightsContents } from "./weights_rig";

export const flairPath = (bids: string, subject: string, session: string): string =>
  join(bids, subject, session, "anat", `${subject}_${session}_FLAIR.nii.gz`);

const DESCRIPTION = {
  ...{ Name: "Phantoms", BIDSVersion: "1.10.0", License: "CC0", DatasetType: "raw" },
  ...{ Authors: ["Nobody: a program made them"], Acknowledgements: "none", Funding: ["none"] },
};
const README =
  "Phantoms: heads that a program made up, with FLAIR of two visits. For tests of programs only.\n";

export async function writeBidsPhantoms(bids: string): Promise<void> {
  mkdirSync(bids, { recursive: true });
  const made = mkdtempSync(join(tmpdir(), "voxgrad-bids-phantom-"));
  try {
    await writePhantom(made, { patients: 3, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
    const subjects = ["sub-01", "sub-02", "sub-03"];
    for (const [i, subject] of subjects.entries()) {
      for (const time of i === 2 ? [1] : [1, 2]) {
        const path = flairPath(bids, subject, `ses-0${time}`);
        mkdirSync(dirname(path), { recursive: true });
        const name = `flair_time0${time}_on_middle_space.nii.gz`;
        copyFileSync(join(made, `patient00${i + 1}`, name), path);
      }
    }
    writeFileSync(join(bids, "dataset_description.json"), `${JSON.stringify(DESCRIPTION)}\n`);
    writeFileSync(join(bids, "README"), README.repeat(3));
    const rows = ["participant_id\tsex", ...subjects.map((subject) => `${subject}\tn/a`)];
    writeFileSync(join(bids, "participants.tsv"), rows.map((row) => `${row}\n`).join(""));
    const sex = { Description: "sex at birth; phantoms have none" };
    writeFileSync(join(bids, "participants.json"), `${JSON.stringify({ sex })}\n`);
  } finally {
    rmSync(made, { recursive: true });
  }
}

if (import.meta.main) {
  const [bids] = process.argv.slice(2);
  if (bids === undefined) throw new Error("name the folder to write");
  await writeBidsPhantoms(bids);
  writeSafetensors({ path: `${bids}.safetensors`, ...weightsContents() });
}
