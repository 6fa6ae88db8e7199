/**
 * Records the passes of an iteration: gather, forward, losses and gradients, in chunks of patches that
 * one dispatch can hold.
 */
import { add } from "../../kernels/elementwise/add";
import { classGradients } from "../../kernels/loss/class_gradients";
import { TERMS } from "../../kernels/loss/patch_loss";
import { takeRows } from "../../kernels/rows/take_rows";
import { writeSlice } from "../../kernels/rows/write_slice";
import { gatherAugmented } from "../../kernels/volume/gather_augmented";
import { gatherPatches } from "../../kernels/volume/gather_patches";
import type { Graph } from "../core/graph";
import { state, type Tensor } from "../core/tensor";
import type { VolumeStore } from "../data/volume_store";
import type { Memory } from "../gpu/memory";
import { coarseLabels, coarseLogits, LEVEL_WEIGHTS } from "../nn/deep_supervision";
import { patchesPerDispatch, type UNetConfig, type UNetLevels, unetLevels } from "../nn/unet3d";
import type { FlatParameters } from "../nn/weights";
import type { TrainConfig } from "../settings/config";
import { chunksFor } from "./chunk";
import {
  applyLoss,
  type BatchTotals,
  isOverBatch,
  type LossInputs,
  type LossSettings,
  type PatchLoss,
  seedOf,
  totalsOf,
} from "./loss";
import { type PatchErrors, patchErrors } from "./mining";
import { type TrainState, unetConfig } from "./state";

/** As much of a memory and of a store of volumes as recording needs: the real ones, or stand-ins. */
export type RecordingMemory = Pick<Memory, "write">;
export type RecordingStore = Pick<VolumeStore, "bindings" | "half">;

interface Chunk {
  readonly offset: number;
  readonly count: number;
}

/** [0, total) in near-equal parts of at most `most`. */
function chunksOf(total: number, most: number): Chunk[] {
  const parts = Math.ceil(total / most);
  const size = Math.ceil(total / parts);
  const chunks: Chunk[] = [];
  for (let offset = 0; offset < total; offset += size) {
    chunks.push({ offset, count: Math.min(size, total - offset) });
  }
  return chunks;
}

interface Forward {
  readonly levels: UNetLevels;
  readonly labels: Tensor;
}

/** Logits of a level that are trained, with their labels and their share in what is made small. */
interface Head extends LossInputs {
  readonly settings: LossSettings;
  readonly share: number;
}

/** A batch after its backward pass. */
export interface Trained extends Pick<PatchLoss, "loss" | "sums"> {
  /** Of the logits, squared and summed by class: (B, 2). */
  readonly gradients: Tensor;
  /** The mining error of each patch under w, where patches are ranked: (B). */
  readonly errors?: Tensor;
}

/** A batch of which a part is trained. */
export interface WholeBatch {
  /** Its patches. */
  readonly size: number;
  /** Of each head, where the loss is over the batch. */
  readonly totals?: readonly BatchTotals[];
}

export class Recorder {
  private readonly unet: UNetConfig;
  /** Most patches that are trained on, and that are ranked, in one dispatch. */
  private readonly chunk: number;
  private readonly rankChunk: number;

  constructor(
    private readonly g: Graph,
    private readonly memory: RecordingMemory,
    private readonly store: RecordingStore,
    private readonly config: TrainConfig,
  ) {
    this.unet = unetConfig(config);
    const { patch, precision } = config;
    const most = (wanted: number) =>
      patchesPerDispatch(this.unet, patch, g.caps.maxBindingBytes, wanted, precision);
    const { trained, ranked } = chunksFor(config, g.caps);
    this.chunk = most(trained);
    this.rankChunk = most(ranked);
  }

  /** Rows [offset, offset + count) of `rows`, by constant indices. */
  private rows(rows: Tensor, { offset, count }: Chunk): Tensor {
    if (offset === 0 && count === rows.shape[0]) return rows;
    const indices = state(`rows${offset}+${count}`, [count], "u32");
    this.memory.write(
      indices,
      Uint32Array.from({ length: count }, (_, i) => offset + i),
    );
    return this.g.apply(takeRows, { rows, indices }, {}).y!;
  }

  private forward(params: FlatParameters, coords: Tensor): Forward {
    const { g, store, config } = this;
    const size = [config.patch, config.patch, config.patch] as const;
    const { augment, difference, precision: dtype } = config;
    const attrs = { size, half: store.half, label: true, difference, dtype };
    const gather = augment.length > 0 ? gatherAugmented : gatherPatches;
    const { x, y } = g.apply(gather, { ...store.bindings, coords }, attrs);
    return { levels: unetLevels(g, params.named, x!, this.unet), labels: y! };
  }

