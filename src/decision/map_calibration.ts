/**
 * Calibration of a probability map, voxel by voxel and increasing: a temperature, or an isotonic curve.
 * The one is taken that is better on patients which did not fit it.
 */
import { LEAST_PROBABILITY, type Reliability, ReliabilityTally } from "../eval/reliability";

export type MapCalibration =
  /** σ(logit(p) / temperature) (Guo et al. 2017, ICML). */
  | { readonly kind: "temperature"; readonly temperature: number }
  /** Linear between (0, 0), the points and (1, the last one's share). */
  | { readonly kind: "isotonic"; readonly points: readonly CurvePoint[] };

/** A probability of the network, and the share that is lesion where it says so. */
export type CurvePoint = readonly [probability: number, share: number];

/** Near 0 and 1 a float32 has no logit of use. */
const EDGE = 1e-6;
export const logit = (p: number): number => {
  const inside = Math.min(1 - EDGE, Math.max(EDGE, p));
  return Math.log(inside / (1 - inside));
};
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** A network's probability as one that means what it says. */
export const calibrated = (p: number, calibration: MapCalibration | undefined): number =>
  calibrator(calibration)(p);

/** The same for many probabilities. */
export function calibrator(calibration: MapCalibration | undefined): (p: number) => number {
  if (!calibration) return (p) => p;
  if (calibration.kind === "temperature") {
    const { temperature } = calibration;
    return (p) => (p > 0 ? sigmoid(logit(p) / temperature) : 0);
  }
  const curve = wholeCurve(calibration.points);
  return (p) => {
    if (p <= 0) return 0;
    const above = curve.findIndex(([x]) => x >= p);
    if (above <= 0) return curve.at(-1)![1];
    const [[x0, y0], [x1, y1]] = [curve[above - 1]!, curve[above]!];
    return y0 + ((p - x0) / (x1 - x0)) * (y1 - y0);
  };
}

/** The smallest probability of the network that is calibrated to at least `p`; above 1 if none is. */
export function uncalibrated(p: number, calibration: MapCalibration | undefined): number {
  if (!calibration || p <= 0) return p;
  if (calibration.kind === "temperature") return sigmoid(logit(p) * calibration.temperature);
  const curve = wholeCurve(calibration.points);
  const above = curve.findIndex(([, y]) => y >= p);
  if (above < 0) return 1.01;
  const [[x0, y0], [x1, y1]] = [curve[above - 1]!, curve[above]!];
  return x0 + ((p - y0) / (y1 - y0)) * (x1 - x0);
}

const wholeCurve = (points: readonly CurvePoint[]): CurvePoint[] => [
  [0, 0],
  ...points,
  [1, points.at(-1)![1]],
];

/** Bins of the logit, from that of the least probability to that of 0.9999. */
const STEP = 0.02;
const LOW = logit(LEAST_PROBABILITY);
const BIN_COUNT = Math.ceil((logit(0.9999) - LOW) / STEP);

/** Voxels by the network's probability; what is below LEAST_PROBABILITY is left out. */
export class VoxelTally {
  readonly count = new Float64Array(BIN_COUNT);
  readonly lesion = new Float64Array(BIN_COUNT);
  private readonly sum = new Float64Array(BIN_COUNT);

  add(map: ArrayLike<number>, truth: ArrayLike<number>): void {
    for (let i = 0; i < map.length; i++) {
      const p = map[i]!;
      if (!(p >= LEAST_PROBABILITY)) continue;
      const bin = Math.min(BIN_COUNT - 1, Math.floor((logit(p) - LOW) / STEP));
      this.count[bin]! += 1;
      this.sum[bin]! += p;
      if (truth[i] !== 0) this.lesion[bin]! += 1;
    }
  }

  static sum(tallies: readonly VoxelTally[]): VoxelTally {
    const all = new VoxelTally();
    for (const { count, lesion, sum } of tallies) {
      for (let i = 0; i < BIN_COUNT; i++) {
        all.count[i]! += count[i]!;
        all.lesion[i]! += lesion[i]!;
        all.sum[i]! += sum[i]!;
      }
    }
    return all;
  }

  /** The bins that hold voxels: mean probability, share that is lesion, voxels. */
  bins(): { p: number; share: number; voxels: number }[] {
    return Array.from(this.count, (voxels, i) => ({
      ...{ p: this.sum[i]! / voxels, share: this.lesion[i]! / voxels, voxels },
    })).filter(({ voxels }) => voxels > 0);
  }

