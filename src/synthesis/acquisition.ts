/** One scan of a head by a scanner: the numbers that are drawn for it, and the image that it gives. */
import type { Philox } from "../core/random";
import { Philox as Stream } from "../core/random";
import { type Field, randomField } from "../data/phantom/fields";
import type { Size3 } from "../data/volume";
import type { Background } from "./background";
import { type Contrast, drawContrast, nearContrast, toned } from "./contrast";
import { type Axis, blurred, fromSlices, intoSlices, planeSums, sliceGrid } from "./filters";
import { FieldRows, LINEAR_VARIANCE, type Motion, moved } from "./motion";
import { NoiseStream } from "./noise";

/** Everything that differs from scan to scan but for the pose. */
export interface Acquisition {
  readonly contrast: Contrast;
  /** Depth of the bias field, and the distance of its knots in mm. */
  readonly bias: { readonly depth: number; readonly knot: number };
  /** σ of the point spread along each axis before the slices are cut, mm. */
  readonly spread: readonly [number, number, number];
  readonly slices: {
    readonly axis: Axis;
    readonly mm: number;
    /** Distance of the slices over their thickness. */
    readonly gap: number;
    readonly cubic: boolean;
  };
  /** Deviation of the noise in a slice, of white matter. */
  readonly noise: number;
  /** σ of the smoothing after the noise, in the slice, mm: it correlates the noise. */
  readonly interpolation: number;
  /** Whether air was set to 0. */
  readonly isMasked: boolean;
  /** Copies of the image, moved along an axis by a share of its length. */
  readonly ghost?: { readonly axis: Axis; readonly shift: number; readonly height: number };
  readonly gain: number;
}

export const ACQUISITION = {
  sameScanner: 0.4,
  biasDepth: [0.02, 0.16],
  biasKnot: [55, 120],
  spread: [0, 0.8],
  /** Share of scans without any spread but the voxels'. */
  sharp: 0.4,
  noise: [0.012, 0.085],
  interpolation: [0, 0.5],
  masked: 0.5,
  ghost: 0.12,
  ghostHeight: [0.01, 0.06],
  thickness: [1, 5],
  isotropic: 0.3,
  gap: [1, 1.2],
  gain: [150, 1200],
} as const;

const between = (random: Philox, [low, high]: readonly [number, number]) =>
  random.uniform(low, high);

/** Uniform in the logarithm. */
const logarithmic = (random: Philox, [low, high]: readonly [number, number]) =>
  low * (high / low) ** random.uniform();

export function drawAcquisition(background: Background, random: Philox): Acquisition {
  const a = ACQUISITION;
  const slices = drawSlices(background, random);
  const wide = between(random, a.spread);
  const even = random.uniform() < a.sharp ? 0 : wide;
  const spread = [0, 1, 2].map((axis) =>
    axis === slices.axis && slices.mm > 1.2 ? 0 : even * random.uniform(0.8, 1.1),
  ) as [number, number, number];
  const ghost =
    random.uniform() < a.ghost
      ? {
          axis: ((slices.axis + 1 + random.int(2)) % 3) as Axis,
          shift: 1 / (2 + random.int(4)),
          height: between(random, a.ghostHeight),
        }
      : undefined;
  return {
    contrast: drawContrast(random),
    bias: { depth: logarithmic(random, a.biasDepth), knot: between(random, a.biasKnot) },
    spread,
    slices,
    noise: logarithmic(random, a.noise),
    interpolation: between(random, a.interpolation),
    isMasked: background.isExtracted || random.uniform() < a.masked,
    ghost,
    gain: between(random, a.gain),
  };
}

/** Another scan by the same scanner: its sequence, with small differences of the day. */
export function scannedLater(of: Acquisition, random: Philox): Acquisition {
  const factor = (depth: number) => Math.exp(depth * random.normal());
  const { height = 0 } = of.ghost ?? {};
  return {
    ...of,
    contrast: nearContrast(of.contrast, random),
    bias: { ...of.bias, depth: of.bias.depth * factor(0.15) },
    noise: of.noise * factor(0.1),
    ghost:
      of.ghost && random.uniform() < 0.5
        ? { ...of.ghost, height: height * factor(0.3) }
        : undefined,
    gain: of.gain * factor(0.15),
  };
}

function drawSlices({ slices: own }: Background, random: Philox): Acquisition["slices"] {
  const a = ACQUISITION;
  const cubic = random.uniform() < 0.5;
  const gap = random.uniform() < 0.5 ? 1 : between(random, a.gap);
  if (own && random.uniform() < 0.75) {
    // What is thick already can only become thicker.
    const mm = random.uniform() < 0.6 ? own.mm : random.uniform(own.mm, Math.max(own.mm, 5));
    return { axis: own.axis, mm, gap, cubic };
  }
  const place = random.uniform();
  const axis: Axis = place < 0.65 ? 2 : place < 0.85 ? 0 : 1;
  if (random.uniform() < a.isotropic) return { axis, mm: 1, gap: 1, cubic };
  const thickest = own ? 2.5 : a.thickness[1];
  return { axis, mm: random.uniform(1.2, thickest), gap, cubic };
}

