/** Weights that a training starts from, and those that they came from: in a run's settings and in its weights files. */
import { z } from "zod";

export const START_PARTS = ["all", "body"] as const;
/** All of the given weights, or all but the head. */
export type StartParts = (typeof START_PARTS)[number];

const ancestorSchema = z.strictObject({
  /** The file: its path in a run's settings, its name in a weights file. */
  weights: z.string().min(1),
  /** SHA-256 of the file's bytes, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hex digits"),
  parts: z.enum(START_PARTS),
});

/** Weights that a training has started from. */
export type Ancestor = Readonly<z.output<typeof ancestorSchema>>;

/** The newest first: the file that the training itself starts from. */
export const lineageSchema = z.array(ancestorSchema).min(1);
