/** The weights that a training starts from: read, compared with its settings, put into its network. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { UserError } from "../core/errors";
import { readSafetensors } from "../data/safetensors_file";
import { type LoadedWeights, weightsOf } from "../infer/model";
import type { ParameterSpec } from "../nn/parameters";
import { SETTINGS, type TrainConfig } from "../settings/config";
import type { Ancestor, StartParts } from "../settings/lineage";
import { written } from "../settings/setting";
import { sha256Of } from "./file_hash";
import { findWeights } from "./models";
import { configPath, openRunFolder } from "./run_folder";
import { ancestorsOf, putParameters, settingsOf } from "./start_parameters";

/** Given weights, and what a training that starts from them records of it. */
export interface StartWeights extends LoadedWeights {
  readonly path: string;
  readonly lineage: readonly [Ancestor, ...Ancestor[]];
}

/**
 * Reads the weights to start from.
 * @param given a weights file, the folder of a run, or `shipped`
 * @throws UserError when it cannot be read, is not one of voxgrad's, or is several
 */
export function readStart(given: string, parts: StartParts): StartWeights {
  const [found, ...others] = findWeights(given);
  // Of weights that come with voxgrad the named ones: those that they predict with are another start.
  if (found === undefined || (others.length > 0 && !found.shipped)) {
    throw new UserError(
      `--from ${given}: holds ${others.length + 1} networks; name the file of one`,
    );
  }
  const { path } = found;
  const contents = readSafetensors(path);
  const loaded = weightsOf(contents, path);
  const own: Ancestor = { weights: resolve(path), sha256: sha256Of(path), parts };
  return { ...loaded, path, lineage: [own, ...ancestorsOf(contents, path)] };
}

/** Those by which the shapes of the tensors follow, and those by which their meaning does. */
const SHAPES = ["filters", "difference"] as const;
const MEANINGS = ["groups", "alignCorners", "spacing", "normalisation", "patch"] as const;

/**
 * Lines that say how the training begins, and a warning for every setting by which it differs.
 * @throws UserError where the weights do not fit the training's network
 */
export function startText({ path, info, lineage }: StartWeights, config: TrainConfig): string[] {
  const theirs = settingsOf(info);
  const show = (name: (typeof SHAPES | typeof MEANINGS)[number], value: unknown) =>
    `--${SETTINGS[name].option} ${written(SETTINGS[name], value)}`;
  const others = (names: typeof SHAPES | typeof MEANINGS) =>
    names.filter((name) => String(theirs[name]) !== String(config[name]));
  const [wrong] = others(SHAPES);
  if (wrong !== undefined) {
    throw new UserError(
      `${show(wrong, config[wrong])}: ${path} was trained with ${show(wrong, theirs[wrong])}, and its ` +
        "tensors do not fit another network; leave the option out",
    );
  }
  const [{ sha256, parts }] = lineage;
  const part = parts === "all" ? "" : " without its head";
  return [
    `starts from ${path}${part} (SHA-256 ${sha256.slice(0, 8)}…): filters ${info.unet.filters.join("/")}, ` +
      `${config.spacing} mm, ${config.normalisation} normalisation; the optimiser starts anew`,
    ...others(MEANINGS).map(
      (name) =>
        `warning: ${show(name, config[name])}, but ${path} was trained with ${show(name, theirs[name])}`,
    ),
  ];
}

/**
 * Puts the weights that a run starts from over its random ones.
 * @param flat of all parameters of the training, in place
 * @throws UserError when the file is gone or is another by now, or does not fit
 */
export function putStart(
  { lineage }: TrainConfig,
  flat: Float32Array,
  specs: readonly ParameterSpec[],
): void {
  if (lineage === undefined) return;
  const { weights: path, sha256, parts } = lineage[0]!;
  const contents = readSafetensors(path);
  const found = sha256Of(path);
  if (found !== sha256) {
    throw new UserError(
      `${path}: is another file than the one that the run was to start from (SHA-256 ` +
        `${found.slice(0, 8)}…, expected ${sha256.slice(0, 8)}…); restore it, or start a new run`,
    );
  }
  putParameters(weightsOf(contents, path), parts, flat, specs, path);
}

/**
 * A line where patients that validate have trained the weights which a run starts from, as far as the
 * folder of these tells: nothing is known of weights that lie by themselves.
 */
export function seenBefore(
  { lineage }: Pick<TrainConfig, "lineage">,
  { val }: { readonly val: readonly { readonly id: string }[] },
): string | undefined {
  const folder = lineage && dirname(lineage[0]!.weights);
  if (folder === undefined || !existsSync(configPath(folder))) return undefined;
  const trained = new Set(openRunFolder(folder).split.train);
  const seen = val.filter(({ id }) => trained.has(id)).map(({ id }) => id);
  if (seen.length === 0) return undefined;
  return (
    `warning: ${seen.join(", ")} validate, and patients of these names trained the weights in ${folder} that ` +
    "this starts from: their scores are too good"
  );
}
