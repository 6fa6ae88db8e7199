/** Settings of the work's layout on the device. They change results in rounding only. */
import { z } from "zod";
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
