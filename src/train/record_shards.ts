/**
 * An iteration in parts: ranking a part of the pool, the gradients of a part of the batch, and the
 * update by what all parts give. Each is recorded once and replayed for part after part.
 */
import { TERMS } from "../../kernels/loss/patch_loss";
import { takeRows } from "../../kernels/rows/take_rows";
import { writeSlice } from "../../kernels/rows/write_slice";
import type { Graph } from "../core/graph";
import { state, type Tensor } from "../core/tensor";
import { headsOf } from "../nn/deep_supervision";
import type { TrainConfig } from "../settings/config";
import { recordUpdate } from "./iteration";
import { isOverBatch, totalsOf } from "./loss";
import { selectPatches } from "./mining";
import { Recorder, type RecordingMemory, type RecordingStore } from "./recorder";
import { sampleCount, type TrainState } from "./state";

/** Floats that are known of a ranked patch: its error, Σpy, Σp and Σy. */
export const RANKED_FLOATS = 4;
/** Of a trained one: loss, Σpy, Σp, Σy, the gradient's two squares, and its error under w. */
export const TRAINED_FLOATS = 7;

/** What the parts read and leave between their programs. */
export interface ShardTensors {
  /** Places in the pool of a part of it: (P) u32. */
  readonly ranking: Tensor;
  /** Its errors, then its sums: (4P). */
  readonly ranked: Tensor;
  /** Of the whole pool: (B̄) and (B̄, 3). */
  readonly errors: Tensor;
  readonly sums: Tensor;
  /** Places in the batch of a part of it: (n) u32. */
  readonly training: Tensor;
  /** What a loss over the batch adds up of that part, head after head: (heads, n, TERMS). */
  readonly terms: Tensor;
  /** Of the whole batch, for each head: (B, TERMS). */
  readonly batchTerms: readonly Tensor[];
  /** Its losses, sums, squared gradients and errors: (7n). */
  readonly trained: Tensor;
  /** Of the whole batch: (B), (B, 3), (B, 2) and (B). */
  readonly loss: Tensor;
  readonly batchSums: Tensor;
  readonly gradients: Tensor;
  readonly ownErrors: Tensor;
}

/** Patches of a part: of the pool the last part may have fewer. */
export function shardSizes(config: TrainConfig): { ranked: number; trained: number } {
  const shards = config.microShards!;
  return {
    ranked: Math.ceil(sampleCount(config) / shards),
    trained: config.batch / shards,
  };
}

export function makeShardTensors(config: TrainConfig): ShardTensors {
  const { ranked, trained } = shardSizes(config);
  const [pool, batch] = [sampleCount(config), config.batch];
  return {
    ranking: state("shard_ranking", [ranked], "u32"),
    ranked: state("shard_ranked", [RANKED_FLOATS * ranked]),
    errors: state("pool_errors", [pool]),
    sums: state("pool_sums", [pool, 3]),
    training: state("shard_training", [trained], "u32"),
    terms: state("shard_terms", [headsOf(config), trained, TERMS]),
    batchTerms: Array.from({ length: headsOf(config) }, (_, i) =>
      state(`batch_terms_${i}`, [batch, TERMS]),
    ),
    trained: state("shard_trained", [TRAINED_FLOATS * trained]),
    loss: state("batch_loss", [batch]),
    batchSums: state("batch_sums", [batch, 3]),
    gradients: state("batch_gradients", [batch, 2]),
    ownErrors: state("batch_errors", [batch]),
  };
}

export class ShardRecorder {
  constructor(
    private readonly memory: RecordingMemory,
    private readonly store: RecordingStore,
    private readonly train: TrainState,
    private readonly tensors: ShardTensors,
    private readonly config: TrainConfig,
  ) {}

  private recorder(g: Graph): Recorder {
    return new Recorder(g, this.memory, this.store, this.config);
  }

  /** Ranks the patches of `ranking` under w̄. */
  recordRanking(g: Graph): void {
    const { train, tensors } = this;
    const coords = g.apply(takeRows, { rows: train.coords, indices: tensors.ranking }, {}).y!;
    const part = g.noGrad(() => this.recorder(g).errors(train.momentum, coords));
    const dst = tensors.ranked;
    g.apply(writeSlice, { dst, src: part.errors }, { offset: 0 });
    g.apply(writeSlice, { dst, src: part.sums }, { offset: coords.shape[0]! });
  }

  /** Where patches are ranked: the batch's places in the pool. */
  private selected(g: Graph): Tensor | undefined {
    const { config, train, tensors } = this;
    return config.sampler === "ohem" ? selectPatches(g, tensors, train.step, config) : undefined;
  }

  /** The patches of `training`. */
  private part(g: Graph): Tensor {
    const { coords } = this.train;
    const indices = this.selected(g);
    const rows = indices ? g.apply(takeRows, { rows: coords, indices }, {}).y! : coords;
    return g.apply(takeRows, { rows, indices: this.tensors.training }, {}).y!;
  }

  /** What a loss over the batch adds up, of the patches of `training`. */
  recordTerms(g: Graph): void {
    const dst = this.tensors.terms;
    const coords = this.part(g);
    const heads = g.noGrad(() => this.recorder(g).terms(this.train.student, coords));
    for (const [i, src] of heads.entries()) {
      g.apply(writeSlice, { dst, src }, { offset: i * coords.shape[0]! * TERMS });
    }
  }

  /** The gradients of the patches of `training`, by the loss over the whole batch. */
  recordTraining(g: Graph): void {
    const { config, train, tensors } = this;
    const coords = this.part(g);
    const totals = isOverBatch(config)
      ? tensors.batchTerms.map((all) => g.noGrad(() => totalsOf(g, all)))
      : undefined;
    const part = this.recorder(g).train(train, coords, { size: config.batch, totals });
    const [dst, n] = [tensors.trained, coords.shape[0]!];
    const parts = [
      [part.loss, 0],
      [part.sums, n],
      [part.gradients, 4 * n],
      [part.errors, 6 * n],
    ] as const;
    for (const [src, offset] of parts) if (src) g.apply(writeSlice, { dst, src }, { offset });
  }

  /** Adam, the average and the statistics, by the gradient of the whole batch. */
  recordUpdate(g: Graph): void {
    const { train, tensors } = this;
    const indices = this.selected(g);
    const { loss, batchSums: sums, gradients, ownErrors, errors } = tensors;
    const own = indices && ownErrors;
    recordUpdate(g, train, { loss, sums, gradients, errors: own }, indices && { errors, indices });
  }
}
