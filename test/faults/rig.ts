/** Made-up inputs of every command: a cohort, two visits, weights, a mask; and a training of seconds. */
import { mkdirSync } from "node:fs";
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
  /** Two of the phantom, with brains that are found. */
  readonly heads: string;
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
  const options = await writeVisits(folder);
  const weights = join(folder, "weights.safetensors");
  writeSafetensors({ path: weights, ...weightsContents() });
  const mask = join(folder, "mask.nii.gz");
  await writeMask(mask, {
    size: [4, 3, 2],
    affine: [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1],
    data: Uint8Array.from({ length: 24 }, (_, i) => +(i < 9)),
  });
  const visits = [options[1]!, options[3]!] as const;
  return { data, heads, visits, mask, pair: [...options, "-w", weights, "--tune", "off"] };
}

/** A new training on the cohort, for so many iterations. */
export const training = ({ data }: Rig, out: string, iterations: number): string[] => [
  ...["train", "--data", data, "--val", "p01,p02", "--out", out, ...TINY],
  ...["--iterations", `${iterations}`, "--validate-every", "0.5", "--report-every", "4"],
];
