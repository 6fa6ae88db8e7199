/** A training as it is asked for, and with what serves it while it runs. */
import type { TuneFlags } from "../choose/tune_options";
import type { Memory } from "../gpu/memory";
import type { Ranks } from "../mpi/ranks";
import type { TrainConfig } from "../settings/config";
import type { Observer } from "./observer";
import type { RunFolder } from "./run_folder";
import type { DataRequest } from "./training_data";

export interface TrainRequest extends DataRequest, TuneFlags {
  readonly config: TrainConfig;
  /** The run to go on with, whose settings `config` repeats but for the budget; absent: a new one. */
  readonly resumed?: RunFolder;
  /** Folder of a new run: in runs/ if absent. */
  readonly out?: string;
  /** The processes that share the run's micro-shards; rank 0 writes. */
  readonly ranks?: Ranks;
}

export interface TrainTask {
  readonly memory: Memory;
  readonly request: TrainRequest;
  readonly observer: Observer;
  readonly signal: AbortSignal;
}
