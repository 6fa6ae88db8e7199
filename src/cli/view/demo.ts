/** A made-up patient, predicted: what `bun run view` shows where no result is named. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../../core/random";
import { writeVolume } from "../../data/nifti_write";
import { makePatient } from "../../data/phantom/patient";
import { gaussian, inVoxels } from "../../data/smooth";
import type { Volume } from "../../data/volume";
import { openDevice } from "../../hosts/bun";
import { removeQuietly } from "../../platform/leftovers";
import type { Result } from "../../result/parts";
import { changeOfFiles } from "../../run/change_pair";
import { hashed, visitNames } from "../../run/file_hash";
import { loadModels } from "../../run/models";
import { predictFiles } from "../../run/predict_pair";
import { resultOfAnswer, resultOfChange } from "../../run/result_of_pair";
import { SHIPPED, shippedWeights } from "../../run/shipped_weights";
import type { TerminalObserver } from "../../run/terminal_observer";

/** As large as a head, so that the brain is found in it. */
const PHANTOM = { seed: 0, spacing: 1.25, fieldOfView: [160, 190, 160] } as const;
/** Smoothing of its noise and of its lesions' edges, mm. */
const SMOOTH_MM = 1;
/** Of the second visit against the first: gain, noise, and how much brighter a lesion is than the head. */
const [GAIN, NOISE, LESION] = [1.1, 0.02, 0.7];

/** The result of the made-up patient: by the weights that come with voxgrad, else the statistic. */
export async function demoResult(
  { adapter }: { readonly adapter?: string },
  observer: TerminalObserver,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-demo-"));
  try {
    const [t1, t2] = [join(folder, "visit1.nii"), join(folder, "visit2.nii")];
    const visits = madeUpVisits();
    await writeVolume(t1, visits[0]);
    await writeVolume(t2, visits[1]);
    const open = () => openDevice({ adapter });
    const pair = { t1, t2, grid: "t1", withVisits: true } as const;
    const names = { ...pair, ...visitNames(pair), patient: "made-up patient" };
    if (shippedWeights().length === 0) {
      const change = await changeOfFiles(pair, open, observer, observer.signal);
      return resultOfChange(change, names);
    }
    const models = loadModels([SHIPPED], {});
    const request = { ...pair, models, precision: "f32", tune: "off", tuneSeconds: 60 } as const;
    const answer = await predictFiles(request, open, observer, observer.signal);
    return resultOfAnswer(answer, hashed(models), names);
  } finally {
    removeQuietly(folder);
  }
}

/**
 * The first visit of a phantom, and the same head again with the phantom's new lesions: what differs between
 * the phantom's own two visits is mostly noise, in which no check sees one head.
 */
function madeUpVisits(): readonly [Volume, Volume] {
  const { visits, truth } = makePatient(PHANTOM, 0);
  const { size, affine } = visits[0];
  const sigma = inVoxels(SMOOTH_MM, [PHANTOM.spacing, PHANTOM.spacing, PHANTOM.spacing]);
  const first = gaussian(visits[0].data, size, sigma);
  const lesions = gaussian(Float32Array.from(truth.data), size, sigma);
  const bright = first.toSorted()[Math.floor(0.98 * first.length)]!;
  const random = new Philox(PHANTOM.seed, 1);
  const second = first.map(
    (v, i) => GAIN * (v + LESION * bright * lesions[i]!) + NOISE * bright * random.normal(),
  );
  return [
    { size, affine, data: first },
    { size, affine, data: second },
  ];
}
