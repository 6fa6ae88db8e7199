/** Training data that is made from the data there is. */
import { z } from "zod";
import { AUGMENTATIONS } from "../augment";

export const augmentationSettings = {
  timeReversal: z.boolean(),
  /** Which parts of augmentation vary the patches; none: they are as in the volumes. */
  augment: z.array(z.enum(AUGMENTATIONS)).default([]),
};
