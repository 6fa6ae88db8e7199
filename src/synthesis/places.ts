/** The places of a head where lesions of multiple sclerosis appear, and some where other things do. */
import { gaussian } from "../data/smooth";
import type { Size3 } from "../data/volume";
import type { Tissue } from "./tissue";

/** Parts of the brain by which the criteria of MS tell lesions, and fluid, for what is no lesion. */
export const REGIONS = [
  "periventricular",
  "juxtacortical",
  "cortical",
  "deep",
  "infratentorial",
  "confluent",
  "fluid",
] as const;
export type Region = (typeof REGIONS)[number];

/** Voxels of each region. */
export type Places = Readonly<Record<Region, Int32Array>>;

/** Share of the brain's height, from below, that counts as below the tentorium. */
const LOW = 0.27;

interface Found {
  readonly places: Places;
  /** 0 to 255. */
  readonly grey: Uint8Array;
  readonly centre: readonly [number, number, number];
}

/**
 * @param hull 0 to 255: the brain with the fluid in it
 * @param taken 1 where lesions lie
 */
export function findPlaces(tissue: Tissue, hull: Uint8Array, taken: Uint8Array): Found {
  const { size, relative, brain } = tissue;
  const count = brain.length;
  const flag = (is: (i: number) => boolean) => {
    const set = new Float32Array(count);
    for (let i = 0; i < count; i++) if (is(i)) set[i] = 1;
    return set;
  };
  const near = (of: Float32Array, mm: number) => gaussian(of, size, [mm, mm, mm]);
  const outside = near(
    flag((i) => hull[i]! < 110),
    7,
  );
  const dark = (i: number) => relative[i]! < 0.62;
  const ventricles = flag((i) => dark(i) && hull[i]! > 120 && outside[i]! < 0.004);
  const surface = flag((i) => dark(i) && ventricles[i] === 0);
  const byVentricle = near(ventricles, 2);
  const bySurface = near(surface, 2);
  const byLesion = near(Float32Array.from(taken), 1.5);
  const white = (i: number) => Math.abs(relative[i]! - 1) < 0.15;
  const [low, high] = heightOf(brain, size);
  const plane = size[0] * size[1];
  const below = (i: number) => Math.floor(i / plane) < low + LOW * (high - low);
  const isFree = (i: number) => brain[i] === 1 && byLesion[i]! < 0.05;
  const where = (is: (i: number) => boolean) => indices(count, is);
  const places: Places = {
    periventricular: where(
      (i) => isFree(i) && white(i) && byVentricle[i]! > 0.06 && outside[i]! < 0.02,
    ),
    juxtacortical: where(
      (i) => isFree(i) && white(i) && bySurface[i]! > 0.05 && bySurface[i]! < 0.3 && !below(i),
    ),
    cortical: where(
      (i) =>
        isFree(i) && relative[i]! > 1 && relative[i]! < 1.3 && bySurface[i]! > 0.12 && !below(i),
    ),
    deep: where((i) => isFree(i) && white(i) && bySurface[i]! < 0.05 && !below(i)),
    infratentorial: where(
      (i) =>
        isFree(i) && relative[i]! > 0.85 && relative[i]! < 1.2 && bySurface[i]! < 0.2 && below(i),
    ),
    confluent: where(
      (i) => brain[i] === 1 && !taken[i] && byLesion[i]! > 0.15 && white(i) && bySurface[i]! < 0.2,
    ),
    fluid: where((i) => dark(i) && hull[i]! > 90 && relative[i]! < 0.5),
  };
  const greyShare = near(
    flag((i) => brain[i] === 1 && relative[i]! > 1.06 && relative[i]! < 1.4 && !taken[i]),
    0.7,
  );
  return {
    places,
    grey: Uint8Array.from(greyShare, (v) => Math.min(255, Math.round(255 * v))),
    centre: middleOf(ventricles, brain, size),
  };
}

function indices(count: number, is: (i: number) => boolean): Int32Array {
  const found: number[] = [];
  for (let i = 0; i < count; i++) if (is(i)) found.push(i);
  return Int32Array.from(found);
}

function heightOf(brain: Uint8Array, [nx, ny, nz]: Size3): readonly [number, number] {
  const filled = Array.from({ length: nz }, (_, z) => {
    let n = 0;
    for (let i = z * nx * ny; i < (z + 1) * nx * ny; i++) n += brain[i]!;
    return n > 100;
  });
  return [filled.indexOf(true), filled.lastIndexOf(true)];
}

/** Of the ventricles, or else of the brain. */
function middleOf(
  ventricles: Float32Array,
  brain: Uint8Array,
  size: Size3,
): readonly [number, number, number] {
  const mean = (of: ArrayLike<number>) => {
    const sum = [0, 0, 0, 0] as [number, number, number, number];
    for (let i = 0; i < of.length; i++) {
      if (!of[i]) continue;
      sum[0] += i % size[0];
      sum[1] += Math.floor(i / size[0]) % size[1];
      sum[2] += Math.floor(i / (size[0] * size[1]));
      sum[3]++;
    }
    return sum;
  };
  const found = mean(ventricles);
  const [x, y, z, n] = found[3] > 500 ? found : mean(brain);
  return [x / n, y / n, z / n];
}
