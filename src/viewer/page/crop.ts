/** The part of a study that is worth room on the screen: a field of view is often half air. */
import type { Volume } from "../../data/volume";
import type { Study } from "./study";

/** First voxel and size of a part of the study's grid. */
export interface Crop {
  readonly first: readonly [number, number, number];
  readonly size: readonly [number, number, number];
}

/** Of the way from black to white: above it something is there. */
const THERE = 0.1;
/** A plane with more of it than this share shows the head. */
const SHARE = 0.004;
const MARGIN_MM = 8;
/** Right to left and front to back; slices are never left out. */
const CUT = [0, 1] as const;

/** Of both visits and all lesions, with a margin. */
export function cropOf({ visits, windows, labels, grid }: Study): Crop {
  const { size, affine } = grid;
  const [nx, ny, nz] = size;
  const [ofX, ofY] = [new Float64Array(nx), new Float64Array(ny)];
  const [counts, planes] = [
    [ofX, ofY],
    [ny * nz, nx * nz],
  ];
  // A lesion counts for as much as a plane needs.
  const lesion = SHARE * Math.max(...planes) * 2;
  visits.forEach(({ data }, k) => {
    const [black, white] = windows[k]!;
    const least = black + THERE * (white - black);
    for (let i = 0, row = 0; i < data.length; row++) {
      let inRow = 0;
      for (let x = 0; x < nx; x++, i++) {
        const weight = labels[i]! > 0 ? lesion : data[i]! > least ? 1 : 0;
        ofX[x]! += weight;
        inRow += weight;
      }
      ofY[row % ny]! += inRow;
    }
  });
  const first: [number, number, number] = [0, 0, 0];
  const cropped: [number, number, number] = [nx, ny, nz];
  CUT.forEach((axis) => {
    const there = (n: number) => n > 2 * SHARE * planes[axis]!;
    const [low, high] = [counts[axis]!.findIndex(there), counts[axis]!.findLastIndex(there)];
    if (low < 0) return;
    const edge = Math.hypot(affine[axis]!, affine[4 + axis]!, affine[8 + axis]!);
    const margin = Math.ceil(MARGIN_MM / edge);
    first[axis] = Math.max(0, low - margin);
    cropped[axis] = Math.min(size[axis], high + 1 + margin) - first[axis];
  });
  return { first, size: cropped };
}

/** The part of an image, with the affine that puts it where it was. */
export function cropped({ size, affine, data }: Volume, { first, size: part }: Crop): Volume {
  const [px, py, pz] = part;
  const out = new Float32Array(px * py * pz);
  for (let z = 0, to = 0; z < pz; z++) {
    for (let y = 0; y < py; y++, to += px) {
      const from = first[0] + size[0] * (first[1] + y + size[1] * (first[2] + z));
      out.set(data.subarray(from, from + px), to);
    }
  }
  const moved = [...affine];
  for (const row of [0, 4, 8]) {
    moved[row + 3]! += [0, 1, 2].reduce((sum, k) => sum + affine[row + k]! * first[k]!, 0);
  }
  return { size: part, affine: moved, data: out };
}
