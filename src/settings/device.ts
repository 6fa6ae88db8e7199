/** How the work is laid out on the device; none of it changes what is computed but in rounding. */
import { z } from "zod";
import { positive, whole } from "./values";

export const deviceSettings = {
  /** Most patches per dispatch, less where a binding holds less; absent: by adapter (chunk.ts). */
  chunk: whole.optional(),
  /** Blocks of the network are computed again in the backward pass, to save memory. */
  recompute: z.boolean().default(false),
  /** How activations and their gradients are stored; all arithmetic is f32. */
  precision: z.enum(["f32", "f16"]).default("f32"),
  volumePrecision: z.enum(["f32", "f16"]),
  /** Device memory for training volumes, bytes. */
  volumeBudget: positive,
};
