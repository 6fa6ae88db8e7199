/** The weights files of a prediction. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import type { LoadedWeights } from "../infer/model";
import type { ModelInfo } from "../infer/model_info";
import type { Mirror, WindowWeights } from "../settings/names";
import { openCrossValidation } from "./cross_validation";
import { loadWeights } from "./weights_file";

export interface NamedWeights extends LoadedWeights {
  readonly path: string;
}

/** Values in place of those of the weights files. */
export interface ModelChanges {
  /** Stride of the windows, voxels. */
  readonly stride?: number;
  readonly windowWeights?: WindowWeights;
  readonly mirror?: Mirror;
}

/** Reads all files; without any, those of the newest run. @throws UserError naming the file */
export function loadModels(
  given: readonly string[],
  { stride, windowWeights, mirror }: ModelChanges,
): NamedWeights[] {
  const paths = given.length > 0 ? given.flatMap(weightsFiles) : [newestWeights()];
  return paths.map((path) => {
    const loaded = loadWeights(path);
    const { patch } = loaded.info;
    if (stride !== undefined && stride > patch) {
      throw new UserError(
        `--stride ${stride} leaves gaps between the windows of ${path}, ${patch} voxels; give at most that`,
      );
    }
    const info: ModelInfo = {
      ...loaded.info,
      stride: stride ?? loaded.info.stride,
      windowWeights: windowWeights ?? loaded.info.windowWeights,
      mirror: mirror ?? loaded.info.mirror,
    };
    return { ...loaded, path, info };
  });
}

/** A line for each file: how its network is applied. */
export function modelText({ path, info }: NamedWeights): string {
  const { spacing, patch, stride, windowWeights, mirror } = info;
  const mirrored = mirror === "" ? "" : `, mirrored along ${[...mirror].join(", ")}`;
  return (
    `weights ${path}: ${spacing} mm, windows of ${patch}³ every ${stride} voxels, ` +
    `${windowWeights}${mirrored}`
  );
}

/** The `best` weights of a run folder, else its `last`. */
function weightsIn(folder: string): string | undefined {
  const paths = ["best", "last"].map((kind) => join(folder, `${kind}.safetensors`));
  return paths.find((path) => existsSync(path));
}

/** A file, or those in the folder of a run or of a cross-validation, one a fold. */
export function weightsFiles(path: string): string[] {
  if (!existsSync(path) || !statSync(path).isDirectory()) return [path];
  const folders = openCrossValidation(path)?.folds ?? [path];
  return folders.map((folder) => {
    const found = weightsIn(folder);
    if (found) return found;
    throw new UserError(
      `${folder}: a folder without best.safetensors or last.safetensors; give weights files, or ` +
        "folders of runs that have been validated",
    );
  });
}

/** Whether there are weights that nobody has to name: those of a run in runs/. */
export const isTrained = (): boolean => newestOf() !== undefined;

/** Those of the run folder that was written to last. */
function newestOf(): string | undefined {
  const names = existsSync("runs") ? readdirSync("runs") : [];
  return names
    .flatMap((name) => weightsIn(join("runs", name)) ?? [])
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

function newestWeights(): string {
  const found = newestOf();
  if (found) return found;
  throw new UserError(
    "no --weights given and no run in runs/ that has any; train first (bun run train), or name a " +
      "weights file",
  );
}
