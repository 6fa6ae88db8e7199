/** Places patients in pages of equal size (volume_store.ts). */
import { UserError } from "../core/errors";
import type { Size3 } from "./volume";

export interface StoredPair {
  readonly id: string;
  readonly size: Size3;
  /**
   * Linear indices of the lesion voxels: of the pair as it is, then, where there is one, of its
   * time-swapped twin. Empty for a volume to predict.
   */
  readonly lesions: readonly Uint32Array[];
}

/** A slab (mostly: the whole) of one patient in one time order: what a patch is drawn from. */
export interface StoredVolume {
  readonly id: string;
  /** Row in the table, first coordinate of a patch. */
  readonly row: number;
  readonly size: Size3;
  /** First plane of the slab in the patient's volume. */
  readonly z0: number;
  /** Linear indices of lesion voxels, within the slab. */
  readonly lesions: Uint32Array;
}

/** A slab in its page. */
export interface Block<S extends StoredPair> {
  readonly source: S;
  readonly z0: number;
  readonly planes: number;
  /** Words before it in the page. */
  readonly offset: number;
  /** As it is, then, where there is one, its time-swapped twin. */
  readonly volumes: readonly StoredVolume[];
}

/** 32-bit words that `planes` planes of both visits and the labels take. */
export function blockWords(source: StoredPair, planes: number, half: boolean): number {
  const count = planes * source.size[0] * source.size[1];
  return (half ? 1 : 2) * count + source.lesions.length * Math.ceil(count / 32);
}

export const wordsOf = (half: boolean) => (blocks: readonly Block<StoredPair>[]) =>
  blocks.reduce((sum, { source, planes }) => sum + blockWords(source, planes, half), 0);

/**
 * Patients → slabs → pages of at most `most` words, in order.
 * @throws UserError when a page does not hold the planes of a patch
 */
export function layOut<S extends StoredPair>(
  sources: readonly S[],
  most: number,
  { half, patch }: { readonly half: boolean; readonly patch: number },
): Block<S>[][] {
  const pages: Block<S>[][] = [[]];
  let used = 0;
  let row = 0;
  for (const source of sources) {
    for (const { z0, planes } of slabs(source, most, half, patch)) {
      const words = blockWords(source, planes, half);
      if (used > 0 && used + words > most) {
        pages.push([]);
        used = 0;
      }
      const rows = Math.max(1, source.lesions.length);
      const volumes = Array.from({ length: rows }, (_, twin) =>
        storedVolume(source, twin, z0, planes, row + twin),
      );
      pages.at(-1)!.push({ source, z0, planes, offset: used, volumes });
      row += rows;
      used += words;
    }
  }
  return pages;
}

function slabs(source: StoredPair, most: number, half: boolean, patch: number) {
  const total = source.size[2];
  if (blockWords(source, total, half) <= most) return [{ z0: 0, planes: total }];
  const perPlane = blockWords(source, 32, half) / 32;
  const planes = Math.floor(most / perPlane) - 1;
  const step = planes - (patch - 1);
  if (step < 1) {
    throw new UserError(
      `${source.id}: a slab of ${patch} planes of ${source.size[0]}×${source.size[1]} voxels ` +
        "passes what this adapter binds; use a larger --spacing or --volume-precision f16",
    );
  }
  const found: { z0: number; planes: number }[] = [];
  for (let z0 = 0; ; z0 += step) {
    found.push({ z0, planes: Math.min(planes, total - z0) });
    if (z0 + planes >= total) return found;
  }
}

/** `twin`: 0 for the pair as it is, 1 for its time-swapped twin. */
function storedVolume(
  source: StoredPair,
  twin: number,
  z0: number,
  planes: number,
  row: number,
): StoredVolume {
  const [nx, ny] = source.size;
  const from = z0 * nx * ny;
  const to = from + planes * nx * ny;
  const inside = (source.lesions[twin] ?? new Uint32Array()).filter((i) => i >= from && i < to);
  const id = twin === 0 ? source.id : `${source.id}-reversed`;
  return { id, row, z0, size: [nx, ny, planes], lesions: inside.map((i) => i - from) };
}
