/** How the weights follow the gradient. */
import { z } from "zod";
import { SCHEDULES } from "./names";
import { positive } from "./values";

export const optimisationSettings = {
  /** Initial, that is before the schedule lowers it. */
  learningRate: positive,
  schedule: z.enum(SCHEDULES).default("step"),
  /** Share of the budget in which the learning rate rises. */
  warmUp: z.number().min(0).lt(1).default(0),
  /** The decoder's coarser levels have heads and losses of their own (src/nn/deep_supervision.ts). */
  deepSupervision: z.boolean().default(false),
};
