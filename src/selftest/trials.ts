/** The trials of a self-test: scans with planted lesions, and pairs of which the answer is known. */
import { Philox } from "../core/random";
import { voxelVolume } from "../data/affine";
import { gaussian, inVoxels } from "../data/smooth";
import { type Mask, type Volume, voxelSize } from "../data/volume";
import { findLesions, matchLesions } from "../eval/lesion_detection";
import { mean, wilson } from "../eval/statistics";
import type { Tissue } from "../synthesis/tissue";
import { type Planted, plant, plantedMm3 } from "./plant";
import type { Called, Measured, SizeResult } from "./record";

/** What is tested: the mask of what is new at the second of two visits on one grid. */
export type Detector = (one: Volume, two: Volume) => Promise<Mask>;

/** All on one grid. */
export interface TestedPair {
  readonly visit1: Volume;
  readonly visit2: Volume;
  /** Visit 2 moved by half a millimetre: registration may be wrong by that. */
  readonly moved: Volume;
  /** Of visit 2. */
  readonly tissue: Tissue;
}

export interface TrialOptions {
  /** Diameters, mm. */
  readonly sizes: readonly number[];
  /** Planted lesions of each size. */
  readonly lesions: number;
  readonly contrast: number;
  readonly seed: number;
  /** Of the steps. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** A planted scan that was looked at, kept for pictures. */
export interface Shown {
  readonly image: Volume;
  readonly lesion: Planted;
  readonly found: boolean;
}

/** Lesions of one size in one scan: more would leave little room between them. */
const PER_SCAN = 2;
/** Stream of the random numbers. */
const STREAM = 0x5e1f;
/** What was called new before is kept at this distance, about, mm. */
const AWAY_MM = 4;

/**
 * @returns what was measured, and of each size the first lesion with its scan
 * @throws the signal's reason when interrupted
 */
export async function runTrials(
  pair: TestedPair,
  detect: Detector,
  options: TrialOptions,
): Promise<{ readonly measured: Measured; readonly shown: readonly Shown[] }> {
  return new Trials(pair, detect, options).run();
}

class Trials {
  private done = 0;
  private readonly scans: number;
  private readonly shown = new Map<number, Shown>();
  /** By size: whether each planted lesion was found, and its volume. */
  private readonly found = new Map<number, { found: boolean; mm3: number }[]>();
  private falseLesions = 0;

  constructor(
    private readonly pair: TestedPair,
    private readonly detector: Detector,
    private readonly o: TrialOptions,
  ) {
    this.scans = Math.ceil(o.lesions / PER_SCAN);
    for (const size of o.sizes) this.found.set(size, []);
  }

  private async detect(one: Volume, two: Volume): Promise<Mask> {
    // Ctrl-C is seen when the event loop turns.
    await new Promise((resolve) => setTimeout(resolve, 0));
    this.o.signal?.throwIfAborted();
    const mask = await this.detector(one, two);
    this.done++;
    this.o.onProgress?.(this.done, this.scans + KNOWN);
    return mask;
  }

  async run() {
    const { visit1, visit2, moved } = this.pair;
    this.o.onProgress?.(0, this.scans + KNOWN);
    const before = await this.detect(visit1, visit2);
    const twice = calledIn(await this.detect(visit2, visit2));
    const shifted = further(await this.detect(visit1, moved), before, []);
    const swapped = await this.detect(visit2, visit1);
    const taken = widened(before, swapped);
    const plantedBefore = await this.plantedBefore(taken);
    for (let scan = 0; scan < this.scans; scan++) await this.scanWith(taken, before, scan);
    const checks = {
      ...{ asGiven: calledIn(before), swapped: calledIn(swapped), twice, moved: shifted },
      plantedBefore,
    };
    const { falseLesions, scans } = this;
    const measured: Measured = { sizes: this.bySize(), checks, falseLesions, scans };
    return { measured, shown: this.o.sizes.flatMap((size) => this.shown.get(size) ?? []) };
  }

