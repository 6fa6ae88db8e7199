/** Predicts a probability map from two visits, by one network or the mean of several. */
import { DevicePair, type ImagePair } from "../data/preprocess";
import type { Volume } from "../data/volume";
import { targetGrid } from "../data/working_grid";
import type { Memory } from "../gpu/memory";
import { grouped } from "./grouped";
import { type Member, type PredictOptions, predictionTotal, predictProbability } from "./predict";
import { WeightedMean } from "./weighted_mean";

export interface EnsembleOptions extends Omit<PredictOptions, "onStage"> {
  readonly onStage?: (stage: string) => void;
}

/**
 * Mean probability over all members on the grid of the first visit. Members of one spacing and
 * normalisation share a preparation, which is made once; each keeps its own windows.
 * @param names of the two images, for messages
 * @throws UserError when an image cannot be normalised, or the signal's reason when interrupted
 */
export async function predictPair(
  memory: Memory,
  members: readonly Member[],
  pair: ImagePair,
  names: readonly [string, string],
  options: EnsembleOptions = {},
): Promise<Volume> {
  const native = pair.time1;
  const groups = grouped(members, ({ model }) => preparationOf(model));
  const counts = groups.map((group) => {
    const { size } = targetGrid(native, group[0]!.model.spacing);
    return predictionTotal(size, group);
  });
  const total = counts.reduce((sum, count) => sum + count, 0);
  const mean = new WeightedMean();
  let before = 0;
  for (const [i, group] of groups.entries()) {
    const onProgress = (done: number) => options.onProgress?.(before + done, total);
    const map = await predictGroup(memory, group, pair, names, { ...options, onProgress });
    mean.add(map.data, group.length);
    before += counts[i]!;
  }
  return { size: native.size, affine: native.affine, data: mean.mean };
}

const preparationOf = ({ spacing, normalisation }: Member["model"]) =>
  `${spacing} ${normalisation}`;

/** Members of one preparation. */
async function predictGroup(
  memory: Memory,
  members: readonly Member[],
  pair: ImagePair,
  names: readonly [string, string],
  options: EnsembleOptions,
): Promise<Volume> {
  const prepared = await DevicePair.create(memory, pair, names, members[0]!.model);
  try {
    options.onStage?.("mean and deviation");
    const { grid } = prepared;
    const fill: DevicePair["fill"] = (ranges) => prepared.fill(ranges);
    const source = { id: names[0], size: grid.size, lesions: [], fill };
    return await predictProbability(memory, members, source, grid, pair.time1, options);
  } finally {
    prepared.release();
  }
}
