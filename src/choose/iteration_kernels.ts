/** The kernel choices that recording one training iteration would make; needs no device. */
import { Graph } from "../core/graph";
import type { Capabilities } from "../core/kernel";
import { state } from "../core/tensor";
import type { Choices, Picked } from "../core/variant";
import type { TrainConfig } from "../settings/config";
import { recordIteration } from "../train/iteration";
import { isOverBatch } from "../train/loss";
import { makeShardTensors, ShardRecorder } from "../train/record_shards";
import { makeTrainState, trainedParameters } from "../train/state";

/** @param choices what has been tuned, for the picks that will really be made */
export function iterationPicks(
  caps: Capabilities,
  config: TrainConfig,
  choices?: Choices,
): readonly Picked[] {
  const g = new Graph(caps, { choices });
  const bindings = { table: state("table", [1, 8], "u32"), page0: state("page0", [1], "u32") };
  const store = { bindings, half: config.volumePrecision === "f16" };
  const train = makeTrainState(trainedParameters(config), config);
  const memory = { write: () => {} };
  if (config.microShards === undefined) recordIteration(g, memory, store, train, config);
  else {
    const shards = new ShardRecorder(memory, store, train, makeShardTensors(config), config);
    if (config.sampler === "ohem") shards.recordRanking(g);
    if (isOverBatch(config)) shards.recordTerms(g);
    shards.recordTraining(g);
    shards.recordUpdate(g);
  }
  return g.picks;
}
