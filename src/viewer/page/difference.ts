/** The difference of two visits in units of its own spread, where no change statistic comes with a result. */
import type { Volume } from "../../data/volume";
import { everyNth, greyWindow } from "../../pictures/slice";

/** Every so many voxels are looked at for medians. */
const SAMPLED = 17;
/** The median absolute deviation of a normal distribution, times this, is its standard deviation. */
const MAD_TO_SIGMA = 1.4826;
/** Of the way from black to white: above it lies the head. */
const HEAD_SHARE = 0.2;

/** Visit 2 − visit 1, each divided by its median in the head; robust z, 0 outside the head. */
export function differenceOf(visit1: Volume, visit2: Volume): Volume {
  const [one, two] = [levelsOf(visit1), levelsOf(visit2)];
  const [a, b] = [visit1.data, visit2.data];
  const inside = (i: number) => a[i]! > one.least && b[i]! > two.least;
  const change = (i: number) => b[i]! / two.median - a[i]! / one.median;
  const changes: number[] = [];
  for (let i = 0; i < a.length; i += SAMPLED) if (inside(i)) changes.push(change(i));
  const sampled = Float32Array.from(changes);
  const middle = medianOf(sampled);
  const sigma = MAD_TO_SIGMA * medianOf(sampled.map((v) => Math.abs(v - middle)));
  const data = new Float32Array(a.length);
  if (sigma > 0) {
    for (let i = 0; i < a.length; i++) if (inside(i)) data[i] = (change(i) - middle) / sigma;
  }
  return { size: visit1.size, affine: visit1.affine, data };
}

function levelsOf({ data }: Volume): { least: number; median: number } {
  const sampled = everyNth(data, SAMPLED);
  const [black, white] = greyWindow(sampled);
  const least = black + HEAD_SHARE * (white - black);
  return { least, median: medianOf(sampled.filter((v) => v > least)) || 1 };
}

const medianOf = (values: Float32Array): number =>
  values.sort()[Math.floor(values.length / 2)] ?? 0;
