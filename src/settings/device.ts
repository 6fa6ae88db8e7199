/** Settings of the work's layout on the device. They change results in rounding only. */
import { z } from "zod";
import { UserError } from "../core/errors";
import { BYTES, NAME, NUMBER } from "./notation";
import { setting, theme, turnedOn } from "./setting";
import { whole } from "./values";

const PRECISIONS = z.enum(["f32", "f16"]);

export const deviceSettings = theme("Device", {
  /** Less where a binding holds less; absent: by adapter (src/train/chunk.ts). */
  chunk: setting(
    NUMBER,
    whole.optional(),
    "<n>",
    "most patches per dispatch: fewer take less memory",
  ),
  recompute: turnedOn(
    z.boolean().default(false),
    "compute blocks again in the backward pass, to save memory",
  ),
  /** Absent: the batch as a whole, by one process. */
  microShards: setting(
    NUMBER,
    whole.optional(),
    "<n>",
    "cut batch and pool into n parts, which the ranks of MPI share",
  ),
  allreduce: turnedOn(
    z.boolean().default(false),
    "add the ranks' gradients as MPI does: less to send, other bits for other numbers of ranks",
  ),
  /** Of activations and their gradients; all arithmetic is f32. */
  precision: setting(
    NAME,
    PRECISIONS.default("f32"),
    "<p>",
    "f32, or f16 to store activations in half the memory",
  ),
  volumePrecision: setting(NAME, PRECISIONS, "<p>", "f32, or f16 for half the device memory"),
  volumeBudget: setting(
    BYTES,
    z.number().positive(),
    "<bytes>",
    "device memory for training volumes",
  ),
});

/** Enough for 8 ranks; more cost more to send. */
const MOST_SHARDS = 8;

/** The micro-shards of a run whose user names none: as many as divide the batch, up to 8. */
export function defaultMicroShards(batch: number): number {
  let shards = Math.min(MOST_SHARDS, batch);
  while (batch % shards !== 0) shards--;
  return shards;
}

interface Sharing {
  readonly microShards?: number;
  readonly allreduce: boolean;
  readonly batch: number;
}

export function checkSharing({ microShards, allreduce, batch }: Sharing): void {
  if (microShards === undefined) {
    if (!allreduce) return;
    throw new UserError(
      "--allreduce does nothing without --micro-shards: give that too, or leave it out",
    );
  }
  if (batch % microShards !== 0) {
    const divisors = Array.from({ length: batch }, (_, i) => i + 1).filter((n) => batch % n === 0);
    throw new UserError(
      `--micro-shards ${microShards} does not divide --batch ${batch}: give one of ${divisors.join(", ")}`,
    );
  }
}
