/** The fates of a lesion between two visits: which there are, how often, and by how much. */

/** What happens to a lesion between the visits. */
export const FATES = ["new", "grown", "brighter", "same", "changed", "shrunk", "gone"] as const;
export type Fate = (typeof FATES)[number];

/** Fates that put voxels into the label, and those that do for the time-swapped pair. */
export const APPEARS: readonly Fate[] = ["new", "grown", "brighter"];
export const DISAPPEARS: readonly Fate[] = ["gone", "shrunk"];

export const EVOLUTION = {
  /** Share of pairs in which nothing is new. */
  unchanged: 0.3,
  /** Of new lesions in the other pairs: 1 + an exponential number of this mean, at most. */
  more: 2.6,
  mostNew: 16,
  /** Volumes in mm³: a logarithmic normal distribution within bounds. */
  volume: { median: 55, spread: 1.25, least: 4, most: 3500 },
  /** Lift above the tissue around, in units of white matter. */
  contrast: { median: 0.45, spread: 0.4, least: 0.2, most: 1.1 },
  regions: {
    periventricular: 0.27,
    juxtacortical: 0.22,
    cortical: 0.09,
    deep: 0.24,
    infratentorial: 0.12,
    confluent: 0.06,
    fluid: 0,
  },
  /** Share of pairs with lesions that shrink or go, that grow, and that stay; and how many at most. */
  gone: { share: 0.4, most: 5 },
  grown: { share: 0.25, most: 3 },
  same: { share: 0.75, most: 14 },
  /** Growth in mm that is labelled, and that is not. */
  growth: { clear: [1.3, 3], slight: 0.3 },
  /** Change of brightness that is labelled, and that is not (deviation of the factor). */
  brightening: { clear: [0.3, 0.6], slight: 0.06 },
  /** Of a scan's own lesions: share that was not there at visit 1, or is not at visit 2, or neither. */
  own: { new: 0.14, gone: 0.07, never: 0.08 },
  /** Bright flow in fluid at one visit alone: volumes in mm³, and the share that lies low, around the brain stem. */
  flow: { share: 0.65, most: 10, mm3: [8, 1200], height: [0.15, 1.1], low: 0.5 },
  /** Spots in the brain that are a little brighter at one visit, and no lesions. */
  faint: { share: 0.6, most: 8, mm3: [8, 300], height: [0.03, 0.11] },
  /** Least that a labelled lesion must stand out by in its scan, of white matter, and of the noise. */
  seen: { least: 0.18, noise: 3 },
} as const;
