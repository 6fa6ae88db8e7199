/** Training data that is made from the data there is. */
import { z } from "zod";
import { AUGMENTATIONS } from "./names";

export const augmentationSettings = {
  timeReversal: z.boolean(),
  /** Share of the training pairs that are synthetic, made of the others (src/synthesis). */
  synthetic: z.number().min(0).max(0.9).default(0),
  /** Which parts of augmentation vary the patches; none: they are as in the volumes. */
  augment: z.array(z.enum(AUGMENTATIONS)).default([]),
};
