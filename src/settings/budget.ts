/** How long a run is, and how often it says and saves something. */
import { z } from "zod";
import { positive, share, whole } from "./values";

export const budgetSettings = {
  seed: z.number().int().min(0),
  /** Training time in seconds, or iterations: one of the two. */
  seconds: positive.optional(),
  iterations: whole.optional(),
  /** Share of the budget between two validations. */
  validateEvery: share,
  /** Iterations between two reports. */
  reportEvery: whole,
};
