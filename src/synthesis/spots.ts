/** Spots that are bright at one visit alone and no lesions: they are in no label. */
import type { Philox } from "../core/random";
import type { Background } from "./background";
import { EVOLUTION } from "./fates";
import { drawBody, footprint, pointIn } from "./lesion";
import { REGIONS } from "./places";

/** The images of both visits, which get the spots. */
type Visits = readonly [Float32Array, Float32Array];

/** Places with fewer voxels are none. */
const LEAST_PLACES = 30;
/** Share of the fluid that counts as low, from below. */
const LOW_FLUID = 0.3;
const FAINT_REGIONS = REGIONS.filter((region) => region !== "confluent" && region !== "fluid");

/** A bright spot of fluid: flow. */
export function addFlow(visits: Visits, background: Background, random: Philox): void {
  const { fluid } = background.places;
  if (fluid.length < LEAST_PLACES) return;
  // Places are in the order of voxels: the first ones are the lowest.
  const isLow = random.uniform() < EVOLUTION.flow.low;
  const among = isLow ? fluid.subarray(0, Math.ceil(fluid.length * LOW_FLUID)) : fluid;
  const wet = (i: number) => background.fluid[i]! / 255;
  addSpot(visits, background, random, { ...EVOLUTION.flow, places: among, weight: wet });
}

/** A spot of the brain that is a little brighter. */
export function addFaint(visits: Visits, background: Background, random: Philox): void {
  const regions = FAINT_REGIONS.filter(
    (region) => background.places[region].length >= LEAST_PLACES,
  );
  if (regions.length === 0) return;
  const places = background.places[regions[random.int(regions.length)]!];
  const dry = (i: number) => 1 - background.fluid[i]! / 255;
  addSpot(visits, background, random, { ...EVOLUTION.faint, places, weight: dry });
}

interface Spot {
  readonly places: Int32Array;
  /** Bounds of the volume in mm³, and of the height in units of white matter. */
  readonly mm3: readonly [number, number];
  readonly height: readonly [number, number];
  /** Share of the height that a voxel gets. */
  readonly weight: (voxel: number) => number;
}

function addSpot(
  [visit1, visit2]: Visits,
  { size }: Background,
  random: Philox,
  { places, mm3, height, weight }: Spot,
): void {
  const visit = random.uniform() < 0.5 ? visit1 : visit2;
  const voxel = places[random.int(places.length)]!;
  const volume = Math.exp(random.uniform(Math.log(mm3[0]), Math.log(mm3[1])));
  const print = footprint(drawBody(random, pointIn(voxel, size, random), volume, []), size);
  const lift = random.uniform(...height);
  for (const [k, i] of print.voxels.entries()) visit[i]! += print.share[k]! * weight(i) * lift;
}
