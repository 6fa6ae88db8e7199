/** A generated pair as training takes it: normalised, with the voxels that patches are drawn around. */
import { Philox } from "../core/random";
import type { Mask, Volume } from "../data/volume";
import type { SlotPair } from "../data/volume_slots";
import { connectedComponents } from "../eval/components";
import type { GeneratedPair } from "./generate";

export interface SlotPairOptions {
  /** Over all voxels, or over those that are not 0. */
  readonly normalisation: "volume" | "nonzero";
  /** Whether the time-swapped twin comes too. */
  readonly twins: boolean;
}

/** Share of air in scans as they come; a generated one is cropped to the head. */
const AIR = [0.55, 0.87] as const;
const STREAM = 6;
/** Most voxels of one lesion that patches are drawn around: small lesions are drawn as often as large. */
const MOST_OF_A_LESION = 24;

export function slotPair(
  { visit1, visit2, truth, resolved }: GeneratedPair,
  { normalisation, twins }: SlotPairOptions,
  seed: number,
  index: number,
): SlotPair {
  const random = new Philox(seed, index, STREAM);
  const air = random.uniform(...AIR);
  const normalised = ({ data }: Volume) => {
    const isSeen = normalisation === "nonzero" ? (v: number) => v !== 0 : () => true;
    return standardised(data, isSeen, normalisation === "volume" ? air : 0);
  };
  const masks = twins ? [truth, resolved] : [truth];
  return {
    size: visit1.size,
    visit1: normalised(visit1),
    visit2: normalised(visit2),
    labels: masks.map(({ data }) => data),
    lesions: masks.map((mask) => drawnAround(mask, random)),
  };
}

/** @param air share of the whole that is to be air; what lacks is thought to be around the image */
function standardised(
  data: Float32Array,
  isSeen: (value: number) => boolean,
  air: number,
): Float32Array {
  let [n, sum, square, dark, most] = [0, 0, 0, 0, 0];
  for (let i = 0; i < data.length; i++) if (data[i]! > most) most = data[i]!;
  for (let i = 0; i < data.length; i++) {
    const v = data[i]!;
    if (v < 0.05 * most) dark++;
    if (!isSeen(v)) continue;
    n++;
    sum += v;
    square += v * v;
  }
  // (dark + more) / (length + more) = air
  n += Math.max(0, (air * data.length - dark) / (1 - air));
  const mean = sum / n;
  const deviation = Math.sqrt(Math.max(1e-12, square / n - mean * mean));
  return data.map((v) => (v - mean) / deviation);
}

function drawnAround({ data, size }: Mask, random: Philox): Uint32Array {
  if (!data.includes(1)) return new Uint32Array();
  const { count, voxels } = connectedComponents(data, size, 18);
  const chosen: number[] = [];
  for (let c = 1; c <= count; c++) {
    const inside = voxels(c);
    if (inside.length <= MOST_OF_A_LESION) chosen.push(...inside);
    else {
      for (let n = 0; n < MOST_OF_A_LESION; n++) chosen.push(inside[random.int(inside.length)]!);
    }
  }
  return Uint32Array.from(chosen);
}
