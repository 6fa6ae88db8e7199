/** Volumes in pages of 32-bit words for the references of the ops that read them. */

import { halfBits, halfValue } from "../core/half";
import type { Philox } from "../core/random";
import type { Shape } from "../core/tensor";
import type { Sized, Values } from "./reference";

type Size = readonly [number, number, number];

export interface PagedVolume {
  readonly page: number;
  readonly size: Size;
  readonly bases: Size;
  readonly swapped: boolean;
}

const bytes = new DataView(new ArrayBuffer(4));

export function floatOfBits(bits: number): number {
  bytes.setUint32(0, bits);
  return bytes.getFloat32(0);
}

function randomBits(half: boolean, rng: Philox): number {
  bytes.setFloat32(0, rng.normal());
  if (half) for (const at of [0, 2]) bytes.setUint16(at, halfBits(rng.normal()));
  return bytes.getUint32(0);
}

/** Input shapes: two pages, a table of four volumes, `count` corners. */
export function pagedShapes(count: number): Record<string, Shape> {
  return { page0: [1600], page1: [1100], table: [4, 8], coords: [count, 4] };
}

/**
 * Two volumes on either page, one of them smaller than a patch and one the time-swapped twin of
 * another; corners inside, outside on either side, and wholly outside.
 */
export function pagedVolumes(half: boolean, shapes: Readonly<Record<string, Shape>>, rng: Philox) {
  const fill = (length: number, value: () => number) => Float64Array.from({ length }, value);
  const rows = half
    ? [
        [0, 5, 0, 700, 7, 6, 9, 0],
        [1, 3, 0, 90, 3, 4, 5, 0],
        [0, 5, 0, 700, 7, 6, 9, 1],
        [1, 201, 0, 800, 9, 5, 8, 1],
      ]
    : [
        [0, 5, 500, 1200, 7, 6, 9, 0],
        [1, 3, 71, 150, 3, 4, 5, 0],
        [0, 500, 5, 1200, 7, 6, 9, 0],
        [1, 201, 600, 1010, 9, 5, 8, 0],
      ];
  const corner = (i: number, size: number) =>
    (i % 4 === 3 ? rng.int(3 * size) - size : rng.int(size)) - 2;
  const coords = Array.from({ length: shapes.coords![0]! }, (_, i) => {
    const volume = i < rows.length ? i : rng.int(rows.length);
    const [D = 1, H = 1, W = 1] = rows[volume]!.slice(4);
    return [volume, corner(i, D), corner(i, H), corner(i, W)].map((v) => v >>> 0);
  });
  return {
    page0: fill(shapes.page0![0]!, () => randomBits(half, rng)),
    page1: fill(shapes.page1![0]!, () => randomBits(half, rng)),
    table: Float64Array.from(rows.flat()),
    coords: Float64Array.from(coords.flat()),
  };
}

export function volumeOf(table: Float64Array, v: number): PagedVolume {
  const [page = 0, b1 = 0, b2 = 0, bl = 0, D = 0, H = 0, W = 0, flags = 0] = table.slice(v * 8);
  return { page, size: [D, H, W], bases: [b1, b2, bl], swapped: flags === 1 };
}

/** Both visits and the label at voxel (z, y, x), which may lie outside. */
export function voxelAt(pages: Values, v: PagedVolume, half: boolean, at: Size): Size {
  const page = pages[`page${v.page}`]!;
  const [z = 0, y = 0, x = 0] = at.map((c, axis) => Math.min(Math.max(c, 0), v.size[axis]! - 1));
  const i = (z * v.size[1] + y) * v.size[2] + x;
  const inside = z === at[0] && y === at[1] && x === at[2];
  const bit = Math.floor(page[v.bases[2] + Math.floor(i / 32)]! / 2 ** (i % 32)) % 2;
  const label = inside ? bit : 0;
  if (!half) return [floatOfBits(page[v.bases[0] + i]!), floatOfBits(page[v.bases[1] + i]!), label];
  bytes.setUint32(0, page[v.bases[0] + i]!);
  const pair = [2, 0].map((at) => halfValue(bytes.getUint16(at)));
  if (v.swapped) pair.reverse();
  return [pair[0]!, pair[1]!, label];
}

/** Calls `visit` with the patch, the voxel in it, both visits and the label. */
export function forEachPatchVoxel(
  inputs: Values,
  size: Size,
  half: boolean,
  visit: (n: number, s: number, voxel: Size) => void,
): void {
  const [PD, PH, PW] = size;
  for (let n = 0; n < inputs.coords!.length / 4; n++) {
    const [v = 0, ...corner] = inputs.coords!.slice(n * 4, n * 4 + 4);
    const volume = volumeOf(inputs.table!, v);
    const [cz = 0, cy = 0, cx = 0] = corner.map((c) => c | 0);
    for (let s = 0; s < PD * PH * PW; s++) {
      const [z, y, x] = [Math.floor(s / (PH * PW)), Math.floor(s / PW) % PH, s % PW];
      visit(n, s, voxelAt(inputs, volume, half, [cz + z, cy + y, cx + x]));
    }
  }
}

/** Sizes of ops that read patches, by the attributes that a patch of this size has. */
export function patchSizes<A>(attrs: (size: [number, number, number]) => A): Sized<A>[] {
  return [
    {
      base: { COUNT: 5, PD: 3, PH: 4, PW: 5 },
      large: { COUNT: 16, PD: 32, PH: 32, PW: 32 },
      edges: { COUNT: [2, 8], PD: [4, 8], PH: [4, 8], PW: [4, 16, 64] },
      make: ({ COUNT = 0, PD = 0, PH = 0, PW = 0 }) => ({
        inputs: pagedShapes(COUNT),
        attrs: attrs([PD, PH, PW]),
      }),
    },
  ];
}
