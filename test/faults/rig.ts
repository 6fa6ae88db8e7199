/** Made-up inputs of every command: a cohort, two visits, weights, a mask; and a training of seconds. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeMask } from "../../src/data/nifti_write";
import { writePhantom } from "../../src/data/phantom/cohort";
import { writeSafetensors } from "../../src/data/safetensors_file";
import { weightsContents, writeVisits } from "../weights_rig";
import { writeCohort } from "./cohort";

/** Options of a training of the tiniest configuration, without its length. */
export const TINY = [
  ...["--preset", "small", "--filters", "4,8,8", "--groups", "4", "--patch", "16"],
  ...["--stride", "12", "--pool", "4", "--batch", "2", "--tune", "off"],
] as const;

export interface Rig {
  /** Four patients of p01 … in the layout of MSSEG-2; p02 has no lesion. */
  readonly data: string;
  /** One patient as the laboratory of Ljubljana publishes them. */
  readonly published: string;
  /** Two of the phantom, with brains that are found. */
  readonly heads: string;
  /** The visits of one of them. */
  readonly head: readonly [string, string];
  /** Of `predict`: both visits, weights, no tuning. */
  readonly pair: readonly string[];
  /** The files of the visits. */
  readonly visits: readonly [string, string];
  readonly mask: string;
}

export async function writeRig(folder: string): Promise<Rig> {
  mkdirSync(folder, { recursive: true });
  const data = join(folder, "data");
  await writeCohort(data, 4, [2]);
  const heads = join(folder, "heads");
  mkdirSync(heads);
  await writePhantom(heads, { patients: 2, spacing: 2, fieldOfView: [80, 80, 80], seed: 1 });
  writePublished(join(folder, "published"), join(heads, "patient001"), join(data, "p01"));
  const options = await writeVisits(folder);
  const weights = join(folder, "weights.safetensors");
  writeSafetensors({ path: weights, ...weightsContents() });
  const mask = join(folder, "mask.nii.gz");
  await writeMask(mask, {
    size: [4, 3, 2],
    affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    data: Uint8Array.from({ length: 24 }, (_, i) => +(i < 9)),
  });
  const visit = (n: 1 | 2) => join(heads, "patient001", `flair_time0${n}_on_middle_space.nii.gz`);
  return {
    ...{ data, published: join(folder, "published"), heads, mask },
    head: [visit(1), visit(2)],
    visits: [options[1]!, options[3]!],
    pair: [...options, "-w", weights, "--tune", "off"],
  };
}

/** A new training on the cohort, for so many iterations. */
export const training = ({ data }: Rig, out: string, iterations: number): string[] => [
  ...["train", "--data", data, "--val", "p01,p02", "--out", out, ...TINY],
  ...["--iterations", `${iterations}`, "--validate-every", "0.5", "--report-every", "4"],
];

const IDENTITY =
  "#Insight Transform File V1.0\n#Transform 0\nTransform: Euler3DTransform_double_3_3\n" +
  "Parameters: 0 0 0 0 0 0\nFixedParameters: 0 0 0 0\n";

/** Scans of one patient, and masks of another grid as those of the common space. */
function writePublished(folder: string, scans: string, masks: string): void {
  const [raw, common] = ["raw", "coregistered"].map((name) => join(folder, name, "patient01"));
  for (const path of [raw!, common!]) mkdirSync(path, { recursive: true });
  for (const n of [1, 2]) {
    const scan = join(scans, `flair_time0${n}_on_middle_space.nii.gz`);
    copyFileSync(scan, join(raw!, `study${n}_FLAIR.nii.gz`));
    writeFileSync(join(common!, `study${n}_FLAIR_to_common_space.txt`), IDENTITY);
  }
  const truth = join(masks, "ground_truth.nii.gz");
  for (const name of ["gt", "brainmask"]) copyFileSync(truth, join(common!, `${name}.nii.gz`));
}
