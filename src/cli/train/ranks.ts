/** `mpirun … bun run train`: this process as one of the ranks of a training. */
import { UserError } from "../../core/errors";
import type { Device } from "../../gpu/device";
import { openDevice } from "../../hosts/bun";
import { launchOf } from "../../mpi/launch";
import { Ranks } from "../../mpi/ranks";
import { exitCodeOf } from "../../platform/interruption";
import { Disagreement } from "../../run/agreement";
import { followTraining } from "../../run/follow";
import type { RunFolder } from "../../run/run_folder";
import { TerminalObserver } from "../../run/terminal_observer";
import type { TrainRequest } from "../../run/train";
import { parseTrainConfig, type TrainConfig } from "../../settings/config";
import { defaultMicroShards } from "../../settings/device";
import type { TrainFlags } from "./settings";

/** The launch of this process; undefined where it trains alone. */
export function launchFor({ mpi }: Pick<TrainFlags, "mpi">) {
  return mpi === false ? undefined : launchOf(process.env);
}

/** Joins the other ranks, unless there are none. @throws UserError */
export async function joinRanks(options: TrainFlags): Promise<Ranks | undefined> {
  const launch = launchFor(options);
  if (!launch || launch.size === 1) return undefined;
  const ranks = await Ranks.join(launch);
  if (ranks.size > 1) return ranks;
  await ranks.leave();
  return undefined;
}

/** The device of this rank: each of a machine takes another one, as far as they can be told apart. */
export async function deviceOf(options: TrainFlags, ranks: Ranks | undefined): Promise<Device> {
  const { adapter } = options;
  if (!ranks) return openDevice({ adapter });
  return openDevice({ adapter, turn: ranks.local.rank, quiet: ranks.rank > 0 });
}

/** The settings of a run that ranks share. @throws UserError where there is not enough to share */
export function sharedConfig(
  config: TrainConfig,
  resumed: RunFolder | undefined,
  options: TrainFlags,
  ranks: Ranks | undefined,
): TrainConfig {
  if (!launchFor(options)) return config;
  const size = ranks?.size ?? 1;
  const { batch, microShards } = config;
  if (microShards === undefined) {
    if (resumed && size > 1) {
      throw new UserError(
        `${resumed.path}: began without --micro-shards, so that ranks cannot share it: go on with it in ` +
          "one process, or start a new run",
      );
    }
    if (resumed) return config;
    const chosen = defaultMicroShards(batch);
    const shared = parseTrainConfig({ ...config, microShards: chosen });
    checkRanks(shared, size);
    return shared;
  }
  checkRanks(config, size);
  return config;
}

function checkRanks({ microShards, batch }: TrainConfig, size: number): void {
  if (size <= microShards!) return;
  throw new UserError(
    `${size} ranks share ${microShards} micro-shards of --batch ${batch}, and each needs one: start ` +
      `${microShards} ranks at most, or give more --micro-shards, which must divide the batch`,
  );
}

/** Lines about the sharing, of rank 0. */
export function sharingLines(
  { microShards, batch, allreduce }: TrainConfig,
  ranks: Ranks,
): string[] {
  const lines = [...ranks.description];
  const even = microShards! % ranks.size === 0 ? "" : "; some have one more than others, who wait";
  lines.push(
    `batch ${batch} in ${microShards} micro-shards of ${batch / microShards!}, shared by ${ranks.size} ranks${even}`,
  );
  if (allreduce) {
    lines.push(
      "--allreduce: gradients are added in an order that depends on the ranks; another number of them, or " +
        "another MPI, gives other bits",
    );
  }
  return lines;
}

class SilentObserver extends TerminalObserver {
  override note(): void {}
  override onMetrics(): void {}
  override onTuning(): void {}
}

/** Trains as another rank than 0, which alone speaks; sets the exit code. */
export async function followAtTerminal(
  device: Device,
  request: TrainRequest & { readonly ranks: Ranks },
): Promise<void> {
  const observer = new SilentObserver();
  const endedBy = await followTraining(device, request, observer, observer.signal);
  if (endedBy !== undefined) process.exitCode = exitCodeOf(endedBy);
}

/**
 * Runs this rank's work, and leaves the others as it ends: in order, or so that they know why. A rank
 * other than 0 whose end rank 0 tells of says nothing itself.
 */
export async function amongRanks(
  ranks: Ranks | undefined,
  work: () => Promise<void>,
): Promise<void> {
  if (!ranks) return work();
  try {
    await work();
    await ranks.leave();
  } catch (error) {
    if (error instanceof Disagreement) await ranks.leave();
    else if (ranks.lost) await ranks.afterLoss();
    else await ranks.abandon((error as Error).message);
    if (ranks.rank === 0 || !(error instanceof UserError)) throw error;
    // Rank 0 is gone without a word: the next one speaks for all.
    if (ranks.rank === 1 && ranks.lost?.rank === 0 && ranks.lost.isSudden) throw error;
    process.exitCode = 2;
  }
}
