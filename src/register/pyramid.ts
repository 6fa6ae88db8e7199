/** A scan at the resolutions of registration: smoothed and thinned out on the device. */
import { gaussianAxis, gaussianTaps } from "../../kernels/registration/gaussian_axis";
import { state, type Tensor } from "../core/tensor";
import { multiplyAffine } from "../data/affine";
import { type Affine, type Size3, type Volume, voxelSize } from "../data/volume";
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

/** The scan with values times `factor`, in means of blocks of 2 along its finest axes while it is too large. */
export function reduced(volume: Volume, factor: number, most = MOST_VOXELS): Volume {
  let { size, affine } = volume;
  let data = volume.data.map((v) => v * factor);
  while (data.length > most) {
    const edges = voxelSize(affine);
    const axis = edges.indexOf(Math.min(...edges));
    const block = [1, 1, 1].with(axis, 2);
    const next = size.map((n, k) => Math.floor(n / block[k]!));
    const [nx = 0, ny = 0, nz = 0] = next;
    const stride = [1, size[0], size[0] * size[1]];
    const half = new Float32Array(nx * ny * nz);
    for (let i = 0; i < half.length; i++) {
      const at =
        (i % nx) * block[0]! +
        (Math.floor(i / nx) % ny) * block[1]! * stride[1]! +
        Math.floor(i / (nx * ny)) * block[2]! * stride[2]!;
      half[i] = (data[at]! + data[at + stride[axis]!]!) / 2;
    }
    affine = thinned(affine, block, [0, 0, 0].with(axis, 0.5));
    size = [nx, ny, nz];
    data = half;
  }
  return { size, affine, data };
}

export class Pyramid {
  private readonly input: Tensor;

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
    const { memory, volume } = this;
    const g = graphFor(memory.device);
    let x = this.input;
    const taps: Tensor[] = [];
    const strides = voxelSize(volume.affine).map((edge, axis) => {
      const sigma = (SIGMA * spacing) / edge;
      const most = Math.max(1, Math.floor((volume.size[axis]! - 1) / 1));
      const stride = Math.min(most, Math.max(1, Math.floor(spacing / (1.01 * edge))));
      if (sigma < NEGLIGIBLE && stride === 1) return 1;
      const weights = gaussianTaps(sigma < NEGLIGIBLE ? 0 : sigma);
      const tensor = state("taps", [weights.length]);
      memory.write(tensor, weights);
      taps.push(tensor);
      x = g.apply(gaussianAxis, { x, taps: tensor }, { axis: (2 - axis) as 0 | 1 | 2, stride }).y!;
      return stride;
    });
    const [D = 0, H = 0, W = 0] = x.shape;
    const affine = thinned(volume.affine, strides, [0, 0, 0]);
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

  releaseLevel(level: Level): void {
    if (level.tensor !== this.input) this.memory.release(level.tensor);
  }

  release(): void {
    this.memory.release(this.input);
  }
}
