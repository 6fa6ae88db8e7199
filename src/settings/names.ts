/** Names that settings take and that other code must know too; imports nothing. */

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

/** How z-normalisation finds its voxels: all of the volume, those that are not 0, or a mask's. */
export const NORMALISATIONS = ["volume", "nonzero", "mask"] as const;

/** Whether the visits of a pair are put on each other; auto: where they do not lie so already. */
export const REGISTER_MODES = ["auto", "always", "off"] as const;
export type RegisterMode = (typeof REGISTER_MODES)[number];

/** The smooth difference in brightness between visits; auto: taken out where they show one head. */
export const BIAS_MODES = ["auto", "off"] as const;
export type BiasMode = (typeof BIAS_MODES)[number];

/** How overlapping windows are averaged: all voxels alike, or those near a window's centre more. */
export const WINDOW_WEIGHTS = ["uniform", "gaussian"] as const;
export type WindowWeights = (typeof WINDOW_WEIGHTS)[number];

/** Any of the axes of an image's voxel grid, in this order; "" for no mirroring. */
export const MIRRORS = ["", "x", "y", "z", "xy", "xz", "yz", "xyz"] as const;
export type Mirror = (typeof MIRRORS)[number];