  /** @param each planted lesions of each size */
  private planted(taken: Uint8Array, scan: number, each: number) {
    const { sizes, contrast, seed } = this.o;
    const wanted = sizes.flatMap((size) => Array<number>(each).fill(size));
    const { visit2, tissue } = this.pair;
    const random = new Philox(seed, STREAM, scan);
    return plant(visit2, tissue, taken, { sizes: wanted, contrast }, random);
  }

  private async scanWith(taken: Uint8Array, before: Mask, scan: number): Promise<void> {
    const { visit1 } = this.pair;
    const each = Math.min(PER_SCAN, this.o.lesions - scan * PER_SCAN);
    const { image, lesions } = this.planted(taken, scan, each);
    const mask = await this.detect(visit1, image);
    const isFound = foundIn(mask, lesions);
    for (const [k, lesion] of lesions.entries()) {
      const result = { found: isFound[k]!, mm3: plantedMm3(lesion, image) };
      this.found.get(lesion.sizeMm)!.push(result);
      if (!this.shown.has(lesion.sizeMm)) {
        this.shown.set(lesion.sizeMm, { image, lesion, found: result.found });
      }
    }
    this.falseLesions += further(mask, before, lesions).lesions;
  }

  /** A planted scan as the earlier visit, and visit 1 as the later one. */
  private async plantedBefore(taken: Uint8Array) {
    const { image, lesions } = this.planted(taken, this.scans, PER_SCAN);
    const mask = await this.detect(image, this.pair.visit1);
    return { calledNew: foundIn(mask, lesions).filter(Boolean).length, of: lesions.length };
  }

  private bySize(): SizeResult[] {
    return [...this.found].map(([sizeMm, results]) => {
      const found = results.filter((result) => result.found).length;
      const of = results.length;
      const interval = of > 0 ? wilson(found, of) : null;
      const meanMm3 = of > 0 ? mean(results.map(({ mm3 }) => mm3)) : null;
      return { sizeMm, found, of, interval, meanMm3 };
    });
  }
}

/** Pairs beside those with planted lesions in visit 2. */
const KNOWN = 5;

const componentsOf = (mask: Mask) => findLesions(mask.data, mask.size, 1, 26);

function calledIn(mask: Mask): Called {
  const { count } = componentsOf(mask);
  const voxels = mask.data.reduce((sum, v) => sum + v, 0);
  return { lesions: count, mm3: voxels * voxelVolume(mask.affine) };
}

/** Both masks and what lies near them. */
function widened(a: Mask, b: Mask): Uint8Array {
  const either = Float32Array.from(a.data, (v, i) => v | b.data[i]!);
  const wide = gaussian(either, a.size, inVoxels(AWAY_MM / 2, voxelSize(a.affine)));
  return Uint8Array.from(wide, (v) => (v > 1e-3 ? 1 : 0));
}

/** Whether each planted lesion is found, as the challenge counts (matchLesions). */
function foundIn(mask: Mask, lesions: readonly Planted[]): boolean[] {
  const data = new Uint8Array(mask.data.length);
  for (const { voxels } of lesions) for (const i of voxels) data[i] = 1;
  const reference = componentsOf({ ...mask, data });
  const { reference: verdicts } = matchLesions(reference, componentsOf(mask));
  return lesions.map(({ voxels }) => verdicts[reference.labels[voxels[0]!]! - 1] === "detected");
}

/** Components of a mask that touch nothing planted and nothing that was called new before. */
function further(mask: Mask, before: Mask, lesions: readonly Planted[]): Called {
  const known = before.data.slice();
  for (const { touched } of lesions) for (const i of touched) known[i] = 1;
  const { count, voxels } = componentsOf(mask);
  const others = Array.from({ length: count }, (_, c) => voxels(c + 1)).filter(
    (own) => !own.some((i) => known[i]),
  );
  const total = others.reduce((sum, own) => sum + own.length, 0);
  return { lesions: others.length, mm3: total * voxelVolume(mask.affine) };
}
