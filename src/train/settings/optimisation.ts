/** How the weights follow the gradient. */
import { z } from "zod";
import { positive } from "./values";

export const optimisationSettings = {
  learningRate: positive,
  /** The decoder's coarser levels have heads and losses of their own (src/nn/deep_supervision.ts). */
  deepSupervision: z.boolean().default(false),
};
