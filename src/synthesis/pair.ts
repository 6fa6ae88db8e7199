/** One synthetic pair of visits: lesions pasted at visit 2 alone, or filled in at visit 1 alone. */
import { Philox } from "../core/random";
import { applyAffine, invertAffine } from "../data/affine";
import type { Mask, Volume } from "../data/volume";
import { connectedComponents } from "../eval/components";
import { drawTurn, type Footprint, fill, fits, footprint, paint } from "./paste";
import { type LesionShape, type Point, worldBox } from "./shape";
import type { Recipient } from "./sources";
import { scannedAgain } from "./visit";

export interface SyntheticPair {
  readonly visit1: Volume;
  readonly visit2: Volume;
  /** New lesions: those of the pair itself, the pasted ones, and those filled in at visit 1. */
  readonly truth: Mask;
  /** Lesions gone at visit 2, where that is known: none of a single scan. */
  readonly resolved?: Mask;
  readonly made: readonly MadeLesion[];
}

export interface MadeLesion {
  /** `old` ones are pasted at both visits: having been pasted must not tell that a lesion is new. */
  readonly kind: "pasted" | "filled" | "old";
  readonly donor: string;
  readonly voxels: number;
  /** One of them: x, y, z. */
  readonly at: Point;
}

/** Streams of a pair. */
const STREAM = { plan: 1, lesions: 2, visit1: 3, visit2: 4, noise: 5 } as const;
/** Share of pairs in which nothing is new. */
const EMPTY = 0.1;
const MOST_NEW = 6;
const MOST_OLD = 3;
/** Share of the new lesions of a single scan that are filled ones, where there are any. */
const FILLED = 0.4;
/** Volume of lesions that can be filled, mm³. */
const FILLABLE: readonly [number, number] = [12, 1500];
/** Contrast of shapes that have none of their own, where no donor has. */
const CONTRAST: readonly [number, number] = [0.25, 0.6];
const PLACES = 120;
const LESIONS_TRIED = 6;

/**
 * @param shapes lesions of other patients
 * @param key numbers of the random streams: the same ones give the same pair
 */
export function makeSyntheticPair(
  recipient: Recipient,
  shapes: readonly LesionShape[],
  key: readonly [seed: number, pair: number],
): SyntheticPair {
  const maker = new PairMaker(recipient, shapes, key);
  const plan = new Philox(...key, STREAM.plan);
  const some = Math.min(MOST_NEW, 1 + Math.floor(-Math.log(1 - plan.uniform()) * 1.6));
  const count = plan.uniform() < EMPTY ? 0 : some;
  const old = plan.int(MOST_OLD + 1);
  for (let i = 0; i < old; i++) maker.paste("old");
  for (let i = 0; i < count; i++) {
    if (plan.uniform() < FILLED && maker.canFill) maker.chooseFilled();
    else maker.paste("pasted");
  }
  return maker.finish();
}

class PairMaker {
  private readonly random: Philox;
  private readonly data: readonly [Float32Array, Float32Array];
  private readonly truth: Uint8Array;
  /** Voxels that no further lesion may touch. */
  private readonly taken: Uint8Array;
  private readonly chosen: Uint8Array;
  private readonly fillable: Int32Array[];
  private readonly made: MadeLesion[] = [];
  private readonly box: readonly [Point, Point];
  private readonly contrasts: readonly number[];

  constructor(
    private readonly recipient: Recipient,
    private readonly shapes: readonly LesionShape[],
    private readonly key: readonly [number, number],
  ) {
    const { images, lesions, source, tissues } = recipient;
    this.random = new Philox(...key, STREAM.lesions);
    this.data = [images[0]!.data.slice(), images.at(-1)!.data.slice()];
    this.truth =
      source.kind === "pair" ? lesions.data.slice() : new Uint8Array(lesions.data.length);
    this.taken = lesions.data.slice();
    this.chosen = new Uint8Array(lesions.data.length);
    this.fillable = source.kind === "single" ? fillableLesions(recipient) : [];
    this.box = worldBox({ ...images[0]!, data: tissues.at(-1)!.brain });
    this.contrasts = shapes.flatMap(({ contrast }) => contrast ?? []);
  }

  get canFill(): boolean {
    return this.fillable.length > 0;
  }

  /** Takes one of the scan's own lesions for filling at visit 1. */
  chooseFilled(): void {
    const [voxels] = this.fillable.splice(this.random.int(this.fillable.length), 1);
    for (const i of voxels!) {
      this.chosen[i] = 1;
      this.truth[i] = 1;
    }
    this.made.push({
      kind: "filled",
      donor: this.recipient.source.id,
      ...this.whereabouts(voxels!),
    });
  }

