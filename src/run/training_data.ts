/** The data of a training run: its cohort, the split into training and validation, the volumes. */
import { resolve } from "node:path";
import { UserError } from "../core/errors";
import { type Cohort, openCohort, type Patient, splitCohort } from "../data/cohort";
import { composed } from "../data/file_names";
import { ensurePhantom } from "../data/phantom/cohort";
import { type PreparedPatient, preparePatient } from "../data/prepared_cache";
import type { Memory } from "../gpu/memory";
import type { TrainConfig } from "../settings/config";
import type { CohortPairs } from "./cohort_pairs";
import type { Observer } from "./observer";
import type { RunFolder } from "./run_folder";
import type { SavedSplit } from "./saved_split";
import { type ValidationPatient, validationPatient } from "./validate";

/** Between two lines that say how far the preparation is. */
const PREPARATION_LINE_MS = 5000;

/** The data that a new run is to use. */
export interface DataRequest {
  /** Folder of the cohort; absent: the phantom. */
  readonly data?: string;
  /** Folders of further pairs that only train. */
  readonly trainData?: readonly string[];
  /** Folders of scans that pairs are generated of while it trains. */
  readonly generate?: readonly string[];
  /** Patients that validate, by id; absent: a fold. */
  readonly val?: readonly string[];
  readonly folds?: number;
  readonly fold?: number;
}

type Notes = Pick<Observer, "note">;

/** @param data folder of the cohort; undefined: the phantom, made now if the cache has none */
export async function openData(
  config: TrainConfig,
  data: string | undefined,
  observer: Notes,
): Promise<Cohort> {
  if (data !== undefined) {
    const cohort = await openCohort(data);
    for (const note of cohort.notes) observer.note(note);
    return cohort;
  }
  if (config.timeReversal) {
    throw new UserError("--time-reversal: the phantom has no resolved lesions; leave it out");
  }
  observer.note("no --data: using the phantom cohort (made once, then kept in the cache)");
  const folder = await ensurePhantom({}, (done, total) => {
    if (done % 5 === 0 || done === total) observer.note(`phantom patient ${done}/${total}`);
  });
  return openCohort(folder);
}

export interface Arms {
  readonly train: readonly Patient[];
  readonly val: readonly Patient[];
}

export function newSplit(
  cohort: Cohort,
  { seed }: TrainConfig,
  { val, folds, fold }: DataRequest,
): Arms {
  return splitCohort(cohort.patients, { val, folds, fold, seed });
}

export function savedSplit(folder: RunFolder, cohort: Cohort): Arms {
  const { split } = folder;
  const find = (id: string) => {
    const patient = cohort.patients.find((p) => p.id === composed(id));
    if (patient) return patient;
    throw new UserError(
      `${folder.path}: patient ${id} of its split is no longer in ${cohort.root}`,
    );
  };
  return { train: split.train.map(find), val: split.val.map(find) };
}

/** The contents of `split.json`. */
export function splitOf(
  cohort: Cohort,
  arms: Arms,
  { data, trainData, generate }: DataRequest,
): SavedSplit {
  return {
    data: data === undefined ? null : resolve(cohort.root),
    train: arms.train.map(({ id }) => id),
    val: arms.val.map(({ id }) => id),
    trainData: trainData?.map((folder) => resolve(folder)),
    generate: generate?.map((folder) => resolve(folder)),
  };
}

/** Before long work. @throws UserError when a patient that trains has no time-swapped twin */
export function checkTwins({ timeReversal }: TrainConfig, { train }: Arms): void {
  const alone = train.find(({ resolved }) => resolved === undefined);
  if (!timeReversal || !alone) return;
  throw new UserError(
    `${alone.id}: --time-reversal needs its resolved.nii.gz, the truth of the time-swapped ` +
      "pair; add it, or leave the option out",
  );
}

/** Pairs that train beside the cohort's. */
export interface ExtraPairs {
  /** Of folders. */
  readonly given: readonly Patient[];
  /** Made of the training arm, their visits on one grid. */
  readonly synthetic: readonly Patient[];
}

/**
 * Resamples and normalises everyone, or finds them in the cache.
 * @param extra pairs that train too, each with its time-swapped twin if it can have one
 * @param pairs puts the visits of each on one grid
 * @throws the signal's reason when interrupted
 */
export async function prepare(
  memory: Memory,
  config: TrainConfig,
  { train, val }: Arms,
  { given, synthetic }: ExtraPairs,
  pairs: CohortPairs,
  observer: Notes,
  signal?: AbortSignal,
): Promise<{ sources: PreparedPatient[]; patients: ValidationPatient[] }> {
  const { spacing, normalisation, timeReversal } = config;
  const sources: PreparedPatient[] = [];
  const patients: ValidationPatient[] = [];
  let shown = performance.now();
  const all = [...train, ...given, ...synthetic, ...val];
  for (const [i, patient] of all.entries()) {
    signal?.throwIfAborted();
    if (performance.now() - shown > PREPARATION_LINE_MS) {
      observer.note(`prepared ${i} of ${all.length} patients (kept for the next run)`);
      shown = performance.now();
    }
    const trains = i < all.length - val.length;
    const reversed = trains && timeReversal && patient.resolved !== undefined;
    const options = { spacing, normalisation, reversed, place: pairs.place };
    const prepared = await preparePatient(memory, patient, options, (line) => observer.note(line));
    for (const note of prepared.notes) observer.note(note);
    if (trains) sources.push(prepared);
    else patients.push(await validationPatient(patient, prepared));
  }
  return { sources, patients };
}
