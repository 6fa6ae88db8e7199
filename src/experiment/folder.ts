/** The folder of an experiment: its settings, its runs, and the state of each. */
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { writeNewFile } from "../platform/atomic_file";
import { readJsonFile } from "../platform/json_file";
import { jsonText, writeJson } from "../run/run_folder";
import { claimFolder } from "../run/run_lock";

/** Version of the folder's layout. */
const VERSION = 1;

const budgetSchema = z.union([
  z.strictObject({ seconds: z.number().positive() }),
  z.strictObject({ iterations: z.number().int().positive() }),
]);
export type Budget = z.infer<typeof budgetSchema>;

const setupSchema = z.strictObject({
  voxgradExperiment: z.literal(VERSION),
  /** The grid's text: a changed grid is another experiment. */
  grid: z.string(),
  /** Folder of the cohort. */
  data: z.string(),
  /** Patients that validate in every run, and those of them without a lesion. */
  validation: z.array(z.string()).min(1),
  lesionFree: z.array(z.string()),
  trained: z.number().int().positive(),
  preset: z.string().optional(),
  budget: budgetSchema,
  adapter: z.string(),
});
export type Setup = z.infer<typeof setupSchema>;

const setupPath = (folder: string) => join(folder, "experiment.json");

/** The record of an earlier start, if there was one. @throws UserError for an unreadable file */
export function readSetup(folder: string): Setup | undefined {
  const path = setupPath(folder);
  if (!existsSync(path)) return undefined;
  return readJsonFile(path, setupSchema, "restore it, or name another --out");
}

export function newSetup(setup: Omit<Setup, "voxgradExperiment">): Setup {
  return { voxgradExperiment: VERSION, ...setup };
}

/**
 * Writes the record of a new experiment, unless another process has written one in this moment.
 * @returns whether it was written
 */
export function writeSetup(folder: string, setup: Setup): boolean {
  try {
    for (const part of ["runs", "logs", "done", "claims"]) {
      mkdirSync(join(folder, part), { recursive: true });
    }
    return writeNewFile(setupPath(folder), jsonText(setup));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError(`${folder}: cannot be written (${code}); name another --out`);
  }
}

export const runPath = (folder: string, id: string): string => join(folder, "runs", id);
export const logPath = (folder: string, id: string): string => join(folder, "logs", `${id}.log`);
const donePath = (folder: string, id: string) => join(folder, "done", `${id}.json`);

/** The end of a run; a failed one is tried again by the next start. */
const endSchema = z.strictObject({ failed: z.string().optional() });
export type RunEnd = z.infer<typeof endSchema>;

export function readEnd(folder: string, id: string): RunEnd | undefined {
  const path = donePath(folder, id);
  if (!existsSync(path)) return undefined;
  return readJsonFile(path, endSchema, "remove the file: the run then goes on");
}

/** Whether a run has used up its budget. */
export const isDone = (end: RunEnd | undefined): boolean =>
  end !== undefined && end.failed === undefined;

export function writeEnd(folder: string, id: string, end: RunEnd): void {
  writeJson(donePath(folder, id), end);
}

/**
 * Takes a run for this process; undefined where another process has it. Processes on one machine,
 * or on several that share the folder, so work on one experiment.
 */
export function claimRun(folder: string, id: string): (() => void) | undefined {
  const claim = join(folder, "claims", id);
  mkdirSync(claim, { recursive: true });
  return claimFolder(claim);
}
