/** A folder of synthetic pairs in the MSSEG-2 layout; what is there already stays as it is. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { Philox } from "../core/random";
import { digests, hashImage } from "../data/nifti_read";
import { writeMask, writeVolume } from "../data/nifti_write";
import type { PlacePatient } from "../data/patient";
import { PERSON_FILE, personOf } from "../data/person";
import { writeAtomically, writeNewFile } from "../platform/atomic_file";
import { readJsonFile, readTextFile } from "../platform/json_file";
import { removeQuietly, sweepOnce, temporaryPath } from "../platform/leftovers";
import { makeSyntheticPair, type SyntheticPair } from "./pair";
import type { LesionShape } from "./shape";
import { filesOf, type Recipient, readRecipient, type Source, shapesOfMasks } from "./sources";

/** Raise when the same inputs give other pairs. */
const VERSION = 5;
const MANIFEST = "synthesis.json";
/** In the folder of a pair, and written last. */
export const ORIGIN = "synthetic.json";
/** Other patients whose lesions a pair may get, and masks. */
const DONORS = 2;
const MASKS = 4;
const STREAM = 1;

export interface SynthesisOptions {
  readonly sources: readonly Source[];
  /** Lesion masks in MNI space, without images. */
  readonly masks: readonly string[];
  readonly pairs: number;
  readonly seed: number;
  /** Puts the visits of a pair on one grid: by their headers unless it is given. */
  readonly place?: PlacePatient;
}

export interface SynthesisHooks {
  readonly onProgress?: (done: number, total: number) => void;
  readonly onNote?: (note: string) => void;
  /** Ends between two pairs. */
  readonly signal?: AbortSignal;
}

const originSchema = z.strictObject({
  recipient: z.string(),
  donors: z.array(z.string()),
  made: z.array(
    z.strictObject({
      kind: z.enum(["pasted", "filled", "old"]),
      donor: z.string(),
      voxels: z.number(),
      at: z.tuple([z.number(), z.number(), z.number()]),
    }),
  ),
});
export type Origin = z.infer<typeof originSchema>;

/** The origin of a synthetic pair; undefined for a folder of real scans. */
export function originOf(folder: string): Origin | undefined {
  const path = join(folder, ORIGIN);
  if (!existsSync(path)) return undefined;
  return readJsonFile(path, originSchema, "`synthesise` did not write this: remove the folder");
}

/** The key of everything that the pairs follow from: contents of all files, seed, version. */
export async function synthesisKey(options: SynthesisOptions): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([VERSION, options.seed]));
  for (const source of options.sources) {
    hash.update(source.id);
    for (const file of filesOf(source)) {
      if (file === undefined) hash.update("none");
      else await hashImage(hash, file);
    }
    const placement = source.kind === "pair" && (await options.place?.(source, digests()));
    // Folders of pairs that were not moved keep their keys.
    if (placement && placement.key !== "headers") hash.update(placement.key);
  }
  for (const mask of options.masks) await hashImage(hash, mask);
  return hash.digest("hex").slice(0, 32);
}

/**
 * Writes the pairs that are not there yet. Pair k depends on the sources, the seed and k alone, so
 * that several processes may write one folder at a time.
 * @throws UserError when the folder holds something else, or there is nobody to take lesions from
 */
export async function writeSynthetic(
  out: string,
  options: SynthesisOptions,
  hooks: SynthesisHooks = {},
): Promise<void> {
  const { sources, masks, pairs, seed } = options;
  if (sources.length < 2 && masks.length === 0) {
    throw new UserError(
      "one patient alone has no donor of lesions; add patients, or more lesions by --masks",
    );
  }
  claim(out, { version: VERSION, seed, key: await synthesisKey(options) });
  const missing = Array.from({ length: pairs }, (_, k) => k).filter((k) => !isMade(out, k));
  let done = pairs - missing.length;
  hooks.onProgress?.(done, pairs);
  if (missing.length === 0) return;
  const shapes = await allShapes(options, hooks);
  const plans = missing.map((k) => planOf(k, sources, masks.length, seed));
  for (const source of sources) {
    const its = plans.filter(({ recipient }) => recipient === source);
    if (its.length === 0) continue;
    const recipient = await readRecipient(source, options.place);
    for (const plan of its) {
      hooks.signal?.throwIfAborted();
      // Another process may have made it since we looked.
      if (!isMade(out, plan.k)) {
        const pair = makeSyntheticPair(recipient, shapes(plan), [seed, plan.k]);
        await writePair(out, idOf(plan.k), pair, recipient);
      }
      hooks.onProgress?.(++done, pairs);
    }
  }
}

