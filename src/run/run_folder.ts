import { appendFileSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { parseJson, type Schema } from "../core/json";
import { writeAtomically, writeProblem } from "../platform/atomic_file";
import { readJsonFile, readTextFile } from "../platform/json_file";
import { finiteOnly } from "../train/metrics";
import { type MetricsLine, metricsSchema } from "./metrics_line";
import { firstSplitSchema, type SavedSplit, splitSchema } from "./saved_split";

/** Version of the layout of a run folder; an older program refuses a newer folder. */
export const RUN_VERSION = 2;

/** The three files of one checkpoint. */
export interface CheckpointPaths {
  /** Everything that a resumed run needs: the checkpoint itself. */
  readonly state: string;
  /** Its momentum weights w̄, exactly the model's tensors. */
  readonly weights: string;
  /** Its student weights w, exactly the model's tensors. */
  readonly student: string;
}

export interface RunFolder {
  readonly path: string;
  /** Settings of the run, as given to `createRunFolder`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Which patients train and which validate, as given to `createRunFolder`. */
  readonly split: SavedSplit;
}

/** The folder of runs that are given none. */
const RUNS = "runs";

/**
 * Makes something under a name of its own in `runs/`: by time and name, and by a number where another
 * process has taken that name.
 * @param make false where something lies at its path already
 */
export function takeRunPath(name: string, make: (path: string) => boolean): string {
  const path = defaultRunPath(name);
  for (let n = 1; ; n++) {
    const free = n === 1 ? path : `${path}-${n}`;
    if (make(free)) return free;
  }
}

/** `runs/2025-11-23_15-04-05-<name>`, in local time. */
export function defaultRunPath(name: string, now: Date = new Date()): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const day = [now.getFullYear(), two(now.getMonth() + 1), two(now.getDate())].join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join("-");
  return join(RUNS, `${day}_${time}-${name.replaceAll(/[^\w.-]+/g, "-")}`);
}

export function checkpointPaths(run: { path: string }, kind: "last" | "best"): CheckpointPaths {
  return {
    state: join(run.path, `${kind}.state.safetensors`),
    weights: join(run.path, `${kind}.safetensors`),
    student: join(run.path, `${kind}.student.safetensors`),
  };
}

export const configPath = (path: string): string => join(path, "config.json");
/** Of a cross-validation. */
export const foldsPath = (path: string): string => join(path, "folds.json");
const splitPath = (path: string) => join(path, "split.json");
const choicesPath = (path: string) => join(path, "choices.json");
const decisionPath = (path: string) => join(path, "decision.json");
export const metricsPath = (path: string) => join(path, "metrics.jsonl");

/**
 * Makes the folder `path` with `config.json` and `split.json`.
 * @throws UserError if a run lies there already, or the folder cannot be made.
 */
export function createRunFolder(
  path: string,
  config: Readonly<Record<string, unknown>>,
  split: SavedSplit,
): RunFolder {
  refuseExistingRun(path);
  try {
    mkdirSync(path, { recursive: true });
    writeJson(splitPath(path), split);
    writeJson(configPath(path), { voxgradRun: RUN_VERSION, ...config });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError(`${path}: the run folder cannot be made (${code}); name another --out`);
  }
  return { path, config, split };
}

/** Windows of a prediction per run of the network are kept beside the variants, as text. */
const WINDOW_BATCH = /^window_batch\b/;

const choicesSchema = z.strictObject({
  /** Adapter and driver that they were chosen for. */
  adapter: z.string(),
  /** By op and sizes (`problemKey`). */
  variants: z.record(z.string(), z.string()).superRefine((variants, context) => {
    const wrong = Object.entries(variants).find(
      ([key, value]) => WINDOW_BATCH.test(key) && !/^[1-9]\d{0,3}$/.test(value),
    );
    if (wrong) context.addIssue(`${wrong[0]} must be a number from 1 to 9999, not "${wrong[1]}"`);
  }),
});

/** The variants of kernels of a run; a resumed run keeps them, for the same bits. */
export type RunChoices = Readonly<z.output<typeof choicesSchema>>;

export function writeChoices(run: { path: string }, choices: RunChoices): void {
  writeJson(choicesPath(run.path), choices);
}

