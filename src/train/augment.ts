/**
 * Draws the augmentation of an iteration's patches, as a function of seed, iteration and place in the
 * pool alone. Ranges and probabilities are those of nnU-Net v2's default 3-D training (Isensee et al.
 * 2021; nnUNetTrainer.get_training_transforms), where it has the part. docs/guides/augmentation.md
 * tells where and why anything differs.
 */
import {
  type Augmentation,
  CORNER_WORDS,
  type ElasticWave,
  packAugmentation,
  ROW_LAYOUT,
  type VisitAugmentation,
  WAVES,
} from "../../kernels/volume/augmentation";
import { Philox } from "../core/random";
import type { VisitStatistics } from "../data/visit_statistics";
import { AUGMENTATIONS, type AugmentationPart } from "../settings/names";
import {
  blurNarrowness,
  gammaOf,
  lineOf,
  placed,
  rotation,
  scaled,
  type Vec3,
} from "./augment_maps";

type Range = readonly [low: number, high: number];

interface Chance {
  /** Probability for a patch. */
  readonly p: number;
  readonly range: Range;
  /** Probability for each visit of such a patch. */
  readonly each?: number;
}

export const CHANCES = {
  /** Degrees about each axis. */
  rotate: { p: 0.2, range: [-30, 30] },
  /** Source voxels per patch voxel, all axes alike. */
  scale: { p: 0.2, range: [0.7, 1.4] },
  /** Wavelengths in mm; the amplitude is at most ELASTIC_SLOPE of them. */
  elastic: { p: 0.2, range: [20, 60] },
  /** Standard deviation. nnU-Net calls this range a variance, and uses it as this. */
  noise: { p: 0.1, range: [0, 0.1] },
  /** σ in voxels, each axis its own. */
  blur: { p: 0.2, range: [0.5, 1], each: 0.5 },
  brightness: { p: 0.15, range: [0.75, 1.25] },
  contrast: { p: 0.15, range: [0.75, 1.25] },
  /** Zoom; the lattice has 1 / zoom voxels. */
  lowres: { p: 0.25, range: [0.5, 1], each: 0.5 },
  gamma: { p: 0.3, range: [0.7, 1.5] },
  /** Largest part by which the field lifts or lowers. */
  bias: { p: 0.15, range: [0, 0.3] },
} as const satisfies Record<Exclude<AugmentationPart, "flip">, Chance>;

/** Probability of a gamma map of the inverted image, before that of the image itself. */
const INVERTED_P = 0.1;
/** Amplitude of a wave over its length: three of them cannot fold space (8 · 3 · 0.02 < 1). */
const ELASTIC_SLOPE = 0.02;
/** Wavelengths of a bias field, mm. */
const BIAS_LENGTH: Range = [80, 200];

/** The stream of the seed that augmentation is drawn from. */
const STREAM = 2;
/** Blocks of random numbers that a part may use: parts do not move each other's numbers. */
const PART_BLOCKS = 16;

export interface AugmentOptions {
  readonly seed: number;
  readonly parts: readonly AugmentationPart[];
  /** Edge of a patch, voxels. */
  readonly patch: number;
  /** Edge of a voxel, mm. */
  readonly spacing: number;
  /** Of both visits of the volume in a row of the table. */
  readonly statisticsOf: (row: number) => readonly [VisitStatistics, VisitStatistics];
}

/** Words of a row of the `coords` tensor. */
export function rowWords(parts: readonly AugmentationPart[]): number {
  return parts.length > 0 ? ROW_LAYOUT.ROW : CORNER_WORDS;
}

/**
 * Rows for gatherAugmented.
 * @param corners (n, 4) = volume, z, y, x
 * @param anchors (n, 3): the voxel of each patch, z, y, x from its corner, about which it turns and
 *   scales, so that it stays inside
 */
export function augmentedRows(
  corners: Int32Array,
  anchors: Float64Array,
  iteration: number,
  options: AugmentOptions,
): Uint32Array {
  const count = corners.length / CORNER_WORDS;
  const words = new Uint32Array(count * ROW_LAYOUT.ROW);
  for (let n = 0; n < count; n++) {
    const corner = corners.subarray(n * CORNER_WORDS, (n + 1) * CORNER_WORDS);
    words.set(corner, n * ROW_LAYOUT.ROW);
    const random = new Philox(options.seed, STREAM, iteration, n);
    const [z = 0, y = 0, x = 0] = anchors.subarray(3 * n, 3 * n + 3);
    const statistics = options.statisticsOf(corner[0]!);
    packAugmentation(words, n, drawAugmentation(random, [z, y, x], statistics, options));
  }
  return words;
}

/** One patch's augmentation. */
export function drawAugmentation(
  random: Philox,
  anchor: Vec3,
  statistics: readonly [VisitStatistics, VisitStatistics],
  { parts, patch, spacing }: Pick<AugmentOptions, "parts" | "patch" | "spacing">,
): Augmentation {
  const draw = new Draw(random, new Set(parts));
  const visits = draw.visits(statistics, spacing);
  const key = draw.key();
  return { ...draw.space(anchor, patch, spacing), key, visits };
}

type VisitDraft = { -readonly [K in keyof VisitAugmentation]: VisitAugmentation[K] };

class Draw {
  constructor(
    private readonly random: Philox,
    private readonly parts: ReadonlySet<AugmentationPart>,
  ) {}

