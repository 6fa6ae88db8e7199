/** The weights files of a prediction. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import type { ModelInfo } from "../infer/model_info";
import type { Mirror, WindowWeights } from "../settings/names";
import { openCrossValidation } from "./cross_validation";
import type { NamedWeights } from "./named_weights";
import { openRunFolder } from "./run_folder";
import {
  SHIPPED,
  type ShippedWeights,
  shippedFiles,
  shippedText,
  shippedWeights,
} from "./shipped_weights";
import { loadWeights } from "./weights_file";

/** Values in place of those of the weights files. */
export interface ModelChanges {
  /** Stride of the windows, voxels. */
  readonly stride?: number;
  readonly windowWeights?: WindowWeights;
  readonly mirror?: Mirror;
}

/**
 * Reads all files; without any, those of the newest run, else those that come with voxgrad.
 * @throws UserError naming the file
 */
export function loadModels(
  given: readonly string[],
  { stride, windowWeights, mirror }: ModelChanges,
): NamedWeights[] {
  const found = given.length > 0 ? given.flatMap(findWeights) : unnamedWeights();
  return found.map(({ path, shipped }) => {
    const loaded = loadWeights(path);
    const notes = shipped ? [shippedText(shipped), ...loaded.notes] : loaded.notes;
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
    return { ...loaded, notes, path, info };
  });
}

/** The `best` weights of a run folder, else its `last`. */
function weightsIn(folder: string): string | undefined {
  const paths = ["best", "last"].map((kind) => join(folder, `${kind}.safetensors`));
  return paths.find((path) => existsSync(path));
}

/** A weights file; that it comes with voxgrad, where it does. */
export interface FoundWeights {
  readonly path: string;
  readonly shipped?: ShippedWeights;
}

/**
 * A file, or those in the folder of a run or of a cross-validation, one a fold; of the words `shipped`
 * and `shipped:NAME`, weights that come with voxgrad, with those that they predict with.
 */
export function findWeights(given: string): FoundWeights[] {
  const [word, name] = given.split(":", 2);
  if (word === SHIPPED) return shippedFiles(name);
  if (!existsSync(given) || !statSync(given).isDirectory()) return [{ path: given }];
  const folders = openCrossValidation(given)?.folds ?? [given];
  return folders.map((folder) => {
    const path = weightsIn(folder);
    if (path) return { path };
    throw new UserError(
      `${folder}: a folder without best.safetensors or last.safetensors; give weights files, or ` +
        "folders of runs that have been validated",
    );
  });
}

/** In place of weights: the statistic of change. */
const NONE = "none";

/**
 * Whether no network is in use: asked for, or because no weights are named, trained or shipped.
 * @throws UserError where `none` stands beside weights
 */
export function isWithoutNetwork(given: readonly string[] | undefined): boolean {
  if (!given) return newestOf() === undefined && shippedWeights().length === 0;
  if (!given.includes(NONE)) return false;
  if (given.length === 1) return true;
  throw new UserError(`--weights ${given.join(",")}: none stands alone: leave it out, or the rest`);
}

/**
 * Those of the run folder that was written to last. Where weights come with voxgrad, runs on the made-up cohort do not
 * count: they have never seen a scan.
 */
function newestOf(): string | undefined {
  const names = existsSync("runs") ? readdirSync("runs") : [];
  const any = shippedWeights().length === 0;
  return names
    .map((name) => join("runs", name))
    .filter((folder) => any || !isOfPhantom(folder))
    .flatMap((folder) => weightsIn(folder) ?? [])
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

/** Whether a run says that it was trained on the made-up cohort. */
function isOfPhantom(folder: string): boolean {
  try {
    return openRunFolder(folder).split.data === null;
  } catch (error) {
    if (error instanceof UserError) return false; // A damaged or missing file says nothing: the run counts.
    throw error;
  }
}

function unnamedWeights(): FoundWeights[] {
  const path = newestOf();
  if (path) return [{ path }];
  if (shippedWeights().length > 0) return shippedFiles();
  throw new UserError(
    "no --weights given and no run in runs/ that has any; train first (bun run train), or name a " +
      "weights file",
  );
}
