/**
 * Robust, symmetric registration of two scans of one head: both are sampled half-way between them, and
 * points that do not fit (lesions, jaw, neck) lose their weight. Reuter, Rosas & Fischl, NeuroImage 53
 * (2010) 1181; Nestares & Heeger, MRM 43 (2000) 705. Coarse to fine, deterministic.
 */
import type { MotionKind } from "../../kernels/registration/motion";
import { applyAffine, invertAffine, multiplyAffine, type Point3 } from "../data/affine";
import type { Affine, Mask, Volume } from "../data/volume";
import type { Memory } from "../gpu/memory";
import { affineHalf, rigidHalf } from "./half";
import { findHead, type Head } from "./head";
import { pointsInside, pointsOver } from "./points";
import { Pyramid, reduced } from "./pyramid";
import { localCorrelation } from "./quality";
import { about, exponential, translation } from "./rigid";
import { type Fit, PLACE_UNIT, type Pose, Step } from "./step";

export interface RegisterOptions {
  readonly kind?: MotionKind;
  /** World of visit 1 → world of visit 2 to start from; by default the heads' centres are put together. */
  readonly start?: Affine;
  /** Spacings of the points, mm, coarse to fine. */
  readonly levels?: readonly number[];
  /** Brains of both visits, in their own worlds: the last level is repeated inside them alone. */
  readonly brains?: readonly [Mask, Mask];
  readonly onStep?: (step: StepReport) => void;
}

export interface StepReport {
  /** Spacing of the points, mm, and whether only the brain counts. */
  readonly spacing: number;
  readonly inBrain: boolean;
  /** How far the step moved the head, mm RMS. */
  readonly distance: number;
  readonly fit: Fit;
}

export interface Registration extends Pose {
  /** World of visit 1 → world of visit 2 (mm). */
  readonly transform: Affine;
  readonly fit: Fit;
  readonly steps: number;
  /** Median correlation of the visits in cubes of 15 mm (quality.ts). */
  readonly similarity: number;
}

const LEVELS = [8, 4, 2.5];
const MOST_STEPS = 30;
/** A level ends when a step moves the head by less, mm RMS. */
const CONVERGED = 0.01;

interface Pass {
  readonly spacing: number;
  readonly inBrain: boolean;
}

/** Aligns visit 2 to visit 1; values may be of any brightness, the two need not share a grid. */
export async function register(
  memory: Memory,
  visit1: Volume,
  visit2: Volume,
  options: RegisterOptions = {},
): Promise<Registration | undefined> {
  const scans = ScanPair.of(memory, visit1, visit2);
  try {
    return await scans?.register(options);
  } finally {
    scans?.release();
  }
}

/** Two scans on the device, to be registered from any start. */
export class ScanPair {
  private constructor(
    private readonly memory: Memory,
    private readonly pyramids: readonly [Pyramid, Pyramid],
    readonly heads: readonly [Head, Head],
  ) {}

  /** Undefined where one of them shows no head. */
  static of(memory: Memory, visit1: Volume, visit2: Volume): ScanPair | undefined {
    const [head1, head2] = [findHead(visit1), findHead(visit2)];
    if (!head1 || !head2) return undefined;
    const pyramids = [
      new Pyramid(memory, reduced(visit1, 1 / head1.median)),
      new Pyramid(memory, reduced(visit2, 1 / head2.median)),
    ] as const;
    return new ScanPair(memory, pyramids, [head1, head2]);
  }

  register(options: RegisterOptions): Promise<Registration | undefined> {
    return new Search(this.memory, this.pyramids, this.heads, options).run();
  }

  /** The likeness of the visits (quality.ts) where the start of the options puts them. */
  similarityAt(options: RegisterOptions): Promise<number> {
    return new Search(this.memory, this.pyramids, this.heads, options).similarity();
  }

  release(): void {
    for (const pyramid of this.pyramids) pyramid.release();
  }
}

class Search {
  private readonly kind: MotionKind;
  private transform: Affine;
  private logScale = 0;
  private steps = 0;

  constructor(
    private readonly memory: Memory,
    private readonly pyramids: readonly [Pyramid, Pyramid],
    private readonly heads: readonly [Head, Head],
    private readonly options: RegisterOptions,
  ) {
    this.kind = options.kind ?? "rigid";
    const [from, to] = heads.map(({ centre }) => centre) as [Point3, Point3];
    this.transform = options.start ?? translation(to.map((v, k) => v - from[k]!));
  }

