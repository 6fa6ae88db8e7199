/**
 * Times the exchange of an iteration among the ranks of MPI, with the message sizes of a preset:
 * `mpirun -n 4 bun bench/mpi.ts [preset]`. Nothing is computed, so that the network alone is measured.
 */
import { launchOf } from "../src/mpi/launch";
import { Ranks } from "../src/mpi/ranks";
import { layout } from "../src/nn/parameters";
import { defaultMicroShards } from "../src/settings/device";
import { makeTrainConfig, presetOf } from "../src/settings/presets";
import { printResult, resultsWritten } from "../src/terminal/result";
import { shardsOf } from "../src/train/micro_shards";
import { RANKED_FLOATS, TRAINED_FLOATS } from "../src/train/record_shards";
import { trainedParameters } from "../src/train/state";

const REPEATS = 9;

const launch = launchOf(process.env);
if (!launch) throw new Error("start it by mpirun: mpirun -n 4 bun bench/mpi.ts");
const ranks = await Ranks.join(launch);
const config = makeTrainConfig(presetOf(process.argv[2] ?? "paper"), {});
const shards = defaultMicroShards(config.batch);
const { total } = layout(trainedParameters(config));
const shardFloats = total + (TRAINED_FLOATS * config.batch) / shards;

async function median(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < REPEATS; i++) {
    await ranks.gatherValues(i); // all begin together
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[Math.floor(REPEATS / 2)]!;
}

const lengths = (floats: number) =>
  Array.from({ length: ranks.size }, (_, rank) => {
    const { first, end } = shardsOf(rank, ranks.size, shards);
    return (end - first) * floats;
  });
const gather = (floats: number) => {
  const part = new Float32Array(lengths(floats)[ranks.rank]!);
  return median(() => ranks.gatherFloats(part, lengths(floats)));
};
const gradients = await gather(shardFloats);
const errors = await gather((RANKED_FLOATS * config.pool) / shards);
const sums = await median(() => ranks.sum(new Float32Array(total)));
const order = await median(() => ranks.broadcastValue({ do: "step", progress: 0.5 }));
if (ranks.rank === 0) {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  const mb = (floats: number) => `${((4 * floats) / 1e6).toFixed(2)} MB`;
  printResult(
    [
      `${ranks.size} ranks, ${ranks.library}; ${shards} micro-shards, median of ${REPEATS}`,
      `gradients, every part (${mb(shards * shardFloats)} in all): ${ms(gradients)}`,
      `gradients, --allreduce (${mb(total)}): ${ms(sums)}`,
      `errors of the pool: ${ms(errors)}; order of rank 0: ${ms(order)}`,
    ].join("\n"),
  );
}
await resultsWritten();
await ranks.leave();
