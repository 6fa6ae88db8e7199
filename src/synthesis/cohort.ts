/** A folder of synthetic pairs in the MSSEG-2 layout; what is there already stays as it is. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { hashImage } from "../data/nifti_read";
import { writeMask, writeVolume } from "../data/nifti_write";
import { PERSON_FILE, personOf } from "../data/person";
import type { Volume } from "../data/volume";
import { writeAtomically, writeNewFile } from "../platform/atomic_file";
import { readJsonFile, readTextFile } from "../platform/json_file";
import { removeQuietly, sweepOnce, temporaryPath } from "../platform/leftovers";
import { FATES } from "./fates";
import { type GeneratedPair, generatePair } from "./generate";
import { keptBackground } from "./kept_background";
import { REGIONS } from "./places";
import { filesOf, phantomBackground, type Source, shapesOfMasks } from "./sources";

/** Raise when the same inputs give other pairs. */
const VERSION = 8;
const MANIFEST = "synthesis.json";
/** In the folder of a pair, and written last. */
export const ORIGIN = "synthetic.json";
export interface SynthesisOptions {
  readonly sources: readonly Source[];
  /** Made-up heads beside them. */
  readonly phantoms: number;
  /** Lesion masks without images: shapes. */
  readonly masks: readonly string[];
  readonly pairs: number;
  readonly seed: number;
  /** Of `of` parts the one to make, from 1: pair k, from 0, is in part k mod `of` + 1. All if absent. */
  readonly part?: { readonly index: number; readonly of: number };
}

export interface SynthesisHooks {
  readonly onProgress?: (done: number, total: number) => void;
  /** Ends between two pairs. */
  readonly signal?: AbortSignal;
}

const originSchema = z.strictObject({
  /** Whose scan it is, and which. */
  patient: z.string(),
  scan: z.string(),
  made: z.array(
    z.strictObject({
      fate: z.enum(FATES),
      region: z.enum([...REGIONS, "own"]),
      volume: z.number(),
      /** Patient whose mask gave the shape. */
      shapeOf: z.string().optional(),
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
  const hash = createHash("sha256").update(
    JSON.stringify([VERSION, options.seed, options.phantoms]),
  );
  for (const source of options.sources) {
    hash.update(`${source.patient} ${source.name}`);
    for (const file of filesOf(source)) {
      if (file === undefined) hash.update("none");
      else await hashImage(hash, file);
    }
  }
  for (const mask of options.masks) await hashImage(hash, mask);
  return hash.digest("hex").slice(0, 32);
}

/**
 * Writes the pairs that are not there yet. Pair k depends on the sources, the seed and k alone, so
 * that several processes may write one folder at a time.
 * @throws UserError when the folder holds something else, or a scan cannot be used
 */
export async function writeSynthetic(
  out: string,
  options: SynthesisOptions,
  hooks: SynthesisHooks = {},
): Promise<void> {
  const { sources, phantoms, masks, pairs, seed, part } = options;
  claim(out, { version: VERSION, seed, key: await synthesisKey(options) });
  const mine = Array.from({ length: pairs }, (_, k) => k).filter(
    (k) => part === undefined || k % part.of === part.index - 1,
  );
  const missing = mine.filter((k) => !isMade(out, k));
  let done = mine.length - missing.length;
  hooks.onProgress?.(done, mine.length);
  if (missing.length === 0) return;
  const shapes = await shapesOfMasks(masks);
  const scans = sources.length + phantoms;
  for (let s = 0; s < scans; s++) {
    const its = missing.filter((k) => k % scans === s);
    if (its.length === 0) continue;
    hooks.signal?.throwIfAborted();
    const source = sources[s];
    const background = source
      ? await keptBackground(source)
      : phantomBackground(seed, s - sources.length);
    // While one pair is compressed and written, the next one is made.
    let written: Promise<void> = Promise.resolve();
    for (const k of its) {
      hooks.signal?.throwIfAborted();
      // Another process may have made it since we looked.
      if (!isMade(out, k)) {
        const pair = generatePair(background, shapes, seed, k);
        await written;
        written = writePair(out, idOf(k), pair, { patient: background.patient, ...source });
      }
      hooks.onProgress?.(++done, mine.length);
    }
    await written;
  }
}

const idOf = (k: number) => `synthetic${String(k + 1).padStart(3, "0")}`;
const isMade = (out: string, k: number) => existsSync(join(out, idOf(k), ORIGIN));

/** Whose scan a pair is made of. */
type Owner = Pick<Source, "patient" | "person"> & Partial<Pick<Source, "image">>;

/** Whole or not at all. */
async function writePair(out: string, id: string, pair: GeneratedPair, of: Owner): Promise<void> {
  const temporary = temporaryPath(out);
  mkdirSync(temporary);
  try {
    await fillPair(temporary, pair, of);
    place(temporary, join(out, id));
  } finally {
    removeQuietly(temporary);
  }
}

async function fillPair(
  folder: string,
  { visit1, visit2, truth, resolved, made }: GeneratedPair,
  { patient, person, image = patient }: Owner,
): Promise<void> {
  await Promise.all([
    writeVolume(join(folder, "flair_time01_on_middle_space.nii.gz"), whole(visit1)),
    writeVolume(join(folder, "flair_time02_on_middle_space.nii.gz"), whole(visit2)),
    writeMask(join(folder, "ground_truth.nii.gz"), truth),
    writeMask(join(folder, "resolved.nii.gz"), resolved),
  ]);
  const origin: Origin = { patient, scan: image, made: made.map(({ at: _, ...rest }) => rest) };
  // Pairs made of one person are of that person: a split keeps them together.
  writeAtomically(join(folder, PERSON_FILE), `${personOf({ id: patient, person })}\n`);
  writeAtomically(join(folder, ORIGIN), `${JSON.stringify(origin, null, 2)}\n`);
}

/** In whole numbers, as scanners store them. They also take half of the space. */
const whole = (visit: Volume): Volume => ({ ...visit, data: visit.data.map(Math.round) });

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