  async run(): Promise<Registration | undefined> {
    const { levels = LEVELS, brains } = this.options;
    const passes: Pass[] = levels.map((spacing) => ({ spacing, inBrain: false }));
    if (brains) passes.push({ spacing: levels.at(-1)!, inBrain: true });
    let fit: Fit | undefined;
    for (const pass of passes) {
      fit = await this.at(pass, (step) => this.descend(step, pass));
      if (!fit) return undefined;
    }
    const similarity = await this.similarity();
    const { transform, steps } = this;
    return { ...this.pose(), transform, fit: fit!, steps, similarity };
  }

  /** At the present pose, in points of the finest level. */
  similarity(): Promise<number> {
    const { levels = LEVELS, brains } = this.options;
    const finest = { spacing: levels.at(-1)!, inBrain: brains !== undefined };
    return this.at(finest, (step) => similarityOf(this.memory, step));
  }

  private pose(): Pose {
    const half = halfOf(this.transform, this.kind);
    return { toVisit1: invertAffine(half), toVisit2: half, logScale: this.logScale };
  }

  /** Does something at one resolution; both visits are sampled at the present pose. */
  private async at<T>({ spacing, inBrain }: Pass, act: (step: Step) => Promise<T>): Promise<T> {
    const { memory, pyramids, heads, kind, options } = this;
    const levels = [await pyramids[0].level(spacing), await pyramids[1].level(spacing)] as const;
    const grid = pointsOver(heads, this.pose(), spacing);
    const wanted = inBrain ? pointsInside(options.brains!, this.pose(), grid) : undefined;
    const step = await Step.create(memory, levels, kind, grid, wanted);
    try {
      step.sample(this.pose());
      return await act(step);
    } finally {
      step.release();
    }
  }

  /** Steps until they are small; undefined where nothing determines one. */
  private async descend(step: Step, { spacing, inBrain }: Pass): Promise<Fit | undefined> {
    let fit: Fit | undefined;
    for (let i = 0; i < MOST_STEPS; i++) {
      const next = await step.fit();
      if (!next) return undefined;
      fit = next;
      const distance = this.move(fit, step.centre);
      this.options.onStep?.({ spacing, inBrain, distance, fit });
      step.sample(this.pose());
      if (distance < CONVERGED) break;
    }
    return fit;
  }

  /** Takes the step that a fit asks for. @returns how far it moved the head, mm RMS */
  private move({ motion, logScale }: Fit, centre: readonly number[]): number {
    const { toVisit1, toVisit2 } = this.pose();
    const small = about(centre, this.kind === "rigid" ? rigidMotion(motion) : affineMotion(motion));
    const next = multiplyAffine(toVisit2, multiplyAffine(small, invertAffine(toVisit1)));
    const distance = rmsDistance(this.transform, next, this.heads[0].points);
    this.transform = next;
    this.logScale += logScale;
    this.steps++;
    return distance;
  }
}

async function similarityOf(memory: Memory, step: Step): Promise<number> {
  const samples = await memory.readF32(step.samples);
  return localCorrelation(samples, step.grid.size, step.grid.affine[0]!);
}

const rigidMotion = (d: readonly number[]): Affine =>
  exponential([d[0]! / PLACE_UNIT, d[1]! / PLACE_UNIT, d[2]! / PLACE_UNIT, d[3]!, d[4]!, d[5]!]);

const affineMotion = (d: readonly number[]): Affine =>
  [0, 1, 2]
    .flatMap((r) => [
      ...[0, 1, 2].map((c) => (r === c ? 1 : 0) + d[3 * r + c]! / PLACE_UNIT),
      d[9 + r]!,
    ])
    .concat(0, 0, 0, 1);

/** The motion that done twice is `transform`. */
export function halfOf(transform: Affine, kind: MotionKind): Affine {
  return kind === "rigid" ? rigidHalf(transform) : affineHalf(transform);
}

/** Root mean square distance (mm) between what two affines make of points. */
export function rmsDistance(a: Affine, b: Affine, points: readonly Point3[]): number {
  let sum = 0;
  for (const p of points) {
    const [q, r] = [applyAffine(a, p), applyAffine(b, p)];
    sum += (q[0] - r[0]) ** 2 + (q[1] - r[1]) ** 2 + (q[2] - r[2]) ** 2;
  }
  return Math.sqrt(sum / points.length);
}
