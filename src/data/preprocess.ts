/**
 * From two visits to what the network sees: resampled to cubes of `spacing` mm (trilinear for
 * images, nearest for labels) and z-normalised each on its own, on the device. Volumes that pass a
 * binding go through in slabs along z.
 */
import { mergeMoments, moments } from "../../kernels/moments";
import { resample } from "../../kernels/resample";
import { standardise } from "../../kernels/standardise";
import { UserError } from "../core/errors";
import { Graph } from "../core/graph";
import { state, type Tensor } from "../core/tensor";
import { capabilities } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { invertAffine, multiplyAffine, resampledGrid, sameGrid } from "./affine";
import type { Grid, Mask, Size3, Volume } from "./volume";
import { voxelSize } from "./volume";

export type Normalisation = "volume" | "nonzero" | "mask";

/** Relative difference of voxel sizes below which a volume keeps its grid. */
const SAME_SPACING = 1e-3;

/** The grid with cubic voxels of `spacing` mm on the axes of `grid`, or `grid` if it has them. */
export function targetGrid(grid: Grid, spacing: number): Grid {
  const same = voxelSize(grid.affine).every((mm) => Math.abs(mm / spacing - 1) < SAME_SPACING);
  return same ? grid : resampledGrid(grid, spacing);
}

/** Elements that a slab may have: it and its result are bound together, each within a quarter. */
function slabElements(memory: Memory): number {
  return Math.floor(capabilities(memory.device).maxBindingBytes / 4 / 4);
}

/**
 * Resamples `data` on grid `from` to grid `to`; both must have the same axes (as resampledGrid
 * gives). Outside of `from` the edge voxel counts.
 * @param slab voxels of input or result that one dispatch may hold
 */
export async function resampleOnDevice(
  memory: Memory,
  data: Float32Array,
  from: Grid,
  to: Grid,
  mode: "trilinear" | "nearest",
  slab = slabElements(memory),
): Promise<Float32Array> {
  const [scale, offset] = diagonalMapping(from, to);
  const [nx, ny, nz] = to.size;
  const [fx, fy, fz] = from.size;
  const result = new Float32Array(nx * ny * nz);
  // A plane of the result needs |scale| planes of the input, and a slab a few more at its ends.
  const perPlane = Math.max(nx * ny, fx * fy * Math.abs(scale[2]));
  const planes = Math.max(1, Math.floor((slab - 4 * fx * fy) / perPlane));
  for (let z0 = 0; z0 < nz; z0 += planes) {
    const depth = Math.min(planes, nz - z0);
    const first = clampPlane(Math.floor(scale[2] * z0 + offset[2]) - 1, fz);
    const last = clampPlane(Math.ceil(scale[2] * (z0 + depth - 1) + offset[2]) + 1, fz);
    const input = data.subarray(first * fx * fy, (last + 1) * fx * fy);
    const x = state("resample_x", [last + 1 - first, fy, fx]);
    const part = await runOnce(memory, "resample", { x }, { x: input }, (g) => {
      const attrs = {
        size: [depth, ny, nx] as const,
        mode,
        scale: [scale[2], scale[1], scale[0]] as const,
        offset: [scale[2] * z0 + offset[2] - first, offset[1], offset[0]] as const,
      };
      return g.apply(resample, { x }, attrs).y!;
    });
    result.set(part, z0 * nx * ny);
  }
  return result;
}

const clampPlane = (z: number, planes: number) => Math.min(planes - 1, Math.max(0, z));

type Axes = readonly [number, number, number];

/** Voxel of `from` = scale · voxel of `to` + offset, along each axis (x, y, z). */
function diagonalMapping(from: Grid, to: Grid): [scale: Axes, offset: Axes] {
  const m = multiplyAffine(invertAffine(from.affine), to.affine);
  const off = [m[1]!, m[2]!, m[4]!, m[6]!, m[8]!, m[9]!];
  if (off.some((value) => Math.abs(value) > 1e-3)) {
    throw new Error("resample: the two grids have different axes");
  }
  return [
    [m[0]!, m[5]!, m[10]!],
    [m[3]!, m[7]!, m[11]!],
  ];
}

/**
 * (x − mean) / std over the whole volume, over its non-zero voxels, or over a mask.
 * @throws UserError naming `name` when there is nothing to normalise by
 */
