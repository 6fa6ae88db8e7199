/** Two visits as the network sees them: resampled to cubes and z-normalised, on the device. */
import { mergeMoments, moments } from "../../kernels/norm/moments";
import { UserError } from "../core/errors";
import type { Tensors } from "../core/op";
import { rangeOf, state, type Tensor } from "../core/tensor";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { copyElements, placeIn } from "../gpu/transfer";
import { DeviceResampler, hostPlanes, type OutputSlab } from "./resample_device";
import type { Grid, Mask, Volume } from "./volume";
import type { PageRange } from "./volume_store";
import { inOrder } from "./voxel_order";
import { labelOnGrid, targetGrid, workingOrder } from "./working_grid";

export type Normalisation = "volume" | "nonzero" | "mask";

export interface PrepareOptions {
  /** Edge of the voxels that the network sees, mm. */
  readonly spacing: number;
  readonly normalisation: Normalisation;
}

/** Share of the mean below which a deviation is rounding of the resampling in float32. */
const ROUNDING = 1e-6;

/** Images on one grid; the brain mask where the normalisation needs one. */
export interface ImagePair {
  readonly time1: Volume;
  readonly time2: Volume;
  readonly brainMask?: Mask;
}

/** Mean and 1/std of a visit, over the voxels that count. */
type Params = readonly [mean: number, rstd: number];

/**
 * Both visits on the network's grid, each normalised on its own. They are made slab by slab when
 * they are wanted, straight into their place: only a slab of them takes memory here.
 */
export class DevicePair {
  private constructor(
    private readonly memory: Memory,
    private readonly images: readonly [Volume, Volume],
    private readonly values: readonly Params[],
    private readonly params: Tensor,
    private readonly resampler: DeviceResampler,
    readonly grid: Grid,
  ) {}

  /**
   * Measures mean and standard deviation of the resampled visits.
   * @param names of the files, for messages
   * @param most elements of a slab
   * @throws UserError naming the file when there is nothing to normalise by
   */
  static async create(
    memory: Memory,
    pair: ImagePair,
    names: readonly [string, string],
    { spacing, normalisation }: PrepareOptions,
    most?: number,
  ): Promise<DevicePair> {
    const order = workingOrder(pair.time1.affine);
    const seen = (image: Volume) => withinFloat32(inOrder(image, order));
    const images = [seen(pair.time1), seen(pair.time2)] as const;
    const grid = targetGrid(pair.time1, spacing);
    if (normalisation === "mask" && !pair.brainMask) {
      throw new UserError(
        `${names[0]}: --normalisation mask needs a brain mask beside it (brain_mask.nii.gz); add ` +
          "it, or use --normalisation volume",
      );
    }
    refuseConstant(pair.time1, pair.brainMask, names[0], normalisation);
    refuseConstant(pair.time2, pair.brainMask, names[1], normalisation);
    const mask =
      normalisation === "mask" ? await labelOnGrid(memory, pair.brainMask!, grid) : undefined;
    const options = { most };
    const resampler = await DeviceResampler.create(memory, images[0], grid, "trilinear", options);
    const measure = new Measure(memory, resampler.output, normalisation, mask);
    const values: Params[] = [];
    try {
      for (const [i, image] of images.entries()) {
        const partials: Float32Array[] = [];
        await resampler.run(hostPlanes(memory, image.data, image), async (slab) => {
          partials.push(await measure.partials(slab));
        });
        values.push(paramsOf(partials, names[i]!, normalisation));
      }
    } finally {
      measure.release();
      resampler.release();
    }
    const params = state("norm_params", [2]);
    const standardising = { params, most };
    const final = await DeviceResampler.create(memory, images[0], grid, "trilinear", standardising);
    return new DevicePair(memory, images, values, params, final, grid);
  }

  private source(visit: 0 | 1) {
    this.memory.write(this.params, new Float32Array(this.values[visit]!));
    return hostPlanes(this.memory, this.images[visit].data, this.images[visit]);
  }

  /** A visit on the host. */
  read(visit: 0 | 1): Promise<Float32Array> {
    return this.resampler.read(this.source(visit));
  }

  /** Writes both visits to their places in pages of a volume store. */
  async fill(ranges: readonly PageRange[]): Promise<void> {
    const plane = this.grid.size[0] * this.grid.size[1];
    for (const visit of [0, 1] as const) {
      await this.resampler.run(this.source(visit), (slab) => {
        for (const { page, at, z0, planes } of ranges) {
          const first = Math.max(z0, slab.z0);
          const count = Math.min(z0 + planes, slab.z0 + slab.planes) - first;
          if (count <= 0) continue;
          const from = placeIn(this.memory, this.resampler.output, (first - slab.z0) * plane);
          const to = placeIn(this.memory, page, at + (visit * planes + first - z0) * plane);
          copyElements(this.memory, from, to, count * plane);
        }
      });
    }
  }

