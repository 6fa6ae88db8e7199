/** Names that settings may have where the code that they name must know them; imports nothing. */

/** Parts of augmentation; the order is that of their random numbers (train/augment.ts). */
export const AUGMENTATIONS = [
  "flip",
  "rotate",
  "scale",
  "elastic",
  "noise",
  "blur",
  "brightness",
  "contrast",
  "lowres",
  "gamma",
  "bias",
] as const;
export type AugmentationPart = (typeof AUGMENTATIONS)[number];

/** How the learning rate falls (train/schedule.ts). */
export const SCHEDULES = ["step", "cosine", "poly"] as const;
export type ScheduleName = (typeof SCHEDULES)[number];
