/**
 * Numbers of the three real pairs that docs/guides state: how the spread of the difference falls when the bias
 * between the visits is taken out, and how the brain mask compares with the laboratory's. Prints the rows
 * of both tables. Skipped without the shared data.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { findBrain } from "../../src/brain/brain_mask";
import { movedMask, pairBrain } from "../../src/brain/pair_brain";
import { robustSpread } from "../../src/change/differential_bias";
import { IDENTITY } from "../../src/data/affine";
import { readMask, readVolume } from "../../src/data/nifti_read";
import { gaussian, inVoxels } from "../../src/data/smooth";
import { type Volume, voxelSize } from "../../src/data/volume";
import { overlap } from "../../src/eval/dice";
import { Memory } from "../../src/gpu/memory";
import { openDevice } from "../../src/hosts/bun";
import { type MatchedPair, matchPair } from "../../src/run/matched_pair";
import type { ReadImage } from "../../src/run/placed_pair";
import { SHARED_DATA } from "../registration_rig";

const device = await openDevice({ quiet: true });
const memory = new Memory(device);
afterAll(() => device.destroy());

/** With the least Dice of its brain mask: the published one of patient 19 holds scalp and neck. */
const PATIENTS = { "01": 0.93, "03": 0.87, "19": 0.68 };

/** As a network gets it: less its mean, over its standard deviation, of all voxels. */
function normalised({ data }: Volume): Float32Array {
  let [sum, squares] = [0, 0];
  for (const v of data) sum += v;
  const mean = sum / data.length;
  for (const v of data) squares += (v - mean) ** 2;
  const deviation = Math.sqrt(squares / data.length);
  return data.map((v) => (v - mean) / deviation);
}

/** Robust standard deviation of visit 2 − visit 1 in the brain: of every voxel, and smoothed by 1 mm. */
function spreads({ pair, brain }: MatchedPair): [number, number] {
  const { time1, time2 } = pair;
  const inside = movedMask(brain!, IDENTITY, time1).data;
  const [one, two] = [normalised(time1), normalised(time2)];
  const difference = two.map((v, i) => v - one[i]!);
  const smooth = gaussian(difference, time1.size, inVoxels(1, voxelSize(time1.affine)));
  const spread = (values: Float32Array) => robustSpread(values.filter((_, i) => inside[i])).sigma;
  return [spread(difference), spread(smooth)];
}

describe.skipIf(!SHARED_DATA)("bias between real visits", () => {
  for (const patient of Object.keys(PATIENTS)) {
    test(`patient ${patient}: the spread of the difference falls`, async () => {
      const read = async (k: number): Promise<ReadImage> => {
        const path = `${SHARED_DATA}/ljubljana_raw/raw/patient${patient}/study${k}_FLAIR.nii.gz`;
        return { path, image: await readVolume(path) };
      };
      const visits = [await read(1), await read(2)] as const;
      const off = await matchPair(memory, ...visits, { bias: "off" });
      const auto = await matchPair(memory, ...visits, { found: off.alignment });
      const [before, after] = [spreads(off), spreads(auto)];
      const columns = before.map((v, k) => `${v.toFixed(3)} → ${after[k]!.toFixed(3)}`);
      console.log(`| ${patient} | ${columns.join(" | ")} |`);
      before.forEach((v, k) => {
        expect(after[k]!).toBeLessThan(0.97 * v);
      });
    });
  }
});

describe.skipIf(!SHARED_DATA)("the brain mask beside the published one", () => {
  for (const [patient, least] of Object.entries(PATIENTS)) {
    test(`patient ${patient}`, async () => {
      const at = (name: string) => `${SHARED_DATA}/longitudinal/patient${patient}/${name}.nii.gz`;
      const published = await readMask(at("brain_mask"));
      const visits = await Promise.all([
        readVolume(at("flair_time01_on_middle_space")),
        readVolume(at("flair_time02_on_middle_space")),
      ]);
      const masks = visits.map((visit) => findBrain(visit).mask);
      const dices = masks.map(
        (mask) => overlap(published.data, movedMask(mask, IDENTITY, published).data).dice,
      );
      const seen = visits.map((grid, i) => ({ grid, toVisit: IDENTITY, mask: masks[i]! }));
      const both = movedMask(pairBrain(seen, published)!, IDENTITY, published).data;
      const counts = { all: 0, both: 0 };
      for (const name of ["ground_truth", "resolved"]) {
        const lesions = (await readMask(at(name))).data;
        const found = { all: 0, both: 0 };
        lesions.forEach((v, i) => {
          if (v === 0) return;
          found.all++;
          found.both += both[i]!;
        });
        for (const key of ["all", "both"] as const) counts[key] += found[key];
        const facts = `${found.both} of ${found.all} in both`;
        console.log(
          `| ${patient}, ${name} | ${dices.map((d) => d.toFixed(2)).join(", ")} | ${facts} |`,
        );
      }
      for (const dice of dices) expect(dice).toBeGreaterThan(least);
      expect(counts.both).toBeGreaterThan(0.99 * counts.all);
    });
  }
});
