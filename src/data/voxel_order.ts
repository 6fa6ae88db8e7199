/**
 * The order of an image's voxels: the anatomical direction of each voxel axis. A change of order
 * permutes and flips axes and computes nothing, so that no bit of a voxel changes.
 */
import { gridDistance, orientationCode, sameGrid } from "./affine";
import type { Affine, Grid, Size3 } from "./volume";

/** Axis t of the new order is axis `axes[t]` of the old one, backwards where `flipped[t]`. */
export interface VoxelOrder {
  readonly axes: Size3;
  readonly flipped: readonly [boolean, boolean, boolean];
}

const OPPOSITE: Readonly<Record<string, string>> = {
  R: "L",
  L: "R",
  A: "P",
  P: "A",
  S: "I",
  I: "S",
};

/**
 * The change that brings the voxels of a grid into the order of a code such as "RAS". An oblique
 * axis counts as the nearest anatomical one.
 */
export function orderTo(affine: Affine, code: string): VoxelOrder {
  const from = [...orientationCode(affine)];
  const axes = [...code].map((letter) =>
    from.findIndex((l) => l === letter || l === OPPOSITE[letter]),
  );
  const flipped = axes.map((axis, t) => from[axis] !== code[t]);
  return {
    axes: [axes[0]!, axes[1]!, axes[2]!],
    flipped: [flipped[0]!, flipped[1]!, flipped[2]!],
  };
}

/** The change that undoes another. */
export function inverseOrder({ axes, flipped }: VoxelOrder): VoxelOrder {
  const at = (axis: number) => axes.indexOf(axis);
  return {
    axes: [at(0), at(1), at(2)],
    flipped: [flipped[at(0)]!, flipped[at(1)]!, flipped[at(2)]!],
  };
}

const isUnchanged = ({ axes, flipped }: VoxelOrder) =>
  axes.every((axis, t) => axis === t && !flipped[t]);

/** The grid of the same voxels in another order; each voxel keeps its place in space. */
export function gridInOrder<G extends Grid>(grid: G, order: VoxelOrder): G | Grid {
  if (isUnchanged(order)) return grid;
  const { size, affine } = grid;
  const { axes, flipped } = order;
  const moved = [...affine];
  for (const row of [0, 4, 8]) {
    axes.forEach((axis, t) => {
      const step = affine[row + axis]!;
      moved[row + t] = flipped[t] ? 0 - step : step;
      if (flipped[t]) moved[row + 3]! += step * (size[axis]! - 1);
    });
  }
  return { size: [size[axes[0]]!, size[axes[1]]!, size[axes[2]]!], affine: moved };
}

/** An image, a mask, or labels. */
export interface Ordered extends Grid {
  readonly data: Float32Array | Uint8Array | Uint16Array;
}

/** The same image with its voxels in another order. */
export function inOrder<I extends Ordered>(image: I, order: VoxelOrder): I {
  if (isUnchanged(order)) return image;
  const { size, affine } = gridInOrder(image, order);
  const { data } = image;
  const strides = [1, image.size[0], image.size[0] * image.size[1]];
  const steps = order.axes.map((axis, t) => (order.flipped[t] ? -strides[axis]! : strides[axis]!));
  const first = steps.reduce((at, step, t) => (step < 0 ? at - step * (size[t]! - 1) : at), 0);
  const [stepX, stepY, stepZ] = steps as [number, number, number];
  const moved = data.slice();
  let i = 0;
  for (let z = 0; z < size[2]; z++) {
    for (let y = 0; y < size[1]; y++) {
      let from = first + z * stepZ + y * stepY;
      for (let x = 0; x < size[0]; x++, i++, from += stepX) moved[i] = data[from]!;
    }
  }
  return { ...image, size, affine, data: moved };
}

/** The image on `grid`, where the two differ in the order of their voxels alone; else undefined. */
export function reorderedTo<I extends Grid & { readonly data: Float32Array | Uint8Array }>(
  image: I,
  grid: Grid,
): I | undefined {
  const order = orderTo(image.affine, orientationCode(grid.affine));
  if (!sameGrid(gridInOrder(image, order), grid)) return undefined;
  return { ...inOrder(image, order), affine: grid.affine };
}

/** Whether two images hold the same voxels, also where they are stored in other orders or lie elsewhere. */
export function isOneImage(
  ...images: readonly [
    Grid & { readonly data: Float32Array },
    Grid & { readonly data: Float32Array },
  ]
): boolean {
  const [one, two] = images.map((image) => inOrder(image, orderTo(image.affine, "RAS")));
  const same = one!.size.every((n, k) => n === two!.size[k]);
  return same && one!.data.every((v, i) => v === two!.data[i]);
}

/** A line for the user where `reorderedTo` has been used. */
export function reorderingNote(path: string, image: Grid, gridPath: string, grid: Grid): string {
  const [from, to] = [orientationCode(image.affine), orientationCode(grid.affine)];
  return (
    `${path}: its voxels are stored in the order ${from}, those of ${gridPath} in the order ${to}: ` +
    "reordered, without interpolation"
  );
}

/**
 * How far two grids lie apart, for messages in which their descriptions may read the same:
 * ", corners up to 0.068 mm apart", whatever their orders; nothing where their sizes differ.
 */
export function cornersApart(a: Grid, b: Grid): string {
  const ordered = gridInOrder(a, orderTo(a.affine, orientationCode(b.affine)));
  if (ordered.size.some((n, axis) => n !== b.size[axis])) return "";
  return `, corners up to ${Number(gridDistance(ordered, b).toPrecision(2))} mm apart`;
}
