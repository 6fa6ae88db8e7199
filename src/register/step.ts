/** One level of registration on the device: the system of equations at a pose, and the step it asks for. */
import {
  halfwaySamples,
  POSE_NUMBERS,
  SAMPLE_ROWS,
} from "../../kernels/registration/halfway_samples";
import { MOTION_COLUMNS, MOTION_EXTRA, type MotionKind } from "../../kernels/registration/motion";
import { normalEquations, sumsOf } from "../../kernels/registration/normal_equations";
import { HISTOGRAM, residualHistogram } from "../../kernels/registration/residual_histogram";
import type { Graph } from "../core/graph";
import { state, type Tensor } from "../core/tensor";
import { invertAffine, multiplyAffine } from "../data/affine";
import type { Affine, Grid } from "../data/volume";
import { graphFor } from "../gpu/capabilities";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import type { Level } from "./pyramid";
import { robustScale } from "./robust_scale";
import { solveNormal } from "./solve";

/** Where the two visits lie as seen from the middle, and how bright they are to each other. */
export interface Pose {
  /** Middle space → world of visit 1, and of visit 2 (mm). */
  readonly toVisit1: Affine;
  readonly toVisit2: Affine;
  /** σ: visit 1 times e^(−σ/2) and visit 2 times e^(σ/2) are alike. */
  readonly logScale: number;
}

/** What a step found out, beside where to go. */
export interface Fit {
  /** The motion δ of visit 2 in the middle space, about `centre`, and the change of σ. */
  readonly motion: readonly number[];
  readonly logScale: number;
  /** Robust standard deviation of the residuals, of the head's median brightness. */
  readonly scale: number;
  /** Mean of Tukey's weights, and how many points count. */
  readonly meanWeight: number;
  readonly points: number;
}

/** Residuals beyond this many robust standard deviations have no weight. */
export const SATURATION = 6;
const INNER_ROUNDS = 4;
/** Unit of places in the equations, mm: about the radius of a head. */
export const PLACE_UNIT = 50;
/** A point where both visits are darker than this is air; of the head's median brightness. */
const AIR = 0.15;

export class Step {
  private constructor(
    private readonly memory: Memory,
    private readonly levels: readonly [Level, Level],
    private readonly kind: MotionKind,
    /** Points in the middle space; its axes are the world's, so that its affine is diagonal. */
    readonly grid: Grid,
    /** Centre of the points, about which motions turn, mm. */
    readonly centre: readonly number[],
    private readonly pose: Tensor,
    private readonly motion: Tensor,
    readonly samples: Tensor,
    private readonly counts: Tensor,
    private readonly sums: Tensor,
    private readonly programs: readonly [sample: Program, histogram: Program, equations: Program],
    private readonly states: readonly Tensor[],
  ) {}

  static async create(
    memory: Memory,
    levels: readonly [Level, Level],
    kind: MotionKind,
    grid: Grid,
    /** Points of the grid that may count, where it is not 0; by default all. */
    wanted?: Float32Array,
  ): Promise<Step> {
    const [nx, ny, nz] = grid.size;
    const size = [nz, ny, nx] as const;
    const pose = state("pose", [POSE_NUMBERS]);
    const motion = state("motion", [MOTION_COLUMNS[kind] + MOTION_EXTRA]);
    const samples = state("samples", [SAMPLE_ROWS, ...size]);
    const [visit1, visit2] = [levels[0].tensor, levels[1].tensor];
    const [g, h, e] = [0, 1, 2].map(() => graphFor(memory.device)) as [Graph, Graph, Graph];
    const mask = wanted && state("mask", size);
    if (mask) memory.write(mask, wanted);
    const inputs = { visit1, visit2, pose, ...(mask && { mask }) };
    g.apply(halfwaySamples, inputs, { size, out: samples });
    const counts = h.apply(residualHistogram, { samples, motion }, { kind }).counts!;
    const sums = e.apply(normalEquations, { samples, motion }, { kind }).sums!;
    const programs = [
      await Program.compile(memory, g, "halfway samples"),
      await Program.compile(memory, h, "residual histogram", [counts]),
      await Program.compile(memory, e, "normal equations", [sums]),
    ] as const;
    const centre = [0, 1, 2].map(
      (k) => grid.affine[4 * k + 3]! + (grid.affine[5 * k]! * (grid.size[k]! - 1)) / 2,
    );
    const states = [pose, motion, samples, ...(mask ? [mask] : [])];
    const tensors = [pose, motion, samples, counts, sums] as const;
    return new Step(memory, levels, kind, grid, centre, ...tensors, programs, states);
  }

