/** The results of an experiment's runs: curves, final scores, intervals. */
import { Philox } from "../core/random";
import { mean, quantile } from "../eval/statistics";
import { configPath, openRunFolder, readMetrics } from "../run/run_folder";
import { readValidation, type ValidatedPatient } from "../run/validation_record";
import { parseTrainConfig } from "../settings/config";
import { isDone, readEnd, runPath } from "./folder";
import { type Figure, type Grid, type PlannedRun, runKey, settingsOf } from "./grid";

/** One validation of the momentum weights w̄. */
export interface Point {
  /** Training time, seconds. */
  readonly seconds: number;
  /** Patches trained on so far. */
  readonly patches: number;
  /** Mean Dice over the validation patients with lesions. */
  readonly dice: number;
}

export interface RunResult {
  readonly run: PlannedRun;
  readonly done: boolean;
  /** Why it ended early, if it did. */
  readonly failed?: string;
  readonly points: readonly Point[];
  /** The validation patients after the whole budget, predicted as `predict` does. */
  readonly patients: readonly ValidatedPatient[];
  /** Mean share of patches with a lesion among the trained ones. */
  readonly positiveFraction: number;
}

export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** A score after the whole budget. */
export interface Compared extends Interval {
  /** Less the baseline's, paired by patient and seed. */
  readonly difference?: Interval;
}

export interface ArmResult {
  readonly name: string;
  readonly runs: readonly RunResult[];
  /** Of the patients with lesions; absent without a finished run. */
  readonly dice?: Compared;
  /** By the MSSEG-2 rules, of the patients with a lesion above 3 mm³. */
  readonly lesionF1?: Compared;
  /** Share of validations of lesion-free patients, over seeds, with a lesion above 3 mm³ found. */
  readonly falseAlarms?: number;
}

export interface FigureResult {
  readonly figure: Figure;
  readonly baseline: string;
  readonly arms: readonly ArmResult[];
}

export function readResults(
  folder: string,
  grid: Grid,
  runs: readonly PlannedRun[],
): FigureResult[] {
  const byKey = new Map(runs.map((run) => [runKey(run.settings, run.seed), readRun(folder, run)]));
  const seeds = [...new Set(runs.map(({ seed }) => seed))];
  return grid.figures.map((figure) => {
    const baseline = figure.baseline ?? Object.keys(figure.arms)[0]!;
    const resultsOf = (arm: string) =>
      seeds.flatMap((seed) => byKey.get(runKey(settingsOf(grid, figure.arms[arm]!), seed)) ?? []);
    const base = resultsOf(baseline);
    const arms = Object.keys(figure.arms).map((name) =>
      armResult(name, resultsOf(name), name === baseline ? undefined : base),
    );
    return { figure, baseline, arms };
  });
}

function readRun(folder: string, run: PlannedRun): RunResult {
  const end = readEnd(folder, run.id);
  const path = runPath(folder, run.id);
  const metrics = readMetrics({ path });
  const batch = metrics.length > 0 ? batchOf(path) : 0;
  const validated = metrics.filter(({ diceMomentum }) => diceMomentum !== undefined);
  const shares = metrics.flatMap(({ positiveFraction }) => positiveFraction ?? []);
  return {
    run,
    done: isDone(end),
    failed: end?.failed,
    points: validated.map(({ seconds, iteration, diceMomentum }) => ({
      ...{ seconds, patches: iteration * batch, dice: diceMomentum! },
    })),
    patients: readValidation({ path })?.patients ?? [],
    positiveFraction: mean(shares),
  };
}

const batchOf = (path: string): number =>
  parseTrainConfig(openRunFolder(path).config, configPath(path)).batch;

function armResult(
  name: string,
  runs: readonly RunResult[],
  baseline: readonly RunResult[] | undefined,
): ArmResult {
  const done = runs.filter((result) => result.done);
  if (done.length === 0) return { name, runs };
  const quiet = done.flatMap(({ patients }) => patients.filter(({ lesionFree }) => lesionFree));
  const found = quiet.filter(({ scores }) => (scores.NbTestedLesions ?? 0) > 0);
  return {
    name,
    runs,
    dice: compared(done, baseline, "Dice"),
    lesionF1: compared(done, baseline, "F1_score"),
    falseAlarms: quiet.length > 0 ? found.length / quiet.length : undefined,
  };
}

/** Undefined where no patient has the score. */
function compared(
  runs: readonly RunResult[],
  baseline: readonly RunResult[] | undefined,
  score: "Dice" | "F1_score",
): Compared | undefined {
  const table = runs.map((run) => scoresOf(run, score));
  if (table[0]!.length === 0) return undefined;
  const pairs = runs.flatMap((run, i) => {
    const other = baseline?.find(({ run: { seed }, done }) => done && seed === run.run.seed);
    return other ? [scoresOf(other, score).map((value, k) => table[i]![k]! - value)] : [];
  });
  const difference = pairs.length > 0 ? crossedBootstrap(pairs) : undefined;
  return { ...crossedBootstrap(table), difference };
}

/** Of every patient that has it: which patients do is a matter of their truth alone. */
const scoresOf = ({ patients }: RunResult, score: "Dice" | "F1_score"): number[] =>
  patients.flatMap(({ lesionFree, scores }) => (lesionFree ? [] : (scores[score] ?? [])));

const REPLICATES = 10_000;

/**
 * Mean of a table of seeds × patients and the 95 % percentile interval of bootstrap replicates that
 * draw seeds and patients anew, each with replacement (Owen, The pigeonhole bootstrap, Annals of
 * Applied Statistics 2007): the interval speaks of other patients and other seeds alike.
 */
export function crossedBootstrap(table: readonly (readonly number[])[]): Interval {
  const random = new Philox(0, table.length, table[0]!.length);
  const [rows, columns] = [table.length, table[0]!.length];
  const draw = (count: number) => Array.from({ length: count }, () => random.int(count));
  const means = Float64Array.from({ length: REPLICATES }, () => {
    const chosen = draw(columns);
    return mean(draw(rows).flatMap((row) => chosen.map((column) => table[row]![column]!)));
  }).sort();
  return { mean: mean(table.flat()), low: quantile(means, 0.025), high: quantile(means, 0.975) };
}

/** The mean of several curves at common places along `axis`, and the least and greatest there. */
export interface Band {
  readonly x: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const PLACES = 40;

/** From where the last curve begins to where the first one ends; straight between validations. */
export function meanCurve(
  curves: readonly (readonly Point[])[],
  axis: "seconds" | "patches",
): Band[] {
  const usable = curves.filter(({ length }) => length > 0);
  if (usable.length === 0) return [];
  const from = Math.max(...usable.map((points) => points[0]![axis]));
  const to = Math.min(...usable.map((points) => points.at(-1)![axis]));
  if (to < from) return [];
  return Array.from({ length: to > from ? PLACES : 1 }, (_, i) => {
    const x = from + ((to - from) * i) / Math.max(1, PLACES - 1);
    const values = usable.map((points) => valueAt(points, axis, x));
    return { x, mean: mean(values), low: Math.min(...values), high: Math.max(...values) };
  });
}

function valueAt(points: readonly Point[], axis: "seconds" | "patches", x: number): number {
  const next = points.findIndex((point) => point[axis] >= x);
  const [a, b] = [points[Math.max(0, next - 1)]!, points[next] ?? points.at(-1)!];
  const span = b[axis] - a[axis];
  return span > 0 ? a.dice + ((x - a[axis]) / span) * (b.dice - a.dice) : b.dice;
}
