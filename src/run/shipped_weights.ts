/** Weights that come with voxgrad: `weights/index.json` names them, their checksums and what they were trained on. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { readJsonFile, readTextFile } from "../platform/json_file";
import { sha256Of } from "./file_hash";
import { writeJson } from "./run_folder";

/** `--weights shipped` names the first of them, `--weights shipped:NAME` any. */
export const SHIPPED = "shipped";

/** Letters, digits, dots and dashes: it is the name of a file, and of no other folder. */
export const NAME_FORM = /^[A-Za-z0-9][\w.-]{0,63}$/;

const line = z
  .string()
  .min(1)
  .max(300)
  .regex(/^[^\r\n]*$/, "expected one line");

const entrySchema = z.strictObject({
  name: z.string().regex(NAME_FORM, "expected letters, digits, dots and dashes"),
  version: line,
  /** SHA-256 of the bytes of `<name>.safetensors`, in hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hex digits"),
  /** The data, in a line. */
  trainedOn: line,
  licence: line,
  /** Names of others whose probabilities are averaged with its own. */
  with: z.array(z.string()).min(1).optional(),
});

/** The first is the one that is taken where none is named. */
const indexSchema = z.strictObject({ format: z.literal(1), weights: z.array(entrySchema).min(1) });

export type ShippedWeights = Readonly<z.output<typeof entrySchema>>;

/** `weights/` at the top of the repository, or what `VOXGRAD_WEIGHTS` names. */
export const weightsFolder = (): string =>
  process.env.VOXGRAD_WEIGHTS || join(import.meta.dir, "..", "..", "weights");

const indexPath = () => join(weightsFolder(), "index.json");
const cardPath = () => join(weightsFolder(), "MODEL_CARD.md");
export const shippedPath = (name: string): string => join(weightsFolder(), `${name}.safetensors`);

/** All of them; none where there is no index. @throws UserError when the index is damaged */
export function shippedWeights(): readonly ShippedWeights[] {
  const path = indexPath();
  if (!existsSync(path)) return [];
  return readJsonFile(path, indexSchema, "restore it: git checkout weights").weights;
}

/** A file of weights that come with voxgrad. */
export interface ShippedFile {
  readonly path: string;
  readonly shipped: ShippedWeights;
}

/**
 * The files of a network that comes with voxgrad, and of those that it predicts with.
 * @param name the first of them, if absent
 * @throws UserError as `shippedFile` does
 */
export function shippedFiles(name?: string): ShippedFile[] {
  const first = shippedFile(name);
  return [first, ...(first.shipped.with ?? []).map((other) => shippedFile(other))];
}

/**
 * The file of weights that come with voxgrad.
 * @param name the first of them, if absent
 * @throws UserError when there are none of that name, or the file is not the one that was shipped
 */
export function shippedFile(name?: string): ShippedFile {
  const all = shippedWeights();
  const shipped = name === undefined ? all[0] : all.find((each) => each.name === name);
  if (!shipped) {
    const names = all.map((each) => each.name).join(", ") || "none";
    throw new UserError(
      `--weights ${SHIPPED}${name === undefined ? "" : `:${name}`}: no such weights come with voxgrad ` +
        `(there: ${names}, in ${weightsFolder()}); train your own (bun run train), or name a file`,
    );
  }
  const path = shippedPath(shipped.name);
  if (!existsSync(path)) {
    throw new UserError(`${path}: is missing, though ${indexPath()} names it; restore the file`);
  }
  const found = sha256Of(path);
  if (found === shipped.sha256) return { path, shipped };
  throw new UserError(
    `${path}: is not the file that comes with voxgrad (SHA-256 ${found.slice(0, 8)}…, expected ` +
      `${shipped.sha256.slice(0, 8)}… by ${indexPath()}); restore it, or name it by its path`,
  );
}

/** Which weights, and where to read about them. */
export const shippedText = ({
  name,
  version,
  sha256,
  trainedOn,
  with: others,
}: ShippedWeights): string =>
  `weights that come with voxgrad: ${name}, version ${version} (SHA-256 ${sha256.slice(0, 8)}…), trained ` +
  `on ${trainedOn}${others ? `; averaged with ${others.join(", ")}` : ""}; not a medical device; read their card: bun run weights card`;

/** The model card. @throws UserError where there is none */
export function modelCard(): string {
  if (existsSync(cardPath())) return readTextFile(cardPath());
  throw new UserError(
    `${cardPath()}: there is no model card, because no weights come with voxgrad; docs/guides/weights.md ` +
      "says how they are made",
  );
}

/** Names weights in the index, in place of those of the same name, else after the others. */
export function addShipped(entry: ShippedWeights): void {
  const all = [...shippedWeights()];
  const at = all.findIndex(({ name }) => name === entry.name);
  all.splice(at < 0 ? all.length : at, 1, entry);
  writeJson(indexPath(), { format: 1, weights: all });
}