/** What of a pair both visits share. */
export interface Framing {
  /** Level of the hull from which the brain is cut out; undefined: the whole head stays. */
  readonly extraction?: number;
  /** A bias field of both visits; each has only a small part of its own beside it. */
  readonly common?: { readonly field: Field; readonly depth: number };
}

/** What is left of a visit's own bias beside a common one. */
const REST_OF_BIAS = 0.15;

/**
 * The head as this sequence shows its tissues, before the scanner's optics.
 * @param head relative intensities with their lesions
 */
function shown(
  head: Float32Array,
  { size, grey, hull }: Background,
  { contrast, bias }: Acquisition,
  { extraction, common }: Framing,
  random: Philox,
): Float32Array {
  const extent = [size[0], size[1], size[2]] as const;
  const rows = (knot: number) => new FieldRows(fieldOf(random, extent, knot), size);
  const biasRows = rows(bias.knot);
  const commonRows = common && new FieldRows(common.field, size);
  const depth = common ? REST_OF_BIAS * bias.depth : bias.depth;
  const regionRows = rows(25);
  const scalpRows = rows(35);
  const out = new Float32Array(head.length);
  const { curve, scalp, scalpDepth, regional } = contrast;
  const greyPer = contrast.grey / 255;
  const sharpness = 1 / 24;
  const [nx, ny, nz] = size;
  for (let z = 0, o = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      const field = biasRows.read(y, z);
      const shared = commonRows?.read(y, z);
      const region = regionRows.read(y, z);
      const outer = scalpRows.read(y, z);
      for (let x = 0; x < nx; x++, o++) {
        let v = toned(curve, head[o]!);
        if (v === 0) continue;
        v *= 1 + regional * region[x]! + greyPer * grey[o]!;
        const h = hull[o]!;
        if (extraction !== undefined) {
          const inside = (h - extraction) * sharpness + 0.5;
          v *= Math.min(1, Math.max(0, inside));
        } else if (h < 60) {
          const factor = scalp * (1 + scalpDepth * outer[x]!);
          v *= h > 30 ? 1 + ((60 - h) / 30) * (factor - 1) : factor;
        }
        const gain = 1 + depth * field[x]! + (shared ? common!.depth * shared[x]! : 0);
        out[o] = v * Math.max(0.3, gain);
      }
    }
  }
  return out;
}

function fieldOf(random: Philox, extent: readonly [number, number, number], knot: number): Field {
  return randomField(random, extent, knot);
}

/**
 * The image of a head: sequence, motion, point spread, ghosts, slices with their noise, and back to
 * voxels of 1 mm.
 * @param key numbers of the visit's random stream
 */
export function acquired(
  head: Float32Array,
  background: Background,
  acquisition: Acquisition,
  framing: Framing,
  motion: Motion,
  key: readonly [seed: number, ...stream: number[]],
): Float32Array {
  const random = new Stream(...key);
  const { size } = background;
  const { spread, slices, noise, interpolation, isMasked, ghost, gain } = acquisition;
  const tissue = shown(head, background, acquisition, framing, random);
  let image = moved(tissue, size, motion);
  // What moving has blurred is taken back first: real scans were not moved.
  image = blurred(
    image,
    size,
    spread.map((sigma) => sigma ** 2 - LINEAR_VARIANCE),
  );
  if (ghost) addGhost(image, size, ghost);
  const n = size[slices.axis];
  const spacing = slices.mm * slices.gap;
  const isFine = slices.mm < 1.1;
  const grid = sliceGrid(slices.axis, n, spacing, slices.mm, random.uniform());
  const own = background.slices;
  // The scan's own slices have averaged over as much already.
  const averaged =
    own?.axis === slices.axis ? Math.sqrt(Math.max(0, slices.mm ** 2 - own.mm ** 2)) : slices.mm;
  const cut = isFine
    ? { data: image, size }
    : planeSums(
        image,
        size,
        slices.axis,
        intoSlices(n, { ...grid, thickness: Math.max(1, averaged) }),
      );
  const stream = new NoiseStream(random);
  if (isMasked) stream.addNormal(cut.data, noise);
  else stream.addRician(cut.data, noise);
  const inPlane = [0, 1, 2].map((axis) => (axis === slices.axis ? 0 : interpolation ** 2));
  const even = blurred(cut.data, cut.size, inPlane);
  const back = isFine
    ? even
    : planeSums(even, cut.size, slices.axis, fromSlices(n, grid, slices.cubic)).data;
  for (let i = 0; i < back.length; i++) back[i]! = Math.max(0, back[i]! * gain);
  return back;
}

/** Adds copies that are moved along an axis, around its end. In place. */
function addGhost(
  image: Float32Array,
  size: Size3,
  { axis, shift, height }: NonNullable<Acquisition["ghost"]>,
): void {
  const stride = size.slice(0, axis).reduce((a, b) => a * b, 1);
  const n = size[axis];
  const by = Math.round(shift * n);
  const from = image.slice();
  for (let start = 0; start < image.length; start += n * stride) {
    for (let i = 0; i < n; i++) {
      const source = start + ((i + by) % n) * stride - (start + i * stride);
      const end = start + (i + 1) * stride;
      for (let at = end - stride; at < end; at++) image[at]! += height * from[at + source]!;
    }
  }
}
