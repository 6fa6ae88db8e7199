/** Prepared patients on disk: resampling and normalising is done once per content and settings. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { UserError } from "../core/errors";
import type { Memory } from "../gpu/memory";
import { writeAllAtomically, writeProblem } from "../platform/atomic_file";
import { cacheDir } from "../platform/cache";
import type { Patient } from "./cohort";
import { hashImage, readMask } from "./nifti_read";
import { loadPatient, maskOnGrid, type PatientData } from "./patient";
import { type PrepareOptions, preparePair } from "./preprocess";
import type { Grid } from "./volume";
import type { VisitData, VolumeSource } from "./volume_store";
import { labelOnGrid, lesionVoxels, voxelCount } from "./working_grid";

/** Raise when what lies in the files changes. */
const FORMAT = 2;

interface Header {
  readonly grid: Grid;
  readonly native: Grid;
  readonly lesions: readonly (readonly number[])[];
  readonly notes: readonly string[];
}

export interface PreparedPatient extends VolumeSource {
  readonly grid: Grid;
  /** The grid of visit 1. */
  readonly native: Grid;
  /** What was decided by rule while reading; to be shown to the user. */
  readonly notes: readonly string[];
}

/**
 * The patient on the network's grid, from the cache or made now. With `reversed`, the mask of
 * resolved lesions is the label of the time-swapped twin.
 */
export async function preparePatient(
  memory: Memory,
  patient: Patient,
  options: PrepareOptions & { readonly reversed: boolean },
): Promise<PreparedPatient> {
  const path = cacheDir("prepared", `${await keyOf(patient, options)}.bin`);
  const header = readHeader(path) ?? (await prepare(memory, patient, options, path));
  const { grid, native, notes } = header;
  return {
    id: patient.id,
    size: grid.size,
    grid,
    native,
    notes,
    lesions: header.lesions.map((indices) => Uint32Array.from(indices)),
    load: () => loadVisits(path, header),
  };
}

async function keyOf(patient: Patient, options: PrepareOptions & { reversed: boolean }) {
  const hash = createHash("sha256").update(JSON.stringify([FORMAT, options]));
  const mask = options.normalisation === "mask" ? patient.brainMask : undefined;
  const twin = options.reversed ? patient.resolved : undefined;
  for (const file of [patient.time1, patient.time2, patient.truth, mask, twin]) {
    if (file === undefined) hash.update("none");
    else await hashImage(hash, file);
  }
  return hash.digest("hex").slice(0, 32);
}

async function prepare(
  memory: Memory,
  patient: Patient,
  options: PrepareOptions & { reversed: boolean },
  path: string,
): Promise<Header> {
  const data: PatientData = await loadPatient(patient);
  const names = [patient.time1, patient.time2] as const;
  const { grid, visit1, visit2 } = await preparePair(memory, data, names, options);
  const masks = [data.truth];
  const notes = [...data.notes];
  if (options.reversed && patient.resolved) {
    const resolved = await readMask(patient.resolved);
    masks.push(maskOnGrid(patient.resolved, resolved, patient.time1, data.time1, notes));
  }
  const labels: Uint8Array[] = [];
  for (const mask of masks) labels.push(await labelOnGrid(memory, mask, grid));
  const lesions = labels.map((label) => [...lesionVoxels(label)]);
  const native = { size: data.time1.size, affine: data.time1.affine };
  const header = { grid, native, lesions, notes };
  keep(path, header, [visit1, visit2, ...labels]);
  return header;
}

/** The header is JSON in a file of its own, written last; the voxels are in the `.bin`. */
const headerPath = (path: string) => `${path}.json`;

function keep(path: string, header: Header, arrays: readonly (Float32Array | Uint8Array)[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeAllAtomically([
      { path, data: arrays },
      { path: headerPath(path), data: JSON.stringify(header) },
    ]);
  } catch (error) {
    const problem = writeProblem(path, error);
    if (!(problem instanceof UserError)) throw problem;
    throw new UserError(`${problem.message}; or name another cache folder by VOXGRAD_CACHE`);
  }
}

function readHeader(path: string): Header | undefined {
  try {
    const header = JSON.parse(readFileSync(headerPath(path), "utf8")) as Header;
    const bytes = (8 + header.lesions.length) * voxelCount(header.grid.size);
    return statSync(path).size === bytes ? header : undefined;
  } catch {
    return undefined;
  }
}

async function loadVisits(path: string, { grid, lesions }: Header): Promise<VisitData> {
  const bytes = await readFile(path);
  const count = voxelCount(grid.size);
  const at = (offset: number) => bytes.byteOffset + offset;
  const visit = (i: number) => new Float32Array(bytes.buffer, at(i * 4 * count), count);
  const label = (i: number) => new Uint8Array(bytes.buffer, at((8 + i) * count), count);
  return { visit1: visit(0), visit2: visit(1), labels: lesions.map((_, i) => label(i)) };
}
