/** A whole volume on another grid, moved on the way: on the device, in boxes that it can hold. */
import { type ResampleOrder, resampleAffine } from "../../kernels/volume/resample_affine";
import { state } from "../core/tensor";
import { invertAffine, multiplyAffine } from "../data/affine";
import type { Affine, Grid, Mask, Size3, Volume } from "../data/volume";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";

/** First voxel and size of a part of a grid. */
interface Box {
  readonly first: Size3;
  readonly size: Size3;
}

/** Most voxels of a box, of source or result: 32 MiB. */
const MOST = 8 * 2 ** 20;

const count = ({ size }: { readonly size: Size3 }) => size[0] * size[1] * size[2];

/** The box of the source that an output box reads, one voxel more than cubic interpolation needs. */
function sourceBox(matrix: Affine, { first, size }: Box, whole: Size3): Box | undefined {
  const ranges = [0, 1, 2].map((axis) => {
    let [low, high] = [matrix[4 * axis + 3]!, matrix[4 * axis + 3]!];
    for (let k = 0; k < 3; k++) {
      const ends = [first[k]!, first[k]! + size[k]! - 1].map((at) => matrix[4 * axis + k]! * at);
      low += Math.min(...ends);
      high += Math.max(...ends);
    }
    const from = Math.max(0, Math.floor(low) - 2);
    const to = Math.min(whole[axis]! - 1, Math.ceil(high) + 2);
    return [from, to - from + 1] as const;
  });
  if (ranges.some(([, n]) => n <= 0)) return undefined;
  const [x, y, z] = ranges as unknown as [Range, Range, Range];
  return { first: [x[0], y[0], z[0]], size: [x[1], y[1], z[1]] };
}

type Range = readonly [first: number, count: number];

function halves({ first, size }: Box): [Box, Box] {
  const axis = size.indexOf(Math.max(...size));
  const near = size.with(axis, Math.ceil(size[axis]! / 2)) as unknown as Size3;
  const rest = size.with(axis, size[axis]! - near[axis]!) as unknown as Size3;
  const start = first.with(axis, first[axis]! + near[axis]!) as unknown as Size3;
  return [
    { first, size: near },
    { first: start, size: rest },
  ];
}

/** Calls `visit` with the rows of a box: their place in the whole, and in the box. */
function forRows({ first, size }: Box, whole: Size3, visit: (at: number, row: number) => void) {
  for (let z = 0; z < size[2]; z++) {
    for (let y = 0; y < size[1]; y++) {
      const at = ((first[2] + z) * whole[1] + first[1] + y) * whole[0] + first[0];
      visit(at, (z * size[1] + y) * size[0]);
    }
  }
}

export interface WarpOptions {
  readonly order?: ResampleOrder;
  /** Most voxels of a box, of source or result. */
  readonly most?: number;
}

/**
 * `volume` on `grid`: a voxel at world position p takes what lies at `motion` p of the volume; 0 where
 * that is outside. Cubic unless said otherwise.
 */
export async function warpTo(
  memory: Memory,
  volume: Volume,
  motion: Affine,
  grid: Grid,
  { order = "cubic", most = MOST }: WarpOptions = {},
): Promise<Volume> {
  const matrix = multiplyAffine(invertAffine(volume.affine), multiplyAffine(motion, grid.affine));
  const data = new Float32Array(count(grid));
  const todo: Box[] = [{ first: [0, 0, 0], size: grid.size }];
  for (let box = todo.pop(); box; box = todo.pop()) {
    const source = sourceBox(matrix, box, volume.size);
    if (!source) continue;
    if (Math.max(count(box), count(source)) > most && count(box) > 1) todo.push(...halves(box));
    else await warpBox(memory, volume, source, matrix, grid.size, box, order, data);
  }
  return { size: grid.size, affine: grid.affine, data };
}

/**
 * A mask that travels with its visit, by the nearest voxel: its volume stays, that of the smallest parts
 * too. (Trilinear, 1 from one half, took 5 to 17 % of lesions that are a voxel or two thick.)
 */
export async function warpMask(
  memory: Memory,
  mask: Mask,
  motion: Affine,
  grid: Grid,
): Promise<Mask> {
  const values = { ...mask, data: Float32Array.from(mask.data) };
  const { size, affine, data } = await warpTo(memory, values, motion, grid, { order: "nearest" });
  return { size, affine, data: Uint8Array.from(data) };
}

async function warpBox(
  memory: Memory,
  volume: Volume,
  source: Box,
  matrix: Affine,
  whole: Size3,
  box: Box,
  order: ResampleOrder,
  data: Float32Array,
): Promise<void> {
  const part = new Float32Array(count(source));
  const [width] = source.size;
  forRows(source, volume.size, (at, row) => {
    part.set(volume.data.subarray(at, at + width), row);
  });
  const x = state("warp_source", source.size.toReversed());
  const rows = state("warp_matrix", [12]);
  const g = graphFor(memory.device);
  const size = box.size.toReversed() as unknown as readonly [number, number, number];
  const y = g.apply(resampleAffine, { x, matrix: rows }, { size, order }).y!;
  memory.write(x, part);
  const shifted = [0, 1, 2].flatMap((r) => {
    const row = matrix.slice(4 * r, 4 * r + 3);
    const moved = row.reduce((sum, v, k) => sum + v * box.first[k]!, matrix[4 * r + 3]!);
    return [...row, moved - source.first[r]!];
  });
  memory.write(rows, Float32Array.from(shifted));
  const program = await Program.compile(memory, g, "warp", [y]);
  try {
    program.run();
    const values = await memory.readF32(y, program.bufferOf(y));
    forRows(box, whole, (at, row) => {
      data.set(values.subarray(row, row + box.size[0]), at);
    });
  } finally {
    program.destroy();
    for (const t of [x, rows]) memory.release(t);
  }
}
