/** Rank 0 of a training: it decides what all ranks do next, shares validation, and watches their pace. */
import { maskOfRuns, runsOf } from "../data/mask_runs";
import type { Ranks } from "../mpi/ranks";
import type { Beat } from "../mpi/watch";
import { type EndSignal, endSignalOf, Interruption } from "../platform/interruption";
import type { TrainConfig } from "../settings/config";
import type { SharingMetrics } from "../train/metrics";
import { shardsOf } from "../train/micro_shards";
import type { PatientOutcome, ValidationPatient, ValidationTask } from "./validate";

/** What rank 0 has the others do. */
export type Order =
  | { readonly do: "step"; readonly progress: number }
  | { readonly do: "validate"; readonly task: ValidationTask }
  | { readonly do: "end"; readonly signal?: EndSignal };

type Predict = (
  task: ValidationTask,
  patients: readonly ValidationPatient[],
) => Promise<PatientOutcome[]>;

/** One of the ranks that share the validation of a run. */
export interface Sharer {
  readonly ranks: Ranks;
  /** All of them, in the same order on every rank. */
  readonly patients: readonly ValidationPatient[];
  readonly predict: Predict;
  /** Of this rank. */
  readonly controller: AbortController;
}

type Stored = Omit<PatientOutcome, "mask"> & { readonly runs: readonly number[] };

/**
 * Predicts this rank's part of the patients.
 * @returns the outcomes of all
 * @throws the signal's reason on every rank, where one of them was interrupted
 */
export async function shareValidation(
  { ranks, patients, predict, controller }: Sharer,
  task: ValidationTask,
): Promise<PatientOutcome[]> {
  const { signal } = controller;
  const own = patients.filter((_, i) => i % ranks.size === ranks.rank);
  let part: Stored[] | EndSignal;
  try {
    const outcomes = await predict(task, own);
    part = outcomes.map(({ mask, ...rest }) => ({ ...rest, runs: runsOf(mask).runs }));
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    part = endSignalOf(signal);
  }
  const parts = await ranks.gatherValues(part);
  const ended = parts.find((each) => typeof each === "string");
  if (typeof ended === "string") {
    if (!signal.aborted) controller.abort(new Interruption(ended, performance.now() / 1000));
    throw signal.reason;
  }
  const found = new Map((parts as Stored[][]).flat().map((each) => [each.id, each]));
  return patients.map(({ patient: { id }, truth: { size, affine } }) => {
    const { runs, ...rest } = found.get(id)!;
    return { ...rest, mask: maskOfRuns({ size, affine, runs }) };
  });
}

/** A rank is slow when a micro-shard takes it so many times as long as the others, */
const SLOW = 1.5;
/** measured over so many seconds of computing. */
const MEASURED = 5;

export class Lead {
  private first: readonly Beat[] | undefined;
  private readonly named = new Set<number>();

  constructor(
    private readonly sharer: Sharer,
    private readonly config: Pick<TrainConfig, "microShards">,
  ) {}

  private order(order: Order): Promise<Order> {
    return this.sharer.ranks.broadcastValue(order);
  }

  async beforeStep(progress: number): Promise<void> {
    await this.order({ do: "step", progress });
  }

  async validate(task: ValidationTask): Promise<PatientOutcome[]> {
    await this.order({ do: "validate", task });
    return shareValidation(this.sharer, task);
  }

  /** Lets the others end. */
  async end(): Promise<void> {
    const { signal } = this.sharer.controller;
    await this.order({ do: "end", signal: signal.aborted ? endSignalOf(signal) : undefined });
  }

  /**
   * The number of ranks, and the share of time that they exchange: that of the rank which waits least,
   * since the others wait for it too. From the second report on.
   */
  metrics(): SharingMetrics {
    const { ranks } = this.sharer;
    const spent = this.spent();
    if (!spent) return { ranks: ranks.size };
    const shares = spent.map(({ computing, exchanging }) => exchanging / (computing + exchanging));
    return { ranks: ranks.size, exchangeShare: Math.min(...shares) };
  }

  /** Names ranks that are slow, each once. */
  slowLines(): string[] {
    const { ranks } = this.sharer;
    const spent = this.spent();
    if (!spent || ranks.size < 2 || spent.some(({ computing }) => computing < MEASURED)) return [];
    const perShard = spent.map(({ computing }, rank) => {
      const { first, end } = shardsOf(rank, ranks.size, this.config.microShards!);
      return computing / (end - first);
    });
    return perShard.flatMap((seconds, rank) => {
      const others = perShard.filter((_, i) => i !== rank).sort((a, b) => a - b);
      const times = seconds / others[Math.floor((others.length - 1) / 2)]!;
      if (times < SLOW || this.named.has(rank)) return [];
      this.named.add(rank);
      const name = ranks.nameOf(rank);
      return [`${name} is slow: ${times.toFixed(1)} × the others' time; all ranks wait for it`];
    });
  }

  /** Seconds of each rank since the first report: before it kernels are compiled. */
  private spent(): Pick<Beat, "computing" | "exchanging">[] | undefined {
    const now = this.sharer.ranks.beats;
    const { first } = this;
    if (!first) {
      this.first = now;
      return undefined;
    }
    const spent = now.map(({ computing, exchanging }, rank) => ({
      computing: computing - first[rank]!.computing,
      exchanging: exchanging - first[rank]!.exchanging,
    }));
    return spent.every(({ computing }) => computing > 0) ? spent : undefined;
  }
}
