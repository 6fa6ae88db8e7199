/** A small model's weights file and two visits, without any training. */
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { writeVolume } from "../src/data/nifti_write";
import type { StoredTensor } from "../src/data/safetensors";
import { type ModelInfo, weightsMetadata } from "../src/infer/model_info";
import { initialise, toNamed, unetParameters } from "../src/nn/parameters";
import { TEST_UNET } from "../src/portability/test_unet";

export const MODEL: ModelInfo = {
  unet: { ...TEST_UNET, filters: [4, 4, 4], groups: 2 },
  ...{ spacing: 2, patch: 8, stride: 6, normalisation: "volume", difference: false },
  ...{ windowWeights: "uniform", mirror: "" },
};

/** The contents of a weights file of `MODEL`; `change` may alter its tensors. */
export function weightsContents(change: (tensors: Map<string, StoredTensor>) => void = () => {}) {
  const specs = unetParameters(MODEL.unet);
  const tensors = new Map<string, StoredTensor>(toNamed(specs, initialise(specs, 1)));
  change(tensors);
  return { tensors, metadata: weightsMetadata(MODEL) };
}

/** Writes two noisy visits of 12³ voxels of 2 mm and gives the options of `predict` that name them. */
export async function writeVisits(folder: string): Promise<string[]> {
  const random = new Philox(7);
  const paths = ["t1", "t2"].map((name) => join(folder, `${name}.nii.gz`));
  for (const path of paths) {
    await writeVolume(path, {
      size: [12, 12, 12],
      affine: [2, 0, 0, -12, 0, 2, 0, -12, 0, 0, 2, -12, 0, 0, 0, 1],
      data: Float32Array.from({ length: 12 ** 3 }, () => 100 + 20 * random.normal()),
    });
  }
  return ["-t1", paths[0]!, "-t2", paths[1]!];
}
