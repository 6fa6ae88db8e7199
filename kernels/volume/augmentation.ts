/** The parameters of an augmented patch, and their layout in a row (gather_augmented.wgsl). */

type Vec3 = readonly [z: number, y: number, x: number];

/** Words of a row before the parameters: volume and corner. */
export const CORNER_WORDS = 4;

/** Offsets in a row, in 32-bit words; consts of the shader. */
export const ROW_LAYOUT = {
  FLAGS: CORNER_WORDS,
  AFFINE: 5,
  KEY: 17,
  WAVES: 19,
  VISIT: 40,
  VISIT_WORDS: 21,
  ROW: 82,
} as const;

/** Elastic waves of a patch. */
export const WAVES = 3;

/** Bits of the flags: mirrored axes z, y, x are bits 0 to 2; those of a visit start at bit 8 or 16. */
export const PATCH_FLAGS = { moved: 8, elastic: 16 } as const;
export const VISIT_FLAGS = { low: 1, blur: 2, bias: 4, line: 8, gamma: 16, noise: 32 } as const;

/** Reach of the blur's kernel, voxels: (1 − d²/R²) · exp(−d² / 2s²) within it. */
export const BLUR_REACH = 2.5;

/** A displacement by `by · wave(k · o + phase)`; o in voxels of the patch. */
export interface ElasticWave {
  /** Periods per voxel. */
  readonly k: Vec3;
  readonly phase: number;
  /** Voxels. */
  readonly by: Vec3;
}

/** What one visit has; each part by itself. Applied in this order. */
export interface VisitAugmentation {
  /** 1 / 2s² per axis, see BLUR_REACH. Not together with `low`. */
  readonly blur?: Vec3;
  /** Nearest samples on a lattice of `cell` voxels, joined linearly. */
  readonly low?: { readonly cell: number; readonly phase: Vec3 };
  /** (v − air) · (1 + amplitude · wave(k · o + phase)) + air. */
  readonly bias?: {
    readonly k: Vec3;
    readonly phase: number;
    readonly amplitude: number;
    readonly air: number;
  };
  /** clamp(factor · v + offset, least, most). */
  readonly line?: {
    readonly factor: number;
    readonly offset: number;
    readonly least: number;
    readonly most: number;
  };
  /** u = (v − least) / range; u = 1 − (1 − u)^inverted; factor · u^gamma + offset. */
  readonly gamma?: {
    readonly least: number;
    readonly range: number;
    readonly inverted: number;
    readonly gamma: number;
    readonly factor: number;
    readonly offset: number;
  };
  /** Standard deviation of the added noise. */
  readonly noise?: number;
}

export interface Augmentation {
  /** Axes z, y, x that are mirrored; not with `affine`, which has them in it. */
  readonly mirror: readonly [boolean, boolean, boolean];
  /** 3 × 4, rows z, y, x: where patch voxel (z, y, x, 1) lies, in voxels from the corner. */
  readonly affine?: readonly number[];
  readonly elastic?: readonly ElasticWave[];
  /** Key of the noise: two 32-bit words. */
  readonly key: readonly [number, number];
  readonly visits: readonly [VisitAugmentation, VisitAugmentation];
}

/** Nothing varies. */
export const IDENTITY: Augmentation = {
  mirror: [false, false, false],
  key: [0, 0],
  visits: [{}, {}],
};

/** The flags of an augmentation. */
function flagsOf({ mirror, affine, elastic, visits }: Augmentation): number {
  let flags = 0;
  mirror.forEach((mirrored, axis) => {
    if (mirrored) flags |= 1 << axis;
  });
  if (affine) flags |= PATCH_FLAGS.moved;
  if (elastic) flags |= PATCH_FLAGS.elastic;
  visits.forEach((visit, v) => {
    for (const [name, bit] of Object.entries(VISIT_FLAGS)) {
      if (visit[name as keyof VisitAugmentation] !== undefined) flags |= bit << (8 + 8 * v);
    }
  });
  return flags;
}

/** Writes the parameters that follow the corner of row `row` of a table of ROW_LAYOUT.ROW words a row. */
export function packAugmentation(words: Uint32Array, row: number, a: Augmentation): void {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const start = row * ROW_LAYOUT.ROW;
  words[start + ROW_LAYOUT.FLAGS] = flagsOf(a);
  if (a.affine) floats.set(a.affine, start + ROW_LAYOUT.AFFINE);
  words.set(a.key, start + ROW_LAYOUT.KEY);
  for (const [w, { k, phase, by }] of (a.elastic ?? []).entries()) {
    floats.set([...k, phase, ...by], start + ROW_LAYOUT.WAVES + 7 * w);
  }
  for (const [v, { blur, low, bias, line, gamma, noise }] of a.visits.entries()) {
    const at = start + ROW_LAYOUT.VISIT + v * ROW_LAYOUT.VISIT_WORDS;
    if (blur) floats.set(blur, at);
    if (low) floats.set([low.cell, ...low.phase], at);
    if (bias) floats.set([...bias.k, bias.phase, bias.amplitude, bias.air], at + 4);
    if (line) floats.set([line.factor, line.offset, line.least, line.most], at + 10);
    if (gamma) {
      const { least, range, inverted, gamma: power, factor, offset } = gamma;
      floats.set([least, 1 / range, inverted, power, factor, offset], at + 14);
    }
    if (noise !== undefined) floats[at + 20] = noise;
  }
}
