/** Training data that is made from the data there is. */
import { z } from "zod";

export const augmentationSettings = {
  timeReversal: z.boolean(),
};