  /** Samples both visits at a pose; {@link samples} hold what was found. */
  sample({ toVisit1, toVisit2, logScale }: Pose): void {
    const [m1, m2] = [toVisit1, toVisit2].map((to, i) =>
      multiplyAffine(invertAffine(this.levels[i]!.affine), to),
    ) as [Affine, Affine];
    const [s1, s2] = [Math.exp(-logScale / 2), Math.exp(logScale / 2)];
    const rows = (m: Affine) => multiplyAffine(m, this.grid.affine).slice(0, 12);
    // ∇ per mm of the middle space is the transposed linear part times ∇ per voxel; half of each visit.
    const turned = (m: Affine, factor: number) =>
      [0, 1, 2].flatMap((r) => [0, 1, 2].map((c) => factor * m[4 * c + r]!));
    const numbers = [...rows(m1), ...rows(m2), ...turned(m1, s1 / 2), ...turned(m2, s2 / 2)];
    this.memory.write(this.pose, Float32Array.from([...numbers, s1, s2, AIR]));
    this.programs[0].run();
  }

  /** The step at the pose that was sampled last; undefined where nothing determines it. */
  async fit(): Promise<Fit | undefined> {
    const columns = MOTION_COLUMNS[this.kind];
    let delta: readonly number[] = Array.from({ length: columns }, () => 0);
    let fit: Fit | undefined;
    for (let round = 0; round < INNER_ROUNDS; round++) {
      this.writeMotion(delta, 1);
      const scale = robustScale(await this.histogram(), HISTOGRAM.limit);
      if (scale === undefined) return undefined;
      this.writeMotion(delta, SATURATION * scale);
      const { A, b, weight, points } = await this.equations();
      const solved = solveNormal(A, b);
      if (!solved) return undefined;
      delta = solved;
      const meanWeight = weight / points;
      fit = { motion: delta, logScale: delta[columns - 1]!, scale, meanWeight, points };
    }
    return fit;
  }

  release(): void {
    for (const program of this.programs) program.destroy();
    for (const t of this.states) this.memory.release(t);
  }

  private writeMotion(delta: readonly number[], width: number): void {
    const { affine } = this.grid;
    const step = [0, 1, 2].map((k) => affine[5 * k]! / PLACE_UNIT);
    const origin = [0, 1, 2].map((k) => (affine[4 * k + 3]! - this.centre[k]!) / PLACE_UNIT);
    this.memory.write(this.motion, Float32Array.from([...delta, ...step, ...origin, width]));
  }

  /** Counts of all pieces together. */
  private async histogram(): Promise<Float64Array> {
    const program = this.programs[1];
    program.run();
    const pieces = await this.memory.readU32(this.counts, program.bufferOf(this.counts));
    const counts = new Float64Array(HISTOGRAM.bins);
    pieces.forEach((count, i) => {
      counts[i % HISTOGRAM.bins]! += count;
    });
    return counts;
  }

  private async equations() {
    const program = this.programs[2];
    program.run();
    const rows = await this.memory.readF32(this.sums, program.bufferOf(this.sums));
    const width = sumsOf(this.kind);
    const total = new Float64Array(width);
    rows.forEach((value, i) => {
      total[i % width]! += value;
    });
    const n = MOTION_COLUMNS[this.kind];
    const A = new Array<number>(n * n);
    let k = 0;
    for (let i = 0; i < n; i++) {
      for (let j = i; j < n; j++) {
        A[i * n + j] = total[k]!;
        A[j * n + i] = total[k]!;
        k++;
      }
    }
    const b = [...total.subarray(k, k + n)];
    return { A, b, weight: total[k + n]!, points: total[k + n + 2]! };
  }
}
