/** The record of a self-test: what `selftest.json` holds, and what the page shows. */

/** It rises when a name or a meaning changes. */
export const SELFTEST_FORMAT = 1;

/** Planted lesions of one size. */
export interface SizeResult {
  /** Diameter of the sphere of their volume, mm. */
  readonly sizeMm: number;
  readonly found: number;
  readonly of: number;
  /** 95 % interval of the share that is found (Wilson); null where none could be planted. */
  readonly interval: readonly [low: number, high: number] | null;
  /** Of those that were planted, mm³. */
  readonly meanMm3: number | null;
}

/** What is called new in a pair. */
export interface Called {
  readonly lesions: number;
  readonly mm3: number;
}

/** Pairs of which the answer is known, and the pair as it is. */
export interface Checks {
  /** The two visits as they are. */
  readonly asGiven: Called;
  /** In the other order: what is called new is darker at visit 2. */
  readonly swapped: Called;
  /** Visit 2 twice: nothing is new. */
  readonly twice: Called;
  /** Visit 2 moved by half a millimetre against visit 1: lesions beside those of the pair as it is. */
  readonly moved: Called;
  /** Lesions planted in visit 2, the visits swapped: they vanish, and are called new all the same. */
  readonly plantedBefore: { readonly calledNew: number; readonly of: number };
}

export interface Measured {
  /** By size. */
  readonly sizes: readonly SizeResult[];
  readonly checks: Checks;
  /** Lesions in the planted scans that were neither planted nor there before, and the number of scans. */
  readonly falseLesions: number;
  readonly scans: number;
}

/** "good", with care, or not to be trusted. */
export type Grade = "good" | "care" | "bad";

export interface Verdict {
  readonly grade: Grade;
  readonly headline: string;
  /** Reasons, in plain words. */
  readonly lines: readonly string[];
}

export interface SelftestRecord extends Measured {
  readonly format: typeof SELFTEST_FORMAT;
  readonly program: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** The files or folders as they were named, without their folders. */
  readonly visits: readonly [string, string];
  readonly detector: {
    readonly kind: "network" | "change";
    readonly rule: string;
    readonly weights: readonly { readonly name: string; readonly sha256: string }[];
  };
  readonly voxelMm: readonly [number, number, number];
  /** Of a planted lesion above white matter, in units of white matter above air. */
  readonly contrast: number;
  readonly seed: number;
  /** Whether the two visits are fit to be compared, and lines about their comparison. */
  readonly quality: { readonly fit: boolean; readonly lines: readonly string[] };
  readonly verdict: Verdict;
}