  /** As they are, or calibrated. */
  reliability(calibration?: MapCalibration): ReliabilityTally {
    const tally = new ReliabilityTally();
    for (const { p, share, voxels } of this.bins()) {
      tally.addVoxels(Math.max(LEAST_PROBABILITY, calibrated(p, calibration)), share, voxels);
    }
    return tally;
  }
}

/** The temperature of the largest likelihood: convex in its inverse, found by golden section. */
export function fitTemperature(tally: VoxelTally): MapCalibration {
  const bins = tally.bins().map(({ p, ...rest }) => ({ x: logit(p), ...rest }));
  const loss = (logT: number) => {
    const slope = Math.exp(-logT);
    // log(1 + eˣ) without overflow.
    const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    return bins.reduce(
      (sum, { x, share, voxels }) => sum + voxels * (softplus(x * slope) - share * x * slope),
      0,
    );
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(0.05), Math.log(20)];
  for (let step = 0; step < 60; step++) {
    const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
    if (loss(a) <= loss(b)) high = b;
    else low = a;
  }
  return { kind: "temperature", temperature: Number(Math.exp((low + high) / 2).toPrecision(5)) };
}

/** Most points of a curve: groups of equally many voxels before neighbours are pooled. */
const GROUPS = 20;

/** The increasing curve of least squares: pool adjacent violators (Zadrozny and Elkan 2002, KDD). */
export function fitIsotonic(tally: VoxelTally): MapCalibration {
  const blocks: { p: number; lesion: number; voxels: number }[] = [];
  for (const { p, lesion, voxels } of groups(tally)) {
    let block = { p, lesion, voxels };
    for (
      let last = blocks.at(-1);
      last && last.lesion / last.voxels >= block.lesion / block.voxels;
    ) {
      blocks.pop();
      block = {
        p: last.p + block.p,
        lesion: last.lesion + block.lesion,
        voxels: last.voxels + block.voxels,
      };
      last = blocks.at(-1);
    }
    blocks.push(block);
  }
  const rounded = (v: number) => Number(v.toPrecision(5));
  const points = blocks.map(
    ({ p, lesion, voxels }): CurvePoint => [rounded(p / voxels), rounded(lesion / voxels)],
  );
  return { kind: "isotonic", points };
}

/** Bins joined until they hold a share of the voxels; `p` is a sum here. */
function groups(tally: VoxelTally) {
  const bins = tally.bins();
  const least = bins.reduce((sum, { voxels }) => sum + voxels, 0) / GROUPS;
  const joined: { p: number; lesion: number; voxels: number }[] = [];
  for (const { p, share, voxels } of bins) {
    const last = joined.at(-1);
    const add = { p: p * voxels, lesion: share * voxels, voxels };
    if (!last || last.voxels >= least) joined.push(add);
    else {
      last.p += add.p;
      last.lesion += add.lesion;
      last.voxels += add.voxels;
    }
  }
  return joined;
}

const KINDS = { temperature: fitTemperature, isotonic: fitIsotonic } as const;
type Kind = "none" | keyof typeof KINDS;

/** On patients that did not fit. */
export type HeldOut = Readonly<Record<Kind, Pick<Reliability, "brier" | "ece">>>;

/** A more flexible kind must be better by this share of the Brier score. */
const WORTH = 0.01;

/**
 * Fits every kind on all patients but one and scores that one, for each. The kind of the least held-out
 * Brier score is fitted on all.
 * @param tallies of one patient each; undefined comes back for fewer than 2 with voxels in question
 */
export function chooseCalibration(
  tallies: readonly VoxelTally[],
): { readonly map?: MapCalibration; readonly heldOut: HeldOut } | undefined {
  const some = tallies.filter(({ count }) => count.some((n) => n > 0));
  if (some.length < 2) return undefined;
  const scored = (fit?: (tally: VoxelTally) => MapCalibration) => {
    const total = new ReliabilityTally();
    for (const tally of some) {
      const others = VoxelTally.sum(some.filter((other) => other !== tally));
      const calibration = fit?.(others);
      for (const { p, share, voxels } of tally.bins()) {
        total.addVoxels(Math.max(LEAST_PROBABILITY, calibrated(p, calibration)), share, voxels);
      }
    }
    const { brier, ece } = total.result();
    return { brier, ece };
  };
  const heldOut: HeldOut = {
    none: scored(),
    temperature: scored(fitTemperature),
    isotonic: scored(fitIsotonic),
  };
  let best: Kind = "none";
  for (const kind of ["temperature", "isotonic"] as const) {
    if (heldOut[kind].brier! < (1 - WORTH) * heldOut[best].brier!) best = kind;
  }
  const map = best === "none" ? undefined : KINDS[best](VoxelTally.sum(some));
  return { map, heldOut };
}
