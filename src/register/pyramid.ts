/** A scan at the resolutions of registration: smoothed and thinned out on the device. */
import { gaussianAxis, gaussianTaps } from "../../kernels/registration/gaussian_axis";
import { state, type Tensor } from "../core/tensor";
import { multiplyAffine } from "../data/affine";
import { type Affine, type Size3, type Volume, voxelAt, voxelSize } from "../data/volume";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";

/** A scan at one resolution: a state tensor (D, H, W) and its place. */
export interface Level {
  readonly size: Size3;
  readonly affine: Affine;
  readonly tensor: Tensor;
}

/** Standard deviation of the smoothing, of the spacing of a level. */
const SIGMA = 0.6;
/** Less than this many voxels of smoothing is none. */
const NEGLIGIBLE = 0.35;
/** Most voxels of a scan on the device: four times that is 64 MiB, which every adapter binds. */
const MOST_VOXELS = 16 * 2 ** 20;

/** The axis-aligned part of an affine: voxels `steps` apart, the first at `first`. */
function thinned(affine: Affine, steps: readonly number[], first: readonly number[]): Affine {
  const [x = 1, y = 1, z = 1] = steps;
  const [fx = 0, fy = 0, fz = 0] = first;
  return multiplyAffine(affine, [x, 0, 0, fx, 0, y, 0, fy, 0, 0, z, fz, 0, 0, 0, 1]);
}

/**
 * Every so manyth of `n` voxels, as far from one end as from the other, so that the order in which a
 * file stores them does not matter; `first` is whole or lies between two voxels.
 */
function centred(n: number, wanted: number): { stride: number; first: number } {
  const stride = Math.min(Math.max(1, n - 1), Math.max(1, wanted));
  return { stride, first: ((n - 1) % stride) / 2 };
}

/** Axes within this factor of the finest are thinned out together. */
const ALIKE = 1.05;

/** The scan with values times `factor`, every second voxel along its finest axes while it is too large. */
export function reduced(volume: Volume, factor: number, most = MOST_VOXELS): Volume {
  const { size, affine } = volume;
  let found: Volume = { size, affine, data: volume.data.map((v) => v * factor) };
  while (found.data.length > most) {
    const edges = voxelSize(found.affine);
    const finest = Math.min(...edges);
    for (const [axis, edge] of edges.entries()) {
      if (edge < ALIKE * finest) found = halved(found, axis);
    }
  }
  return found;
}

/** Half of the voxels along an axis: means of two, or (1, 2, 1) / 4 about every second of an odd number. */
function halved({ size, affine, data }: Volume, axis: number): Volume {
  const n = size[axis]!;
  const odd = n % 2;
  const next = size.with(axis, (n + odd) / 2) as unknown as Size3;
  const [nx, ny, nz] = next;
  const strides = [1, size[0], size[0] * size[1]];
  const step = strides[axis]!;
  const half = new Float32Array(nx * ny * nz);
  for (let i = 0; i < half.length; i++) {
    const place = voxelAt(i, next);
    const k = 2 * place[axis]!;
    const at = place.reduce((sum, p, b) => sum + (b === axis ? k : p) * strides[b]!, 0);
    const after = data[k + 1 < n ? at + step : at]!;
    const before = data[k > 0 ? at - step : at]!;
    half[i] = odd ? (before + 2 * data[at]! + after) / 4 : (data[at]! + after) / 2;
  }
  const first = [0, 0, 0].with(axis, odd ? 0 : 0.5);
  return { size: next, affine: thinned(affine, [1, 1, 1].with(axis, 2), first), data: half };
}

export class Pyramid {
  private readonly input: Tensor;
  /** By the spacing of the points. */
  private readonly levels = new Map<number, Level>();

  /** @param volume values of about 1 in the head, see {@link reduced} */
  constructor(
    private readonly memory: Memory,
    private readonly volume: Volume,
  ) {
    const [nx, ny, nz] = volume.size;
    this.input = state("scan", [nz, ny, nx]);
    memory.write(this.input, volume.data);
  }

  /** The scan for points `spacing` mm apart: not coarser than that, at least 2 voxels an axis. */
  async level(spacing: number): Promise<Level> {
    const level = this.levels.get(spacing) ?? (await this.make(spacing));
    this.levels.set(spacing, level);
    return level;
  }

  private async make(spacing: number): Promise<Level> {
    const { memory, volume } = this;
    const g = graphFor(memory.device);
    let x = this.input;
    const taps: Tensor[] = [];
    const places = voxelSize(volume.affine).map((edge, axis) => {
      const sigma = (SIGMA * spacing) / edge;
      if (sigma < NEGLIGIBLE) return { stride: 1, first: 0 };
      const { stride, first } = centred(volume.size[axis]!, Math.floor(spacing / (1.01 * edge)));
      const whole = Math.floor(first);
      const weights = gaussianTaps(sigma, whole === first ? 0 : 0.5);
      const tensor = state("taps", [weights.length]);
      memory.write(tensor, weights);
      taps.push(tensor);
      const attrs = { axis: (2 - axis) as 0 | 1 | 2, first: whole, stride };
      x = g.apply(gaussianAxis, { x, taps: tensor }, attrs).y!;
      return { stride, first };
    });
    const [D = 0, H = 0, W = 0] = x.shape;
    const [strides, firsts] = [places.map((p) => p.stride), places.map((p) => p.first)];
    const affine = thinned(volume.affine, strides, firsts);
    const size: Size3 = [W, H, D];
    if (x === this.input) return { size, affine, tensor: this.input };
    const program = await Program.compile(memory, g, "pyramid", [x]);
    try {
      program.run();
      const tensor = state("level", x.shape);
      memory.write(tensor, await memory.readF32(x, program.bufferOf(x)));
      return { size, affine, tensor };
    } finally {
      program.destroy();
      for (const t of taps) memory.release(t);
    }
  }

  release(): void {
    const tensors = new Set([this.input, ...[...this.levels.values()].map((l) => l.tensor)]);
    for (const tensor of tensors) this.memory.release(tensor);
    this.levels.clear();
  }
}
