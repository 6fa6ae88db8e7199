/** The lesions of a pair: which there are at each visit, and what of them is new. */

import type { Philox } from "../core/random";
import { voxelAt } from "../data/volume";
import type { Background } from "./background";
import { type Curve, toned } from "./contrast";
import { APPEARS, DISAPPEARS, EVOLUTION, type Fate } from "./fates";
import { drawBody, type Footprint, footprint, type LesionBody, pointIn } from "./lesion";
import type { LesionShape } from "./mask_shapes";
import { REGIONS, type Region } from "./places";
import { addFaint, addFlow } from "./spots";

export interface MadeLesion {
  readonly fate: Fate;
  /** `own`: a real one of the scan. */
  readonly region: Region | "own";
  /** Nominal volume at its larger visit, mm³. */
  readonly volume: number;
  /** Patient whose mask gave the shape. */
  readonly shapeOf?: string;
  /** One of its voxels in the background: x, y, z. */
  readonly at: readonly [number, number, number];
}

/** What of each visit's scan decides whether a lesion can be seen. */
export interface Sight {
  /** Thickness of the slices, mm, and the noise of white matter. */
  readonly mm: number;
  readonly noise: number;
  readonly curve: Curve;
}

export interface Heads {
  readonly visit1: Float32Array;
  readonly visit2: Float32Array;
  /** Share of what is new in each voxel, and of what is gone. */
  readonly appeared: Float32Array;
  readonly disappeared: Float32Array;
  readonly made: readonly MadeLesion[];
}

/** The head at both visits. */
export function evolved(
  background: Background,
  shapes: readonly LesionShape[],
  random: Philox,
  sight: readonly [Sight, Sight],
): Heads {
  const painter = new Painter(background, shapes, random, sight);
  const e = EVOLUTION;
  const hasNew = random.uniform() >= e.unchanged;
  painter.takeOwn(hasNew);
  const some = ({ share, most }: { share: number; most: number }) =>
    random.uniform() < share ? 1 + Math.floor(most * random.uniform() ** 2) : 0;
  for (let n = some(e.same); n > 0; n--) painter.add(random.uniform() < 0.5 ? "same" : "changed");
  for (let n = some(e.gone); n > 0; n--) painter.add(random.uniform() < 0.6 ? "gone" : "shrunk");
  const wanted = Math.min(e.mostNew, 1 + Math.floor(-e.more * Math.log(1 - random.uniform())));
  if (hasNew) {
    for (let n = some(e.grown); n > 0; n--)
      painter.add(random.uniform() < 0.7 ? "grown" : "brighter");
    for (let n = 0; n < wanted; n++) painter.add("new");
    // A pair that is to have a new lesion has one, unless there is no room in this head.
    for (let n = 0; n < 10 && !painter.hasNew; n++) painter.add("new");
  }
  const heads = painter.heads();
  const visits = [heads.visit1, heads.visit2] as const;
  for (let n = some(e.flow); n > 0; n--) addFlow(visits, background, random);
  for (let n = some(e.faint); n > 0; n--) addFaint(visits, background, random);
  return heads;
}

const TRIES = 40;

class Painter {
  private readonly visit1: Float32Array;
  private readonly visit2: Float32Array;
  private readonly appeared: Float32Array;
  private readonly disappeared: Float32Array;
  private readonly taken: Uint8Array;
  private readonly made: MadeLesion[] = [];

  constructor(
    private readonly background: Background,
    private readonly shapes: readonly LesionShape[],
    private readonly random: Philox,
    private readonly sight: readonly [Sight, Sight],
  ) {
    const { image, taken } = background;
    this.visit1 = image.slice();
    this.visit2 = image.slice();
    this.appeared = new Float32Array(image.length);
    this.disappeared = new Float32Array(image.length);
    this.taken = taken.slice();
  }

  get hasNew(): boolean {
    return this.made.some(({ fate }) => APPEARS.includes(fate));
  }

  heads(): Heads {
    const { visit1, visit2, appeared, disappeared, made } = this;
    return { visit1, visit2, appeared, disappeared, made };
  }

