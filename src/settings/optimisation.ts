/** Settings of the optimiser: learning rate, its schedule, deep supervision. */
import { z } from "zod";
import { SCHEDULES } from "./names";
import { NAME, NUMBER } from "./notation";
import { setting, theme, turnedOn } from "./setting";
import { positive } from "./values";

export const optimisationSettings = theme("Optimisation", {
  learningRate: setting(NUMBER, positive, "<r>", "initial learning rate"),
  schedule: setting(
    NAME,
    z.enum(SCHEDULES).default("step"),
    "<name>",
    "decay of the learning rate: step (the paper's), cosine or poly (nnU-Net's)",
  ),
  warmUp: setting(
    NUMBER,
    z.number().min(0).lt(1).default(0),
    "<share>",
    "share of the budget in which the learning rate rises",
  ),
  /** The heads are described in src/nn/deep_supervision.ts. */
  deepSupervision: turnedOn(
    z.boolean().default(false),
    "losses at the coarser levels of the decoder too",
  ),
});
