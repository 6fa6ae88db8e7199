/** Resampling between two grids of the same axes on the device, slab by slab along z. */
import { resample } from "../../kernels/volume/resample";
import type { Tensors } from "../core/op";
import { state, type Tensor } from "../core/tensor";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { placeIn, readInto } from "../gpu/transfer";
import { invertAffine, multiplyAffine } from "./affine";
import type { Grid } from "./volume";

export type Interpolation = "trilinear" | "nearest";

/** Writes planes [first, first + count) of a volume to the start of a tensor. */
export type PlaneSource = (first: number, count: number, target: Tensor) => void;

/** Planes [z0, z0 + planes) of the result: the first of `DeviceResampler.output`. */
export interface OutputSlab {
  readonly z0: number;
  readonly planes: number;
}

interface Step extends OutputSlab {
  /** First plane of the input that must lie in `input`. */
  readonly first: number;
  readonly program: Program;
}

export interface ResampleOptions {
  /** Mean and 1/std (2): the result is standardised by them. */
  readonly params?: Tensor;
  /** Most elements of a slab, of input or result. */
  readonly most?: number;
}

/** 32 MiB: few waits and launches, and three such buffers are small beside a volume. */
const SLAB = 8 * 2 ** 20;

export class DeviceResampler {
  private constructor(
    private readonly memory: Memory,
    private readonly input: Tensor,
    /** (depth, ny, nx); holds one slab of the result after another. */
    readonly output: Tensor,
    private readonly steps: readonly Step[],
  ) {}

  /**
   * Compiles resampling from grid `from` to grid `to`. All slabs are launches of one pipeline, and
   * beyond the edge of `from` its edge voxel counts.
   */
  static async create(
    memory: Memory,
    from: Grid,
    to: Grid,
    mode: Interpolation,
    { params, most = SLAB }: ResampleOptions = {},
  ): Promise<DeviceResampler> {
    const [scale, offset] = diagonalMapping(from, to);
    const [nx, ny, nz] = to.size;
    const [fx, fy, fz] = from.size;
    // A plane of the result needs |scale| planes of the input, and a slab a few more at its ends.
    const perPlane = Math.max(nx * ny, fx * fy * Math.abs(scale[2]));
    const count = Math.ceil(nz / Math.max(1, Math.floor((most - 4 * fx * fy) / perPlane)));
    const depth = Math.ceil(nz / count);
    const planes = Math.min(fz, Math.ceil(Math.abs(scale[2]) * (depth - 1)) + 4);
    const input = state("resample_input", [planes, fy, fx]);
    const output = state("resample_output", [depth, ny, nx]);
    const inputs: Tensors = params ? { x: input, params } : { x: input };
    const step = async (i: number): Promise<Step> => {
      const z0 = i * depth;
      const ends = [z0, z0 + depth - 1].map((z) => scale[2] * z + offset[2]);
      const first = Math.min(Math.max(Math.floor(Math.min(...ends)) - 1, 0), fz - planes);
      const g = graphFor(memory.device);
      const attrs = {
        size: [depth, ny, nx] as const,
        mode,
        scale: [scale[2], scale[1], scale[0]] as const,
        offset: [scale[2] * z0 + offset[2] - first, offset[1], offset[0]] as const,
        out: output,
      };
      g.apply(resample, inputs, attrs);
      const program = await Program.compile(memory, g, "resample");
      return { z0, planes: Math.min(depth, nz - z0), first, program };
    };
    const steps = await Promise.all(
      Array.from({ length: Math.ceil(nz / depth) }, (_, i) => step(i)),
    );
    return new DeviceResampler(memory, input, output, steps);
  }

  /** Resamples a volume; `take` gets each slab of the result while it lies in `output`. */
  async run(source: PlaneSource, take: (slab: OutputSlab) => void | Promise<void>): Promise<void> {
    let loaded = -1;
    for (const { first, program, ...slab } of this.steps) {
      if (first !== loaded) source(first, this.input.shape[0]!, this.input);
      loaded = first;
      program.run();
      await take(slab);
    }
  }

  /** Resamples a volume to the host. */
  async read(source: PlaneSource): Promise<Float32Array> {
    const [, ny = 1, nx = 1] = this.output.shape;
    const last = this.steps.at(-1)!;
    const result = new Float32Array(nx * ny * (last.z0 + last.planes));
    await this.run(source, ({ z0, planes }) => {
      const part = result.subarray(z0 * nx * ny, (z0 + planes) * nx * ny);
      return readInto(this.memory, placeIn(this.memory, this.output), part);
    });
    return result;
  }

  release(): void {
    for (const { program } of this.steps) program.destroy();
    for (const t of [this.input, this.output]) this.memory.release(t);
  }
}

/** The planes of a volume on the host. */
export function hostPlanes(memory: Memory, data: Float32Array, { size }: Grid): PlaneSource {
  const plane = size[0] * size[1];
  return (first, count, target) =>
    memory.write(target, data.subarray(first * plane, (first + count) * plane));
}

/** `data` on grid `from`, on grid `to`; both must have the same axes (as resampledGrid gives). */
export async function resampleOnDevice(
  memory: Memory,
  data: Float32Array,
  from: Grid,
  to: Grid,
  mode: Interpolation,
  most?: number,
): Promise<Float32Array> {
  const resampler = await DeviceResampler.create(memory, from, to, mode, { most });
  try {
    return await resampler.read(hostPlanes(memory, data, from));
  } finally {
    resampler.release();
  }
}

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