  /** Decides for each of the scan's own lesions at which visits it is there. */
  takeOwn(mayBeNew: boolean): void {
    const { own } = EVOLUTION;
    for (const { voxels, lift, labelled, contrast } of this.background.lesions) {
      const lot = this.random.uniform();
      // The number is drawn for every lesion, so that one does not move the others' numbers.
      const isSeen = this.seen(contrast, labelled.length) >= 1;
      let fate: Fate = "same";
      if (lot < own.new) fate = mayBeNew && isSeen ? "new" : "same";
      else if (lot < own.new + own.gone) fate = isSeen ? "gone" : "same";
      const never = lot >= own.new + own.gone && lot < own.new + own.gone + own.never;
      if (fate === "same" && !never) continue;
      for (const [k, i] of voxels.entries()) {
        if (never || fate === "new") this.visit1[i]! -= lift[k]!;
        if (never || fate === "gone") this.visit2[i]! -= lift[k]!;
      }
      if (never) continue;
      const label = fate === "new" ? this.appeared : this.disappeared;
      for (const i of labelled) label[i] = 1;
      this.note(fate, "own", labelled.length, labelled[labelled.length >> 1]!);
    }
  }

  private note(
    fate: Fate,
    region: Region | "own",
    volume: number,
    voxel: number,
    shapeOf?: string,
  ): void {
    const at = voxelAt(voxel, this.background.size);
    const from = shapeOf === undefined ? {} : { shapeOf };
    this.made.push({ fate, region, volume: Math.round(volume), at, ...from });
  }

  /** How often a lesion stands out by the least that is needed, at the visit that shows it worse. */
  private seen(contrast: number, volume: number, isGrey = false): number {
    const across = 2 * ((3 * volume) / (4 * Math.PI)) ** (1 / 3);
    const { least, noise } = EVOLUTION.seen;
    const each = this.sight.map((scan) => {
      // Cortex is brighter than white matter, and lesions stand out less from it.
      const base = isGrey ? 1.15 : 1;
      const shown = toned(scan.curve, base + contrast) - toned(scan.curve, base);
      const lift = shown * Math.min(1, across / (0.6 * across + 0.7 * scan.mm));
      return lift / Math.max(least, noise * scan.noise);
    });
    return Math.min(...each);
  }

  /** Paints a lesion of this fate where it fits. */
  add(fate: Fate): void {
    const { random, background } = this;
    const { volume: v, contrast: c } = EVOLUTION;
    const drawn = (of: typeof v | typeof c) =>
      Math.min(of.most, Math.max(of.least, of.median * Math.exp(of.spread * random.normal())));
    const [wanted, faint] = [drawn(v), drawn(c)];
    for (let trial = 0; trial < TRIES; trial++) {
      const region = this.region();
      const places = background.places[region];
      if (places.length < 30) continue;
      const voxel = places[random.int(places.length)]!;
      const isGrey = region === "cortical" || region === "juxtacortical";
      let [volume, contrast] = [isGrey ? Math.min(300, wanted) : wanted, faint];
      if (fate !== "same" && fate !== "changed") {
        for (let n = 0; n < 10 && this.seen(contrast, volume, isGrey) < 1; n++) {
          contrast = Math.min(c.most, contrast * 1.15);
          volume *= 1.2;
        }
      }
      const body = drawBody(random, pointIn(voxel, background.size, random), volume, this.shapes);
      const [first, second] = this.phases(body, fate, contrast);
      const larger = first.print.voxels.length > second.print.voxels.length ? first : second;
      if (!this.fits(larger.print, region)) continue;
      if (!this.paint(fate, first, second)) continue;
      for (const [k, i] of larger.print.voxels.entries()) {
        if (larger.print.share[k]! > 0.2) this.taken[i] = 1;
      }
      this.note(fate, region, volume, voxel, body.shape?.of.patient);
      return;
    }
  }

  private region(): Region {
    let lot = this.random.uniform();
    for (const region of REGIONS) {
      lot -= EVOLUTION.regions[region];
      if (lot < 0) return region;
    }
    return "deep";
  }

  /** Extent and contrast at both visits. */
  private phases(body: LesionBody, fate: Fate, contrast: number): readonly [Phase, Phase] {
    const { random, background } = this;
    const { growth, brightening } = EVOLUTION;
    const at = (grown: number) => footprint(body, background.size, grown);
    const whole = { print: at(0), contrast };
    const none = { print: EMPTY, contrast: 0 };
    const clear = random.uniform(...growth.clear);
    const lift = random.uniform(...brightening.clear);
    const slight = random.uniform(-growth.slight, growth.slight);
    const tone = Math.exp(brightening.slight * random.normal());
    const smaller = { print: at(-Math.min(clear, 0.6 * body.radius)), contrast: contrast * tone };
    switch (fate) {
      case "new":
        return [none, whole];
      case "gone":
        return [whole, none];
      case "grown":
        return [smaller, whole];
      case "shrunk":
        return [whole, smaller];
      case "brighter":
        return [
          { ...whole, contrast: 0.1 * contrast },
          { ...whole, contrast: contrast + lift },
        ];
      case "same":
        return [whole, whole];
      case "changed":
        return [whole, { print: at(slight), contrast: contrast * tone }];
      default:
        return fate satisfies never;
    }
  }