/** Undefined where the run has none for this adapter. @throws UserError when they are damaged */
export function readChoices(run: { path: string }, adapter: string): RunChoices | undefined {
  const file = choicesPath(run.path);
  if (!existsSync(file)) return undefined;
  const remedy = "remove the file: the run then goes on with kernels that are chosen anew";
  const choices = readJsonFile(file, choicesSchema, remedy);
  return choices.adapter === adapter ? choices : undefined;
}

/** The thresholds that were tuned on the validation patients, for people to read. */
export function writeDecision(run: { path: string }, decision: object): void {
  writeJson(decisionPath(run.path), decision);
}

/** Before long work for a new run. @throws UserError if a run, or folds, lie in the folder already */
export function refuseExistingRun(path: string): void {
  const { weights, state } = checkpointPaths({ path }, "last");
  const files = [configPath(path), metricsPath(path), foldsPath(path), weights, state];
  if (files.some((file) => existsSync(file))) {
    throw new UserError(
      `${path}: holds a training run already; go on with it by --resume ${path}, or name another --out`,
    );
  }
}

const versionSchema = z.looseObject({ voxgradRun: z.number().int().min(1) });

/** Opens the folder of an earlier run. @throws UserError if there is no readable run in it. */
export function openRunFolder(path: string): RunFolder {
  const file = configPath(path);
  const { voxgradRun, ...config } = readRunFile(path, file, versionSchema);
  if (voxgradRun > RUN_VERSION) {
    throw new UserError(
      `${file}: run version ${voxgradRun}, this program knows up to ${RUN_VERSION}; ` +
        "use the program that made it, or start a new run",
    );
  }
  const schema = voxgradRun < 2 ? firstSplitSchema : splitSchema;
  return { path, config, split: readRunFile(path, splitPath(path), schema) };
}

/**
 * Before a run of an earlier version is gone on with: what is written from now on is of this version,
 * and the earlier program would misread it.
 */
export function raiseVersion({ path, config, split }: RunFolder): void {
  const file = configPath(path);
  if (readRunFile(path, file, versionSchema).voxgradRun === RUN_VERSION) return;
  writeJson(splitPath(path), split);
  writeJson(file, { voxgradRun: RUN_VERSION, ...config });
}

/**
 * Appends one line to `metrics.jsonl`; entries that are undefined or not finite are left out.
 * @throws UserError when it cannot be written
 */
export function appendMetrics(run: { path: string }, metrics: object): void {
  const path = metricsPath(run.path);
  try {
    appendFileSync(path, `${JSON.stringify(finiteOnly(metrics))}\n`);
  } catch (error) {
    throw writeProblem(path, error);
  }
}

/** Before a checkpoint: after a power cut, no report is missing that came before it. */
export function flushMetrics(run: { path: string }): void {
  try {
    const descriptor = openSync(metricsPath(run.path), "r+");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {} // No report yet, or a file system that cannot: the checkpoint is worth more.
}

/**
 * The lines of `metrics.jsonl`, oldest first; empty if there are none. A last line that a crash cut
 * off is left out.
 * @throws UserError if another line is no report
 */
export function readMetrics(run: { path: string }): MetricsLine[] {
  return metricsLines(run).map(({ metrics }) => metrics);
}

/**
 * Drops the reports after `iteration`, for a run that is resumed from there.
 * @returns the iteration of the last one that is left, 0 without any
 */
export function truncateMetrics(run: { path: string }, iteration: number): number {
  const kept = metricsLines(run).filter(({ metrics }) => metrics.iteration <= iteration);
  writeAtomically(metricsPath(run.path), kept.map(({ line }) => `${line}\n`).join(""));
  return kept.at(-1)?.metrics.iteration ?? 0;
}

function metricsLines(run: { path: string }): { line: string; metrics: MetricsLine }[] {
  const path = metricsPath(run.path);
  if (!existsSync(path)) return [];
  // Text after the last line break is a line that was not finished.
  const lines = readTextFile(path).split("\n").slice(0, -1);
  return lines.map((line, i) => {
    const what = `${path}: line ${i + 1}`;
    return { line, metrics: parseJson(line, metricsSchema, what, "remove that line") };
  });
}

function readRunFile<T>(folder: string, file: string, schema: Schema<T>): T {
  if (existsSync(file)) return readJsonFile(file, schema, "restore it, or start a new run");
  throw new UserError(
    `${folder}: holds no training run (${file} is missing); name the folder of a run`,
  );
}

/** Indented, as files for people are. */
export const jsonText = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Whole or not at all. */
export function writeJson(path: string, value: object): void {
  writeAtomically(path, jsonText(value));
}
