/** The part of two registered visits that stays unexplained, as volumes to look at. */
import type { Volume } from "../data/volume";
import { findHead } from "./head";
import type { Registration } from "./register";
import { SATURATION } from "./step";

export interface ResidualVolumes {
  /** Visit 1 − visit 2, both of one brightness; of the head's median brightness. */
  readonly residual: Volume;
  /** Tukey's weights from 0 (does not fit: lesions, jaw) to 1. */
  readonly weights: Volume;
}

/** @param visit1 and visit2 on the middle grid */
export function residualAndWeights(
  visit1: Volume,
  visit2: Volume,
  { logScale, fit }: Registration,
): ResidualVolumes {
  const [m1, m2] = [visit1, visit2].map((visit) => findHead(visit)?.median ?? 1) as [
    number,
    number,
  ];
  const [s1, s2] = [Math.exp(-logScale / 2) / m1, Math.exp(logScale / 2) / m2];
  const width = SATURATION * fit.scale;
  const data = visit1.data.map((v, i) => s1 * v - s2 * visit2.data[i]!);
  const weights = data.map((r) => Math.max(0, 1 - (r / width) ** 2) ** 2);
  const { size, affine } = visit1;
  return { residual: { size, affine, data }, weights: { size, affine, data: weights } };
}
