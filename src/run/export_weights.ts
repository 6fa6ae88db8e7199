/** Makes weights that are shipped of a run's: with all that is to be known of them in the file itself. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { parseJson } from "../core/json";
import { readSafetensors, writeSafetensors } from "../data/safetensors_file";
import { weightsOf } from "../infer/model";
import { settingsArguments } from "../settings/arguments";
import { parseTrainConfig, type TrainConfig } from "../settings/config";
import { sha256Of } from "./file_hash";
import { findWeights } from "./models";
import { configPath, openRunFolder } from "./run_folder";
import type { SavedSplit } from "./saved_split";
import {
  addShipped,
  NAME_FORM,
  type ShippedWeights,
  shippedPath,
  shippedWeights,
  weightsFolder,
} from "./shipped_weights";

export interface ExportRequest {
  /** A run folder, a weights file in one, or a file that was exported before. */
  readonly from: string;
  readonly name: string;
  readonly version: string;
  /** The data in a line, and the licence of the weights. */
  readonly trainedOn: string;
  readonly licence: string;
  /** Names of shipped weights that these are to predict with. */
  readonly with?: readonly string[];
  /** A file with the steps that made the weights; its hash is kept. */
  readonly recipe?: string;
}

const trainingSchema = z.object({
  seed: z.number(),
  command: z.string(),
  patients: z.object({ train: z.number(), val: z.number() }),
});

/** The metadata entry with what is to be known of shipped weights. */
const ABOUT = "about";

/**
 * Writes `<name>.safetensors` into the folder of shipped weights, and names it in the index.
 * @throws UserError for a name or a file that cannot be used
 */
export function exportWeights(request: ExportRequest): ShippedWeights & { readonly path: string } {
  const { from, name, version, trainedOn, licence, with: partners = [], recipe } = request;
  if (!NAME_FORM.test(name)) {
    throw new UserError(
      `--name ${name}: expected letters, digits, dots and dashes, such as flair-1`,
    );
  }
  const [found, ...others] = findWeights(from);
  if (!found || others.length > 0) {
    throw new UserError(`${from}: holds ${others.length + 1} networks; name the file of one`);
  }
  const { tensors, metadata } = readSafetensors(found.path);
  weightsOf({ tensors, metadata, sha256: "" }, found.path); // refuses what is none of voxgrad's
  const about = {
    ...{ name, version, trainedOn, licence },
    ...trainingOf(found.path, metadata[ABOUT]),
    /** Of the program that exported. */
    commit: commitText(),
    recipe: recipe === undefined ? undefined : { file: basename(recipe), sha256: sha256Of(recipe) },
  };
  const path = shippedPath(name);
  const earlier = shippedWeights().find((each) => each.name === name);
  const exported = { path, tensors, metadata: { ...metadata, [ABOUT]: JSON.stringify(about) } };
  if (earlier?.version === version) {
    throw new UserError(
      `--version ${version}: ${name} of that version is in ${weightsFolder()} already; give another`,
    );
  }
  const known = shippedWeights().map((each) => each.name);
  const unknown = partners.find((other) => other === name || !known.includes(other));
  if (unknown !== undefined) {
    throw new UserError(
      `--with ${unknown}: expected other shipped weights, of ${known.join(", ")}`,
    );
  }
  mkdirSync(weightsFolder(), { recursive: true });
  writeSafetensors(exported);
  const company = partners.length > 0 ? { with: [...partners] } : {};
  const entry = { name, version, sha256: sha256Of(path), trainedOn, licence, ...company };
  addShipped(entry);
  return { ...entry, path };
}

/**
 * Seed, command and patients of the run that a weights file lies in.
 * @param about of an earlier export, such as of a copy that was calibrated anew: it holds them too
 */
function trainingOf(path: string, about: string | undefined): object {
  const folder = dirname(path);
  if (!existsSync(configPath(folder))) {
    if (about !== undefined) {
      const { seed, command, patients } = parseJson(
        about,
        trainingSchema,
        `${path}: ${ABOUT}`,
        "export the run instead",
      );
      return { seed, command, patients };
    }
    throw new UserError(`${path}: lies in no run folder, so nothing is known of its training`);
  }
  const { config: kept, split } = openRunFolder(folder);
  const config = parseTrainConfig(kept, configPath(folder));
  const patients = { train: split.train.length, val: split.val.length };
  return { seed: config.seed, command: trainCommand(config, split), patients };
}

/** The command that trains such weights again; folders by their names alone. */
function trainCommand(
  config: TrainConfig,
  { data, trainData = [], generate = [], val }: SavedSplit,
): string {
  const list = (option: string, values: readonly string[]) =>
    values.length > 0 ? [option, values.join(",")] : [];
  const [start] = config.lineage ?? [];
  const words = [
    ...list("--data", data === null ? [] : [basename(data)]),
    ...list(
      "--train-data",
      trainData.map((each) => basename(each)),
    ),
    ...list(
      "--generate",
      generate.map((each) => basename(each)),
    ),
    ...list("--val", val),
    ...(start ? ["--from", basename(start.weights), "--from-parts", start.parts] : []),
    ...settingsArguments(config),
  ];
  return ["bun run train", ...words.map(quoted)].join(" ");
}

const quoted = (word: string) =>
  /^[\w./,:+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Of the repository that this program lies in; with a remark where files differ from it. */
function commitText(): string {
  const git = (...args: string[]) =>
    spawnSync("git", ["-C", import.meta.dir, ...args], { encoding: "utf8" });
  const { status, stdout } = git("rev-parse", "HEAD");
  if (status !== 0) return "unknown: no git repository";
  const changed = git("status", "--porcelain").stdout.trim() !== "";
  return changed ? `${stdout.trim()}, with changes` : stdout.trim();
}
