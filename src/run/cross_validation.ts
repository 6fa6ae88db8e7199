/** The folder of a cross-validation: a run folder per fold, made together and trained apart. */
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { writeAtomically } from "../platform/atomic_file";
import { readJsonFile } from "../platform/json_file";
import { removeQuietly, sweepOnce, temporaryPath } from "../platform/leftovers";
import { parseTrainConfig, type TrainConfig } from "../settings/config";
import { configPath, createRunFolder, foldsPath, openRunFolder, takeRunPath } from "./run_folder";
import type { SavedSplit } from "./saved_split";

/** The start of a fold: its settings, and its split into training and validation. */
export interface FoldStart {
  readonly config: TrainConfig;
  readonly split: SavedSplit;
}

export interface CrossValidation {
  readonly path: string;
  /** Run folders of the folds, in order. */
  readonly folds: readonly string[];
}

export const foldPath = (path: string, fold: number): string => join(path, `fold${fold}`);

/**
 * Makes the folder, complete from its first moment, or joins the one that another process has made
 * from the same settings.
 * @throws UserError when something else lies there, or folds of other settings
 */
export function createCrossValidation(path: string, starts: readonly FoldStart[]): CrossValidation {
  place(path, starts);
  return joined(path, starts);
}

/** Makes the folder in `runs/`, under a name of its own. @throws UserError when it cannot be made */
export function newCrossValidation(name: string, starts: readonly FoldStart[]): CrossValidation {
  return joined(
    takeRunPath(name, (path) => place(path, starts)),
    starts,
  );
}

/** False where something lies there, also if another process made it in this moment. */
function place(path: string, starts: readonly FoldStart[]): boolean {
  if (existsSync(path)) return false;
  const temporary = temporaryPath(dirname(path));
  try {
    mkdirSync(dirname(path), { recursive: true });
    sweepOnce(dirname(path));
    starts.forEach(({ config, split }, fold) => {
      createRunFolder(foldPath(temporary, fold), config, split);
    });
    writeAtomically(foldsPath(temporary), `${JSON.stringify({ folds: starts.length })}\n`);
    renameSync(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (existsSync(path)) return false;
    throw new UserError(`${path}: cannot be made (${code}); name another --out`);
  } finally {
    removeQuietly(temporary);
  }
}

function joined(path: string, starts: readonly FoldStart[]): CrossValidation {
  const found = openCrossValidation(path);
  if (!found) {
    throw new UserError(`${path}: exists, and holds no cross-validation; name another --out`);
  }
  if (found.folds.length !== starts.length) {
    throw new UserError(
      `${path}: has ${found.folds.length} folds, not ${starts.length}; name another --out`,
    );
  }
  starts.forEach((start, fold) => {
    const there = openRunFolder(found.folds[fold]!);
    const config = parseTrainConfig(there.config, configPath(there.path));
    const other = difference(start, { config, split: there.split });
    if (other === undefined) return;
    throw new UserError(
      `${there.path}: was made with another ${other}; give the same settings to go on with it ` +
        `(or --resume ${path} alone), or name another --out`,
    );
  });
  return found;
}

/** The first setting, or part of the split, that two folds do not share. */
function difference(a: FoldStart, b: FoldStart): string | undefined {
  const flat = ({ config, split }: FoldStart): Record<string, unknown> => ({ ...config, ...split });
  const [one, two] = [flat(a), flat(b)];
  const names = new Set([...Object.keys(one), ...Object.keys(two)]);
  return [...names].find((name) => JSON.stringify(one[name]) !== JSON.stringify(two[name]));
}

/** More would be a typing error: every fold is a training. */
const markerSchema = z.strictObject({ folds: z.number().int().min(1).max(1000) });

/** Undefined where the folder is no cross-validation. */
export function openCrossValidation(path: string): CrossValidation | undefined {
  if (!existsSync(foldsPath(path))) return undefined;
  const { folds } = readMarker(path);
  return { path, folds: Array.from({ length: folds }, (_, fold) => foldPath(path, fold)) };
}

function readMarker(path: string): z.infer<typeof markerSchema> {
  return readJsonFile(foldsPath(path), markerSchema, 'it should hold {"folds": <number>}');
}