  release(): void {
    this.resampler.release();
    this.memory.release(this.params);
  }
}

export interface PreparedPair {
  readonly grid: Grid;
  readonly visit1: Float32Array;
  readonly visit2: Float32Array;
}

/** Both visits on the network's grid, normalised, on the host; as DevicePair.create. */
export async function preparePair(
  memory: Memory,
  images: ImagePair,
  names: readonly [string, string],
  options: PrepareOptions,
): Promise<PreparedPair> {
  const pair = await DevicePair.create(memory, images, names, options);
  try {
    return { grid: pair.grid, visit1: await pair.read(0), visit2: await pair.read(1) };
  } finally {
    pair.release();
  }
}

/** Magnitudes between which squares of voxels, and their sums over a volume, are float32 numbers. */
const SQUARED = [2 ** -40, 2 ** 50] as const;

/**
 * The image times a power of two where its squares would leave float32; else the image itself. No
 * bit of a normalised image depends on such a factor, and the squares of ordinary images need none.
 */
function withinFloat32(image: Volume): Volume {
  let largest = 0;
  for (let i = 0; i < image.data.length; i++) {
    const magnitude = Math.abs(image.data[i]!);
    if (magnitude > largest) largest = magnitude;
  }
  const [low, high] = SQUARED;
  if (largest === 0 || (largest >= low && largest <= high)) return image;
  const factor = 2 ** -Math.floor(Math.log2(largest));
  return { ...image, data: image.data.map((value) => value * factor) };
}

/** Moments of slabs that lie in one tensor after another. */
class Measure {
  /** By number of planes: the last slab may have fewer. */
  private readonly programs = new Map<number, { program: Program; partials: Tensor }>();

  private readonly mask?: Tensor;

  /** @param brain mask of the whole volume, where only its voxels count */
  constructor(
    private readonly memory: Memory,
    private readonly slab: Tensor,
    private readonly mode: Normalisation,
    private readonly brain?: Uint8Array,
  ) {
    if (brain) this.mask = state("moments_mask", slab.shape);
  }

  /** Rows for mergeMoments. */
  async partials({ z0, planes }: OutputSlab): Promise<Float32Array> {
    const [, ny = 1, nx = 1] = this.slab.shape;
    if (this.mask) {
      const part = this.brain!.subarray(z0 * nx * ny, (z0 + planes) * nx * ny);
      this.memory.write(this.mask, new Float32Array(part));
    }
    const { program, partials } = await this.program(planes);
    program.run();
    return this.memory.readF32(partials, program.bufferOf(partials));
  }

  private async program(planes: number) {
    const found = this.programs.get(planes);
    if (found) return found;
    const [, ny = 1, nx = 1] = this.slab.shape;
    const taken = (t: Tensor) => rangeOf(t, `${t.name}_part`, 0, [planes, ny, nx]);
    const g = graphFor(this.memory.device);
    const x = taken(this.slab);
    const inputs: Tensors = this.mask ? { x, mask: taken(this.mask) } : { x };
    const partials = g.apply(moments, inputs, { nonzero: this.mode === "nonzero" }).partials!;
    const program = await Program.compile(this.memory, g, "moments", [partials]);
    const made = { program, partials };
    this.programs.set(planes, made);
    return made;
  }

  release(): void {
    for (const { program } of this.programs.values()) program.destroy();
    if (this.mask) this.memory.release(this.mask);
  }
}

function paramsOf(partials: readonly Float32Array[], name: string, mode: Normalisation): Params {
  const { mean, std } = mergeMoments(partials.flatMap((part) => [...part]));
  if (!Number.isFinite(mean) || !Number.isFinite(std)) {
    throw new UserError(
      `${name}: its mean is ${mean} and its standard deviation ${std}, so it cannot be normalised; ` +
        "check the image",
    );
  }
  if (std > ROUNDING * Math.abs(mean)) return [mean, 1 / std];
  throw constantError(name, mode);
}

function constantError(name: string, mode: Normalisation): UserError {
  return new UserError(
    `${name}: all voxels ${mode === "volume" ? "" : `of the ${mode} region `}have the same value, ` +
      "so it cannot be normalised; check the image",
  );
}

/** The device's mean of equal voxels is rounded, so that they would seem to deviate from it. */
function refuseConstant(
  { data }: Volume,
  mask: Mask | undefined,
  name: string,
  mode: Normalisation,
): void {
  const counts = (i: number) =>
    mode === "volume" || (mode === "nonzero" ? data[i] !== 0 : mask!.data[i] === 1);
  let first: number | undefined;
  for (let i = 0; i < data.length; i++) {
    if (!counts(i)) continue;
    first ??= data[i]!;
    if (data[i] !== first) return;
  }
  throw constantError(name, mode);
}
