/** An entry of the cache of prepared patients: a header in JSON, and its voxels in a file beside it. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors";
import { parseJson } from "../core/json";
import { writeAllAtomically, writeProblem } from "../platform/atomic_file";
import { touchEntry } from "../platform/cache_entries";
import type { MaskRuns } from "./mask_runs";
import type { AnswerPlace } from "./patient";
import type { Grid } from "./volume";
import type { VisitData } from "./volume_store";
import { voxelCount } from "./working_grid";

const edge = z.number().int().positive();
const affine = z.array(z.number()).length(16);
const gridSchema = z.strictObject({ size: z.tuple([edge, edge, edge]), affine });

export interface EntryHeader {
  readonly grid: Grid;
  /** The grid of the pair: that of visit 1, or the one between the visits. */
  readonly native: Grid;
  /** Of a pair that was moved. */
  readonly answer?: AnswerPlace;
  /** In the world of the pair: where lesions may lie. */
  readonly allowed?: MaskRuns;
  /** Of the pair and, where there is one, of its time-swapped twin: the voxels of lesions. */
  readonly lesions: readonly (readonly number[])[];
  readonly notes: readonly string[];
}

const headerSchema = z.strictObject({
  grid: gridSchema,
  native: gridSchema,
  answer: z
    .strictObject({
      visit: z.union([z.literal(0), z.literal(1)]),
      grid: gridSchema,
      motion: affine,
    })
    .optional(),
  allowed: gridSchema.extend({ runs: z.array(z.number().int().min(0)) }).optional(),
  lesions: z
    .array(z.array(z.number().int().min(0)))
    .min(1)
    .max(2),
  notes: z.array(z.string()),
}) satisfies z.ZodType<EntryHeader>;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const fileSchema = z.strictObject({
  /** SHA-256 of the header as JSON, and of the file of voxels. */
  sha256: z.strictObject({ header: digest, voxels: digest }),
  header: headerSchema,
});

export interface Entry {
  readonly sha256: Readonly<z.output<typeof fileSchema>["sha256"]>;
  readonly header: EntryHeader;
}

const headerPath = (path: string) => `${path}.json`;

/** The same fields in the same order, whatever the objects hold besides: for the checksum. */
function inOrder({ grid, native, answer, allowed, lesions, notes }: EntryHeader): EntryHeader {
  const only = ({ size, affine }: Grid): Grid => ({ size, affine });
  const place = answer && {
    visit: answer.visit,
    grid: only(answer.grid),
    motion: answer.motion,
  };
  const may = allowed && { ...only(allowed), runs: allowed.runs };
  const places = { grid: only(grid), native: only(native), answer: place, allowed: may };
  return { ...places, lesions, notes };
}
const textOf = (header: EntryHeader): string => JSON.stringify(inOrder(header));

function sha256(parts: readonly (string | ArrayBufferView)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    hash.update(
      typeof part === "string"
        ? part
        : new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
    );
  }
  return hash.digest("hex");
}

/**
 * Keeps an entry; only its owner can read it. It is not flushed: a power cut would be noticed.
 * @param arrays two visits, then the labels
 * @throws UserError when it cannot be written
 */
export function writeEntry(
  path: string,
  header: EntryHeader,
  arrays: readonly (Float32Array | Uint8Array)[],
): Entry {
  const entry = {
    sha256: { header: sha256([textOf(header)]), voxels: sha256(arrays) },
    header: inOrder(header),
  };
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeAllAtomically(
      [
        { path, data: arrays },
        { path: headerPath(path), data: JSON.stringify(entry) },
      ],
      { mode: 0o600, flush: false },
    );
  } catch (error) {
    const problem = writeProblem(path, error);
    if (!(problem instanceof UserError)) throw problem;
    throw new UserError(`${problem.message}; or name another cache folder by VOXGRAD_CACHE`);
  }
  return entry;
}

/** Undefined where there is none, or a damaged one, which `onNote` then gets a line about. */
export function findEntry(path: string, onNote: (line: string) => void): Entry | undefined {
  if (!existsSync(headerPath(path))) return undefined;
  touchEntry(headerPath(path));
  try {
    return readEntry(path);
  } catch {
    onNote(`${path}: damaged in the cache; it is made again`);
    return undefined;
  }
}

/** @throws where the header is not what was written, or the voxels are not as many */
function readEntry(path: string): Entry {
  const text = readFileSync(headerPath(path), "utf8");
  const entry = parseJson(text, fileSchema, headerPath(path), "remove it");
  const { header } = entry;
  const count = voxelCount(header.grid.size);
  const isWhole =
    sha256([textOf(header)]) === entry.sha256.header &&
    header.lesions.every((voxels) => voxels.every((voxel) => voxel < count)) &&
    statSync(path).size === (8 + header.lesions.length) * count;
  if (!isWhole) throw new Error("damaged");
  return entry;
}

/**
 * The voxels; undefined where they are gone or damaged.
 * @param isKnown they were compared with their checksum before
 */
export async function readVoxels(
  path: string,
  { sha256: sums, header: { grid, lesions } }: Entry,
  isKnown: boolean,
): Promise<VisitData | undefined> {
  touchEntry(headerPath(path));
  const bytes = await readFile(path).catch(() => undefined);
  const count = voxelCount(grid.size);
  if (bytes?.length !== (8 + lesions.length) * count) return undefined;
  if (!isKnown && sha256([bytes]) !== sums.voxels) return undefined;
  const at = (offset: number) => bytes.byteOffset + offset;
  const visit = (i: number) => new Float32Array(bytes.buffer, at(i * 4 * count), count);
  const label = (i: number) => new Uint8Array(bytes.buffer, at((8 + i) * count), count);
  return { visit1: visit(0), visit2: visit(1), labels: lesions.map((_, i) => label(i)) };
}