  /** Enters the numbers of a part and says whether the patch has it. */
  private happens(part: AugmentationPart, p: number): boolean {
    if (!this.parts.has(part)) return false;
    this.random.seek(PART_BLOCKS * (1 + AUGMENTATIONS.indexOf(part)));
    return this.random.uniform() < p;
  }

  private within([low, high]: Range): number {
    return this.random.uniform(low, high);
  }

  /** Half of the draws below 1 and half above it, as nnU-Net's factors. */
  private factor([low, high]: Range): number {
    return this.random.uniform() < 0.5 ? this.within([low, 1]) : this.within([1, high]);
  }

  private direction(): Vec3 {
    const { random } = this;
    const v = [random.normal(), random.normal(), random.normal()] as const;
    const length = Math.hypot(...v) || 1;
    return [v[0] / length, v[1] / length, v[2] / length];
  }

  key(): [number, number] {
    this.random.seek(0);
    return [this.random.u32(), this.random.u32()];
  }

  space(anchor: Vec3, patch: number, spacing: number) {
    const flips = this.happens("flip", 1);
    const flip = () => flips && this.random.uniform() < 0.5;
    const mirror: readonly [boolean, boolean, boolean] = [flip(), flip(), flip()];
    const turn = this.happens("rotate", CHANCES.rotate.p)
      ? rotation([0, 1, 2].map(() => (this.within(CHANCES.rotate.range) * Math.PI) / 180))
      : undefined;
    const scale = this.happens("scale", CHANCES.scale.p)
      ? this.within(CHANCES.scale.range)
      : undefined;
    const elastic = this.happens("elastic", CHANCES.elastic.p) ? this.waves(spacing) : undefined;
    if (!turn && scale === undefined && !elastic) return { mirror };
    const linear = (turn ?? [1, 0, 0, 0, 1, 0, 0, 0, 1]).map((v) => v * (scale ?? 1));
    return { mirror, affine: placed(linear, mirror, anchor, patch - 1, elastic ?? []), elastic };
  }

  private waves(spacing: number): ElasticWave[] {
    return Array.from({ length: WAVES }, () => {
      const length = this.within(CHANCES.elastic.range) / spacing;
      const amplitude = this.within([0, ELASTIC_SLOPE]) * length;
      const k = scaled(this.direction(), 1 / length);
      return { k, phase: this.random.uniform(), by: scaled(this.direction(), amplitude) };
    });
  }

  visits(
    statistics: readonly [VisitStatistics, VisitStatistics],
    spacing: number,
  ): [VisitAugmentation, VisitAugmentation] {
    const drafts: [VisitDraft, VisitDraft] = [{}, {}];
    this.sampling(drafts);
    if (this.happens("bias", CHANCES.bias.p)) {
      for (const [v, draft] of drafts.entries()) {
        const k = scaled(this.direction(), spacing / this.within(BIAS_LENGTH));
        const [phase, amplitude] = [this.random.uniform(), this.within(CHANCES.bias.range)];
        draft.bias = { k, phase, amplitude, air: statistics[v]!.air };
      }
    }
    this.tones(drafts, statistics);
    if (this.happens("noise", CHANCES.noise.p)) {
      for (const draft of drafts) draft.noise = this.within(CHANCES.noise.range);
    }
    return drafts;
  }

  private sampling(drafts: readonly VisitDraft[]): void {
    const third = <T>(draw: () => T) => [draw(), draw(), draw()] as const;
    if (this.happens("blur", CHANCES.blur.p)) {
      for (const draft of drafts) {
        const blurred = this.random.uniform() < CHANCES.blur.each;
        const narrowness = third(() => blurNarrowness(this.within(CHANCES.blur.range)));
        if (blurred) draft.blur = narrowness;
      }
    }
    if (!this.happens("lowres", CHANCES.lowres.p)) return;
    for (const draft of drafts) {
      const coarse = this.random.uniform() < CHANCES.lowres.each;
      const cell = 1 / this.within(CHANCES.lowres.range);
      const phase = third(() => this.random.uniform());
      if (!coarse) continue;
      draft.low = { cell, phase };
      // Coarse samples are blur enough, and taps of taps would be a thousand.
      delete draft.blur;
    }
  }

  /** Brightness and contrast, then gamma. */
  private tones(
    drafts: readonly VisitDraft[],
    statistics: readonly [VisitStatistics, VisitStatistics],
  ): void {
    const factors = (part: "brightness" | "contrast") => {
      const { p, range } = CHANCES[part];
      return this.happens(part, p) ? drafts.map(() => this.factor(range)) : undefined;
    };
    const [gains, contrasts] = [factors("brightness"), factors("contrast")];
    const gammas = this.happens("gamma", 1)
      ? [INVERTED_P, CHANCES.gamma.p].map((p) => {
          const has = this.random.uniform() < p;
          const powers = drafts.map(() => this.factor(CHANCES.gamma.range));
          return has ? powers : undefined;
        })
      : [];
    for (const [v, draft] of drafts.entries()) {
      const of = statistics[v]!;
      if (gains ?? contrasts) draft.line = lineOf(of, gains?.[v] ?? 1, contrasts?.[v]);
      const [inverted, gamma] = gammas;
      if (inverted ?? gamma) {
        draft.gamma = gammaOf(of, draft.line, inverted?.[v] ?? 1, gamma?.[v] ?? 1);
      }
    }
  }
}