const idOf = (k: number) => `synthetic${String(k + 1).padStart(3, "0")}`;
const isMade = (out: string, k: number) => existsSync(join(out, idOf(k), ORIGIN));

interface Plan {
  readonly k: number;
  readonly recipient: Source;
  readonly donors: readonly string[];
  /** Numbers of masks. */
  readonly masks: readonly number[];
}

/** Recipients in turn; donors at random among the others. */
function planOf(k: number, sources: readonly Source[], masks: number, seed: number): Plan {
  const random = new Philox(seed, STREAM, k);
  const recipient = sources[k % sources.length]!;
  const others = sources.filter((s) => s !== recipient).map(({ id }) => id);
  const some = <T>(from: T[], count: number): T[] =>
    Array.from({ length: Math.min(count, from.length) }, () =>
      from.splice(random.int(from.length), 1),
    ).flat();
  const numbers = Array.from({ length: masks }, (_, i) => i);
  return { k, recipient, donors: some(others, DONORS), masks: some(numbers, MASKS) };
}

/** Reads every donor once, and gives the shapes that a plan may use. */
async function allShapes(
  { sources, masks, place }: SynthesisOptions,
  { onNote, signal }: SynthesisHooks,
): Promise<(plan: Plan) => LesionShape[]> {
  const byDonor = new Map<string, readonly LesionShape[]>();
  for (const source of sources) {
    signal?.throwIfAborted();
    const { shapes } = await readRecipient(source, place);
    byDonor.set(source.id, shapes);
    onNote?.(`${source.id}: ${shapes.length} lesions can be taken over`);
  }
  const byMask: LesionShape[][] = [];
  for (const mask of masks) byMask.push(await shapesOfMasks([mask]));
  return ({ donors, masks: numbers }) => [
    ...donors.flatMap((id) => byDonor.get(id) ?? []),
    ...numbers.flatMap((i) => byMask[i]!),
  ];
}

/** Whole or not at all. */
async function writePair(
  out: string,
  id: string,
  pair: SyntheticPair,
  recipient: Recipient,
): Promise<void> {
  const temporary = temporaryPath(out);
  mkdirSync(temporary);
  try {
    await fillPair(temporary, pair, recipient);
    place(temporary, join(out, id));
  } finally {
    removeQuietly(temporary);
  }
}

async function fillPair(
  folder: string,
  { visit1, visit2, truth, resolved, made }: SyntheticPair,
  { source, brainMask }: Recipient,
): Promise<void> {
  await Promise.all([
    writeVolume(join(folder, "flair_time01_on_middle_space.nii.gz"), visit1),
    writeVolume(join(folder, "flair_time02_on_middle_space.nii.gz"), visit2),
    writeMask(join(folder, "ground_truth.nii.gz"), truth),
    resolved && writeMask(join(folder, "resolved.nii.gz"), resolved),
    brainMask && writeMask(join(folder, "brain_mask.nii.gz"), brainMask),
  ]);
  const donors = [...new Set(made.map(({ donor }) => donor))];
  const origin: Origin = {
    recipient: source.id,
    donors,
    made: made.map(({ at, ...rest }) => ({ ...rest, at: [...at] })),
  };
  // Pairs made of one person are of that person: a split keeps them together.
  writeAtomically(join(folder, PERSON_FILE), `${personOf(source)}\n`);
  writeAtomically(join(folder, ORIGIN), `${JSON.stringify(origin, null, 2)}\n`);
}

/** Gives a whole pair its name, unless another process has put its own, the same, there. */
function place(temporary: string, folder: string): void {
  try {
    renameSync(temporary, folder);
  } catch (error) {
    if (existsSync(join(folder, ORIGIN))) return;
    if (!existsSync(folder)) throw error;
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
  }
}

/** Makes the folder, or checks that it was made by the same settings. */
function claim(out: string, manifest: Readonly<Record<string, unknown>>): void {
  const path = join(out, MANIFEST);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  try {
    mkdirSync(out, { recursive: true });
    sweepOnce(out);
    const holdsMore = readdirSync(out).some(
      (name) => !name.startsWith(".") && !name.startsWith(MANIFEST),
    );
    if (holdsMore && !existsSync(path)) {
      throw new UserError(`${out}: holds other files already; name a new folder`);
    }
    writeNewFile(path, text);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${out}: cannot be written to (${(error as Error).message})`);
  }
  if (readTextFile(path) !== text) {
    throw new UserError(
      `${out}: holds synthetic pairs of other data, another seed or another version; name a new folder`,
    );
  }
}
