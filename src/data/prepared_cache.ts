/** Prepared patients on disk: resampling and normalising is done once per content and settings. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { UserError } from "../core/errors";
import type { Memory } from "../gpu/memory";
import { privateCacheDir } from "../platform/cache";
import type { Patient } from "./cohort";
import { type MaskRuns, runsOf } from "./mask_runs";
import { digests } from "./nifti_read";
import { type AnswerPlace, byHeaders, type PatientPlacement, type PlacePatient } from "./patient";
import { type Entry, findEntry, readVoxels, writeEntry } from "./prepared_entry";
import { type PrepareOptions, preparePair } from "./preprocess";
import type { Grid } from "./volume";
import type { VisitData, VolumeSource } from "./volume_store";
import { labelOnGrid, lesionVoxels } from "./working_grid";

/** Raise when what lies in the files changes. */
const FORMAT = 6;

export interface PreparedPatient extends VolumeSource {
  /** A hash of what its files hold, and of how it was prepared. */
  readonly key: string;
  readonly grid: Grid;
  /** The grid of the pair: that of visit 1, or the one between the visits. */
  readonly native: Grid;
  /** The place of an answer about a pair that was moved. */
  readonly answer?: AnswerPlace;
  /** In the world of the pair: where lesions may lie; absent where that is not known. */
  readonly allowed?: MaskRuns;
  /** What was decided by rule while reading; to be shown to the user. */
  readonly notes: readonly string[];
}

interface Options extends PrepareOptions {
  readonly reversed: boolean;
  /** By the headers unless it is given. */
  readonly place?: PlacePatient;
}

/**
 * The patient on the network's grid, from the cache or made now. With `reversed`, the mask of
 * resolved lesions is the label of the time-swapped twin.
 * @param onNote gets a line where an entry of the cache is damaged: it is made again, also when that
 *   is found as the voxels are read
 */
export async function preparePatient(
  memory: Memory,
  patient: Patient,
  options: Options,
  onNote: (line: string) => void = () => {},
): Promise<PreparedPatient> {
  const { key, placement } = await find(patient, options);
  const path = join(privateCacheDir("prepared"), `${key}.bin`);
  const found = findEntry(path, onNote);
  let entry = found ?? (await prepare(memory, patient, options, placement, path));
  let isKnown = !found;
  const load = async (): Promise<VisitData> => {
    const visits = await readVoxels(path, entry, isKnown);
    isKnown = visits !== undefined;
    if (visits) return visits;
    onNote(`${path}: damaged in the cache, or gone; it is made again`);
    const now = await find(patient, options);
    if (now.key !== key) {
      throw new UserError(`${patient.id}: its images have changed since the start; start again`);
    }
    entry = await prepare(memory, patient, options, now.placement, path);
    const again = await readVoxels(path, entry, false);
    if (again) return again;
    throw new UserError(`${path}: is not what was written; name another disk by VOXGRAD_CACHE`);
  };
  const { grid, native, answer, allowed, notes, lesions } = entry.header;
  return {
    id: patient.id,
    key,
    size: grid.size,
    grid,
    native,
    answer,
    allowed,
    notes: [...placement.notes, ...notes.map((note) => withPaths(note, patient))],
    lesions: lesions.map((indices) => Uint32Array.from(indices)),
    load,
  };
}

/** How the patient's visits come on one grid, and the key of what is made of them. */
async function find(patient: Patient, options: Options) {
  const { spacing, normalisation, reversed, place = byHeaders } = options;
  const digest = digests();
  const placement = await place(patient, digest);
  const mask = normalisation === "mask" ? patient.brainMask : undefined;
  const twin = reversed ? patient.resolved : undefined;
  const files: (string | null)[] = [];
  for (const file of [patient.time1, patient.time2, patient.truth, mask, twin]) {
    files.push(file === undefined ? null : await digest(file));
  }
  const all = [FORMAT, spacing, normalisation, reversed, placement.key, files];
  const hash = createHash("sha256").update(JSON.stringify(all));
  return { key: hash.digest("hex").slice(0, 32), placement };
}

/** Images of the same contents share an entry: its notes hold names for the paths of this run. */
const FILES = ["time1", "time2", "truth", "brainMask", "resolved"] as const;
const placeOf = (name: string) => `{{${name}}}`;

const withPaths = (note: string, patient: Patient): string =>
  FILES.reduce((text, name) => text.replaceAll(placeOf(name), patient[name] ?? name), note);

/** The longest first: one path may be a part of another. */
function withoutPaths(note: string, patient: Patient): string {
  const known = FILES.filter((name) => patient[name]);
  const byLength = known.toSorted((a, b) => patient[b]!.length - patient[a]!.length);
  return byLength.reduce((text, name) => text.replaceAll(patient[name]!, placeOf(name)), note);
}

async function prepare(
  memory: Memory,
  patient: Patient,
  options: Options,
  placement: PatientPlacement,
  path: string,
): Promise<Entry> {
  const brain = options.normalisation === "mask";
  const data = await placement.load({ brain, resolved: options.reversed });
  const names = [patient.time1, patient.time2] as const;
  const { grid, visit1, visit2 } = await preparePair(memory, data, names, options);
  const labels: Uint8Array[] = [];
  for (const mask of [data.truth, data.resolved]) {
    if (mask) labels.push(await labelOnGrid(memory, mask, grid));
  }
  const lesions = labels.map((label) => [...lesionVoxels(label)]);
  const native = { size: data.time1.size, affine: data.time1.affine };
  const notes = data.notes.map((note) => withoutPaths(note, patient));
  const allowed = data.allowed && runsOf(data.allowed);
  const header = { grid, native, answer: data.answer, allowed, lesions, notes };
  return writeEntry(path, header, [visit1, visit2, ...labels]);
}