  /** In brain, and apart from other lesions unless it is to flow together with them. */
  private fits({ voxels, share }: Footprint, region: Region): boolean {
    const { fluid, hull } = this.background;
    let [total, wet, outside, other] = [0, 0, 0, 0];
    for (const [k, i] of voxels.entries()) {
      const s = share[k]!;
      total += s;
      wet += (s * fluid[i]!) / 255;
      if (hull[i]! < 110) outside += s;
      if (this.taken[i]) other += s;
    }
    const crowd = region === "confluent" ? 0.5 : 0.05;
    return total > 0 && wet < 0.3 * total && outside < 0.1 * total && other < crowd * total;
  }

  /**
   * Lifts what each visit shows of the lesion to its level above the tissue around, as far as it fills a
   * voxel and the voxel is not fluid; the scan's own noise stays.
   */
  private paint(fate: Fate, first: Phase, second: Phase): boolean {
    const lift1 = this.lifts(first);
    const lift2 = this.lifts(second);
    const label = APPEARS.includes(fate) ? this.appeared : this.disappeared;
    const labels = APPEARS.includes(fate) || DISAPPEARS.includes(fate);
    const { fluid } = this.background;
    const [less, more] = APPEARS.includes(fate) ? [first, second] : [second, first];
    const [least, most] = APPEARS.includes(fate) ? [lift1, lift2] : [lift2, lift1];
    if (labels) {
      const before = new Map(less.print.voxels.entries().map(([k, i]) => [i, k]));
      const isBrighter = fate === "brighter";
      const found: [number, number][] = [];
      let lifted = 0;
      for (const [k, i] of more.print.voxels.entries()) {
        const j = before.get(i);
        const old = j === undefined || isBrighter ? 0 : less.print.share[j]!;
        const share = (more.print.share[k]! - old) * (1 - fluid[i]! / 255);
        if (share <= 0) continue;
        found.push([i, share]);
        if (share >= 0.5) lifted += most[k]! - (j === undefined ? 0 : least[j]!);
      }
      const labelled = found.filter(([, share]) => share >= 0.5).length;
      // Where little came of it, because fluid or bright tissue was there, it is another place's turn.
      if (labelled < 3 || lifted < 0.09 * labelled) return false;
      for (const [i, share] of found) label[i] = Math.max(label[i]!, share);
    }
    for (const [k, i] of first.print.voxels.entries()) this.visit1[i]! += lift1[k]!;
    for (const [k, i] of second.print.voxels.entries()) this.visit2[i]! += lift2[k]!;
    return true;
  }

  private lifts({ print, contrast }: Phase): Float32Array {
    const { level, fluid } = this.background;
    const { voxels, share, tone } = print;
    const smooth = Float32Array.from(voxels, (i) => this.local(i));
    let [base, weight] = [0, 0];
    for (const [k, i] of voxels.entries()) {
      const s = share[k]! * (1 - fluid[i]! / 255);
      base += (s * smooth[k]!) / level[i]!;
      weight += s;
    }
    const around = Math.min(1.25, Math.max(0.95, weight > 0 ? base / weight : 1));
    return Float32Array.from(voxels, (i, k) => {
      const own = level[i]! * (around + contrast * tone[k]!);
      return share[k]! * (1 - fluid[i]! / 255) * Math.max(0, own - smooth[k]!);
    });
  }

  /** Mean of the scan's 27 voxels around one. */
  private local(voxel: number): number {
    const { image, size } = this.background;
    const plane = size[0] * size[1];
    let sum = 0;
    for (let z = -plane; z <= plane; z += plane) {
      for (let y = -size[0]; y <= size[0]; y += size[0]) {
        for (let x = -1; x <= 1; x++) sum += image[voxel + x + y + z] ?? 0;
      }
    }
    return sum / 27;
  }
}

interface Phase {
  readonly print: Footprint;
  readonly contrast: number;
}

const EMPTY: Footprint = {
  voxels: new Int32Array(),
  share: new Float32Array(),
  tone: new Float32Array(),
};
