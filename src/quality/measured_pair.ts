/** The numbers of a pair of visits, for a terminal, a report or a program. */

export interface VisitQuality {
  /** Edges of a voxel along the image's axes, mm. */
  readonly voxelMm: readonly [number, number, number];
  /** The largest of them: the thickness of a slice, or its distance to the next. */
  readonly sliceMm: number;
  /** Volume of the brain that was found, ml. */
  readonly brainMl?: number;
  /** 1 − brightness of fluid / that of tissue: about 0.7 in FLAIR. Where a brain was found. */
  readonly contrast?: number;
  /** Standard deviation of the noise, of the median brightness of the brain. Where one was found. */
  readonly noise?: number;
}

export interface MeasuredPair {
  readonly visits: readonly [VisitQuality, VisitQuality];
  readonly alignment: {
    /** Median correlation of the visits in cubes of 15 mm; absent where no brain is known. */
    readonly similarity?: number;
    /** How far registration moved visit 2, or would move it, mm RMS; absent where there was none. */
    readonly movedMm?: number;
    /** Robust standard deviation of what registration left, of the head's brightness. */
    readonly residual?: number;
  };
  /** Share of the brain of one visit, else of its head, that the other's field of view holds. */
  readonly coverage: {
    /** Of visit 1 by visit 2, of visit 2 by visit 1. */
    readonly shares: readonly [number, number];
    readonly of: readonly ["brain" | "head", "brain" | "head"];
  };
  /** Of visit 2 over visit 1. */
  readonly drift: {
    /** Of the brain's brightness. */
    readonly brightness?: number;
    /** Smallest and largest smooth factor by place, besides it, where it was taken out. */
    readonly range?: readonly [number, number];
    /** Of the spread of its tissues, each visit of one brightness; it stays. */
    readonly contrast?: number;
  };
}