export async function normaliseOnDevice(
  memory: Memory,
  data: Float32Array,
  how: { readonly mode: Normalisation; readonly mask?: Float32Array; readonly name: string },
): Promise<Float32Array> {
  const partials: Float32Array[] = [];
  const parts = split(data.length, slabElements(memory));
  for (const [from, to] of parts) {
    const inputs: Record<string, Tensor> = { x: state("moments_x", [to - from]) };
    if (how.mode === "mask") inputs.mask = state("moments_mask", [to - from]);
    const values = { x: data.subarray(from, to), mask: how.mask?.subarray(from, to) };
    const run = (g: Graph) =>
      g.apply(moments, inputs, { nonzero: how.mode === "nonzero" }).partials!;
    partials.push(await runOnce(memory, "moments", inputs, values, run));
  }
  const { mean, std } = mergeMoments(concatenate(partials));
  if (!(std > 0)) {
    throw new UserError(
      `${how.name}: all voxels ${how.mode === "volume" ? "" : `of the ${how.mode} region `}have the ` +
        "same value, so it cannot be normalised; check the image",
    );
  }
  const result = new Float32Array(data.length);
  for (const [from, to] of parts) {
    const inputs = { x: state("norm_x", [to - from]), params: state("norm_params", [2]) };
    const values = { x: data.subarray(from, to), params: new Float32Array([mean, 1 / std]) };
    const run = (g: Graph) => g.apply(standardise, inputs, {}).y!;
    result.set(await runOnce(memory, "standardise", inputs, values, run), from);
  }
  return result;
}

function split(length: number, most: number): [from: number, to: number][] {
  const parts: [number, number][] = [];
  for (let from = 0; from < length; from += most) parts.push([from, Math.min(length, from + most)]);
  return parts;
}

function concatenate(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, a) => sum + a.length, 0));
  let at = 0;
  for (const a of arrays) {
    all.set(a, at);
    at += a.length;
  }
  return all;
}

/** Uploads, runs one op, reads its result and releases everything. */
async function runOnce(
  memory: Memory,
  name: string,
  inputs: Readonly<Record<string, Tensor>>,
  values: Readonly<Record<string, Float32Array | undefined>>,
  record: (g: Graph) => Tensor,
): Promise<Float32Array> {
  const g = new Graph(capabilities(memory.device));
  const y = record(g);
  const program = await Program.compile(memory, g, name, [y]);
  for (const [key, t] of Object.entries(inputs)) memory.write(t, values[key]!);
  program.run();
  const result = await memory.readF32(y, program.bufferOf(y));
  program.destroy();
  for (const t of Object.values(inputs)) memory.release(t);
  return result;
}

export interface PrepareOptions {
  readonly spacing: number;
  readonly normalisation: Normalisation;
}

export interface PreparedPair {
  readonly grid: Grid;
  readonly visit1: Float32Array;
  readonly visit2: Float32Array;
}

/** Both visits on the network's grid, normalised. `names` are for messages: the files. */
export async function preparePair(
  memory: Memory,
  pair: { readonly time1: Volume; readonly time2: Volume; readonly brainMask?: Mask },
  names: readonly [string, string],
  options: PrepareOptions,
): Promise<PreparedPair> {
  const grid = targetGrid(pair.time1, options.spacing);
  if (options.normalisation === "mask" && !pair.brainMask) {
    throw new UserError(
      `${names[0]}: --normalisation mask needs a brain mask beside it (brain_mask.nii.gz); add it, ` +
        "or use --normalisation volume",
    );
  }
  const brain = pair.brainMask && (await labelOnGrid(memory, pair.brainMask, grid));
  const how = { mode: options.normalisation, mask: brain && Float32Array.from(brain) };
  const visits: Float32Array[] = [];
  for (const [i, image] of [pair.time1, pair.time2].entries()) {
    const data =
      grid === pair.time1
        ? image.data
        : await resampleOnDevice(memory, image.data, pair.time1, grid, "trilinear");
    visits.push(await normaliseOnDevice(memory, data, { ...how, name: names[i]! }));
  }
  return { grid, visit1: visits[0]!, visit2: visits[1]! };
}

/** A mask on another grid of the same axes, by nearest neighbour. */
export async function labelOnGrid(memory: Memory, mask: Mask, grid: Grid): Promise<Uint8Array> {
  if (sameGrid(mask, grid)) return mask.data;
  const values = Float32Array.from(mask.data);
  return Uint8Array.from(await resampleOnDevice(memory, values, mask, grid, "nearest"));
}

/** Linear indices of the voxels that are set. */
export function lesionVoxels(label: Uint8Array): Uint32Array {
  const found: number[] = [];
  for (let i = 0; i < label.length; i++) if (label[i]) found.push(i);
  return Uint32Array.from(found);
}

export function voxelCount(size: Size3): number {
  return size[0] * size[1] * size[2];
}