  /** Pastes a lesion where it fits; of several, the first that does. */
  paste(kind: "pasted" | "old"): void {
    if (this.shapes.length === 0) return;
    for (let trial = 0; trial < LESIONS_TRIED; trial++) {
      const shape = this.shapes[this.random.int(this.shapes.length)]!;
      const found = this.placeFor(shape);
      if (!found) continue;
      const voxels = this.paintAt(kind, found, this.contrastFor(shape));
      if (voxels.length === 0) continue;
      for (const i of found.voxels) this.taken[i] = 1;
      if (kind === "pasted") for (const i of voxels) this.truth[i] = 1;
      this.made.push({ kind, donor: shape.donor, ...this.whereabouts(voxels) });
      return;
    }
  }

  private whereabouts(voxels: Int32Array): Pick<MadeLesion, "voxels" | "at"> {
    const [nx, ny] = this.recipient.images[0]!.size;
    const i = voxels[voxels.length >> 1]!;
    return {
      voxels: voxels.length,
      at: [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))],
    };
  }

  private contrastFor({ contrast }: LesionShape): number {
    const { random, contrasts } = this;
    const like =
      contrast ??
      (contrasts.length > 0
        ? contrasts[random.int(contrasts.length)]!
        : random.uniform(...CONTRAST));
    return Math.min(1, Math.max(0.4, like * random.uniform(0.85, 1.15)));
  }

  private paintAt(kind: "pasted" | "old", found: Footprint, contrast: number): Int32Array {
    const { tissues } = this.recipient;
    const voxels = paint(this.data[1], tissues.at(-1)!, found, contrast);
    if (kind === "old" && voxels.length > 0) {
      // From visit to visit an old lesion changes a little too.
      const other = contrast * this.random.uniform(0.93, 1.07);
      paint(this.data[0], tissues[0]!, found, other);
    }
    return voxels;
  }

  /** About where the lesion was in its donor's brain, else further and further from there. */
  private placeFor(shape: LesionShape): Footprint | undefined {
    const { random, recipient } = this;
    const image = recipient.images[0]!;
    const mirrored = random.uniform() < 0.5;
    const turn = drawTurn(random, mirrored);
    const [low, high] = this.box;
    const place = [mirrored ? 1 - shape.place[0] : shape.place[0], shape.place[1], shape.place[2]];
    for (let trial = 0; trial < PLACES; trial++) {
      const reach = 2 + (14 * trial) / PLACES;
      const centre = place.map(
        (p, axis) => low[axis]! + p * (high[axis]! - low[axis]!) + reach * random.normal(),
      ) as [number, number, number];
      if (!recipient.tissues.every(({ plausible }) => plausible[voxelAt(image, centre)])) continue;
      const found = footprint(image, shape, { centre, turn });
      if (recipient.tissues.every((tissue) => fits(found, tissue, this.taken))) return found;
    }
    return undefined;
  }

  finish(): SyntheticPair {
    const { recipient, key, truth, made } = this;
    const { images, tissues, source, lesions } = recipient;
    const [first, second] = [images[0]!, images.at(-1)!];
    const { size, affine } = first;
    const volume = (data: Float32Array): Volume => ({ size, affine, data });
    const mask: Mask = { size, affine, data: truth };
    if (source.kind === "pair") {
      const visit2 = { ...second, data: this.data[1] };
      const { resolved } = recipient;
      return { visit1: volume(this.data[0]), visit2, truth: mask, resolved, made };
    }
    const noise = new Philox(...key, STREAM.noise);
    if (this.chosen.includes(1)) fill(this.data[0], tissues[0]!, this.chosen, lesions, noise);
    const again = (visit: 0 | 1) => {
      const random = new Philox(...key, visit === 0 ? STREAM.visit1 : STREAM.visit2);
      return volume(scannedAgain(volume(this.data[visit]), tissues[0]!, random));
    };
    const resolved = { ...mask, data: new Uint8Array(truth.length) };
    return { visit1: again(0), visit2: again(1), truth: mask, resolved, made };
  }
}

/** The voxel nearest to a point of the world. */
function voxelAt({ size, affine }: Volume, point: Point): number {
  const [x, y, z] = applyAffine(invertAffine(affine), point).map((v) => Math.round(v));
  return (z! * size[1] + y!) * size[0] + x!;
}

/** Lesions of a single scan that stand out from white matter and are not too large. */
function fillableLesions({ lesions, tissues }: Recipient): Int32Array[] {
  const { edges, relative, fluid } = tissues[0]!;
  const mm3 = edges[0] * edges[1] * edges[2];
  const { count, voxels } = connectedComponents(lesions.data, lesions.size, 18);
  return Array.from({ length: count }, (_, c) => voxels(c + 1)).filter((inside) => {
    const volume = inside.length * mm3;
    if (volume < FILLABLE[0] || volume > FILLABLE[1]) return false;
    const mean = (of: Float32Array) => inside.reduce((sum, i) => sum + of[i]!, 0) / inside.length;
    return mean(relative) > 1.15 && mean(fluid) < 0.1;
  });
}