  /** What a forward pass is trained on, the full size first. */
  private heads(params: FlatParameters, { levels, labels }: Forward): Head[] {
    const { g, config } = this;
    const full = { logits: levels.logits, target: labels, settings: config, share: 1 };
    if (!config.deepSupervision) return [full];
    const targets = coarseLabels(g, labels);
    const coarse = coarseLogits(g, params.named, levels).map((logits, i) => {
      // ε counts voxels, which are 8 times as large from level to level.
      const settings = { ...config, diceEpsilon: config.diceEpsilon / 8 ** (i + 1) };
      return { logits, target: targets[i]!, settings };
    });
    return [full, ...coarse].map((head, i) => ({ ...head, share: LEVEL_WEIGHTS[i]! }));
  }

  /** What a loss over the batch adds up, (N, TERMS) for each head: from a forward pass of its own. */
  terms(params: FlatParameters, coords: Tensor): Tensor[] {
    const { g } = this;
    const batch = coords.shape[0]!;
    const terms: Tensor[] = [];
    for (const chunk of chunksOf(batch, this.chunk)) {
      const heads = this.heads(params, this.forward(params, this.rows(coords, chunk)));
      for (const [i, head] of heads.entries()) {
        const { terms: src } = applyLoss(g, head, head.settings);
        terms[i] ??= g.tensor("batch_terms", [batch, TERMS]);
        g.apply(writeSlice, { dst: terms[i], src }, { offset: TERMS * chunk.offset });
      }
    }
    return terms;
  }

  /** Losses of the heads of a chunk; without `totals` the chunk is the whole batch. */
  private losses(heads: readonly Head[], totals?: readonly BatchTotals[]): PatchLoss[] {
    const { g, config } = this;
    return heads.map((head, i) => {
      if (!isOverBatch(config)) return applyLoss(g, head, head.settings);
      const own = () => totalsOf(g, applyLoss(g, head, head.settings).terms);
      return applyLoss(g, { ...head, totals: totals?.[i] ?? g.noGrad(own) }, head.settings);
    });
  }

  /** Error of every patch of `coords` under `params`. */
  errors(params: FlatParameters, coords: Tensor): PatchErrors {
    const { g } = this;
    const pool = coords.shape[0]!;
    const [errors, sums] = [g.tensor("errors", [pool]), g.tensor("pool_sums", [pool, 3])];
    for (const chunk of chunksOf(pool, this.rankChunk)) {
      const { levels, labels: target } = this.forward(params, this.rows(coords, chunk));
      const part = patchErrors(g, { logits: levels.logits, target }, this.config);
      g.apply(writeSlice, { dst: errors, src: part.errors }, { offset: chunk.offset });
      g.apply(writeSlice, { dst: sums, src: part.sums }, { offset: 3 * chunk.offset });
    }
    return { errors, sums };
  }

  /**
   * Gradients of the mean loss over the batch, into `train.gradient`, chunk after chunk.
   * @param whole the batch that these patches are a part of; absent where they are all of it
   */
  train(train: TrainState, coords: Tensor, whole?: WholeBatch): Trained {
    const { g, config } = this;
    const batch = coords.shape[0]!;
    const size = whole?.size ?? batch;
    for (const [name, w] of train.student.named) g.watch(w, train.gradient.named.get(name)!);
    const trained: Trained = {
      loss: g.tensor("loss", [batch]),
      sums: g.tensor("sums", [batch, 3]),
      gradients: g.tensor("gradients", [batch, 2]),
      errors: config.sampler === "ohem" ? g.tensor("own_errors", [batch]) : undefined,
    };
    const chunks = chunksOf(batch, this.chunk);
    const { student } = train;
    const twice = isOverBatch(config) && chunks.length > 1;
    const sums = () => this.terms(student, coords).map((all) => totalsOf(g, all));
    const totals = whole?.totals ?? (twice ? g.noGrad(sums) : undefined);
    for (const chunk of chunks) {
      const heads = this.heads(student, this.forward(student, this.rows(coords, chunk)));
      const losses = this.losses(heads, totals);
      const seeds = heads.map(({ share }, i) => {
        const seed = seedOf(g, train.scale, { count: chunk.count, value: share / size });
        return [losses[i]!.loss, seed] as const;
      });
      const gradients = g.backward(new Map(seeds), add);
      g.noGrad(() => this.keep(trained, chunk, heads[0]!, losses[0]!, gradients));
    }
    return trained;
  }

  /** Puts what is known of a chunk, at the full size, where it belongs in the batch. */
  private keep(
    { loss, sums, gradients, errors }: Trained,
    { offset }: Chunk,
    head: Head,
    part: PatchLoss,
    byTensor: ReadonlyMap<number, Tensor>,
  ): void {
    const { g, config } = this;
    const { target, logits } = head;
    const dx = byTensor.get(logits.id)!;
    const squares = g.apply(classGradients, { dx, target }, {}).y!;
    g.apply(writeSlice, { dst: loss, src: part.loss }, { offset });
    g.apply(writeSlice, { dst: sums, src: part.sums }, { offset: 3 * offset });
    g.apply(writeSlice, { dst: gradients, src: squares }, { offset: 2 * offset });
    if (!errors) return;
    const same = config.miningError === "loss" && !isOverBatch(config);
    const src = same ? part.loss : patchErrors(g, head, config).errors;
    g.apply(writeSlice, { dst: errors, src }, { offset });
  }
}
