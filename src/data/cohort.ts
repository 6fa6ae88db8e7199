import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { Philox } from "../core/random";
import { composed, idsNamed, imagesOf } from "./file_names";
import { personOf, personsNote, readPerson } from "./person";
import { readPairOf } from "./result_files";

/** The files of one patient; the id is the name of the folder, composed (file_names.ts). */
export interface Patient {
  readonly id: string;
  /** As its folder says (person.ts); absent: by the id. */
  readonly person?: string;
  readonly time1: string;
  readonly time2: string;
  /** Mask of the lesions that are new at visit 2. */
  readonly truth: string;
  readonly brainMask?: string;
  /** Mask of the lesions that are gone at visit 2: the truth of the time-swapped pair. */
  readonly resolved?: string;
}

export interface Cohort {
  readonly root: string;
  /** Sorted by id. */
  readonly patients: readonly Patient[];
  /** What in the folder was left aside, and why. */
  readonly notes: readonly string[];
}

const REQUIRED = {
  time1: "flair_time01_on_middle_space",
  time2: "flair_time02_on_middle_space",
  truth: "ground_truth",
} as const;
const OPTIONAL = { brainMask: "brain_mask", resolved: "resolved" } as const;
const LAYOUT =
  `expected DATA/<patient>/ with ${Object.values(REQUIRED).join(", ")} (.nii.gz or .nii), ` +
  "the layout of MSSEG-2";

/**
 * Finds the patients in a folder of the MSSEG-2 layout: a folder each, with both visits and the
 * ground truth; `brain_mask` and `resolved` are optional. A result that a reader has finished
 * (result_files.ts) is a patient too: its corrected mask is the truth. Opens no image.
 *
 * @throws UserError when the folder is missing or holds no patient, or when a patient lacks a file
 */
export async function openCohort(root: string): Promise<Cohort> {
  const patients: Patient[] = [];
  const incomplete: string[] = [];
  const ignored: string[] = [];
  let lookedInside = false;
  const names = await folderNames(root);
  for (const name of names) {
    const folder = join(root, name);
    const inside = name.startsWith(".") ? "hidden" : await filesIn(folder);
    if (typeof inside === "string") {
      ignored.push(`${name} (${inside})`);
      continue;
    }
    const read = readPairOf(folder, inside);
    if (typeof read === "string") {
      ignored.push(`${name} (${read})`);
      continue;
    }
    if (read) {
      patients.push({ id: composed(name), person: readPerson(folder, inside), ...read });
      continue;
    }
    const { patient, missing } = findPatient(composed(name), folder, inside);
    if (missing.length === Object.keys(REQUIRED).length) {
      ignored.push(`${name} (${contents(inside)})`);
      lookedInside = true;
    } else if (missing.length > 0) incomplete.push(`${name} lacks ${missing.join(" and ")}`);
    else patients.push(patient);
  }
  refuseTwins(root, patients);
  if (incomplete.length > 0) {
    throw new UserError(
      `${root}: incomplete: ${incomplete.join("; ")}; ${LAYOUT}; add the files or move the folders away`,
    );
  }
  if (patients.length === 0) throw new UserError(await nothingFound(root, names));
  const notes = [
    ignored.length > 0 ? ignoredNote(root, ignored, lookedInside) : undefined,
    personsNote(root, patients),
  ];
  return { root, patients, notes: notes.filter((note) => note !== undefined) };
}

function ignoredNote(root: string, ignored: readonly string[], lookedInside: boolean): string {
  const looked = lookedInside
    ? `; looked for ${Object.values(REQUIRED).join(", ")}, each .nii.gz or .nii`
    : "";
  return `${root}: ignored ${ignored.join(", ")}${looked}`;
}

/** Two folders whose names look the same are stored in two forms of Unicode. */
function refuseTwins(root: string, patients: readonly Patient[]): void {
  const ids = patients.map(({ id }) => id);
  const twin = ids.find((id, i) => ids.indexOf(id) < i);
  if (twin === undefined) return;
  throw new UserError(
    `${root}: two folders are called ${twin}, their letters stored in two ways; rename one of them`,
  );
}

/** What a folder holds, in a few words. */
function contents(names: readonly string[]): string {
  if (names.length === 0) return "it is empty";
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return `it holds ${names.toSorted().slice(0, 5).join(", ")}${more}`;
}

async function folderNames(root: string): Promise<string[]> {
  try {
    return (await readdir(root)).sort();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem =
      code === "ENOENT" ? "no such folder" : code === "ENOTDIR" ? "is not a folder" : message;
    throw new UserError(`${root}: ${problem}; ${LAYOUT}`);
  }
}

/** The names in a folder, or why it is no patient's folder. */
async function filesIn(path: string): Promise<readonly string[] | "a file" | "a broken link"> {
  const status = await stat(path).catch(() => undefined);
  if (!status) return "a broken link";
  if (!status.isDirectory()) return "a file";
  return readdir(path).catch((error: Error) => {
    throw new UserError(`${path}: cannot be listed (${error.message}); check its permissions`);
  });
}

function findPatient(id: string, folder: string, inside: readonly string[]) {
  const find = (stem: string) => {
    const found = imagesOf(inside, stem);
    if (found.length > 1) {
      throw new UserError(`${folder}: holds both ${found.join(" and ")}; keep one of them`);
    }
    return found[0] === undefined ? undefined : join(folder, found[0]);
  };
  const paths = Object.entries({ ...REQUIRED, ...OPTIONAL }).map(([key, stem]) => [
    key,
    find(stem),
  ]);
  const present = Object.fromEntries(paths.filter(([, path]) => path !== undefined));
  const missing = Object.entries(REQUIRED).flatMap(([key, stem]) => (key in present ? [] : [stem]));
  const person = readPerson(folder, inside);
  const named = person === undefined ? { id } : { id, person };
  return { patient: { ...named, ...present } as Patient, missing };
}

async function nothingFound(root: string, names: readonly string[]): Promise<string> {
  const isPatient = names.some((name) => name.startsWith(REQUIRED.time1));
  let hint = "";
  if (isPatient) hint = "; this is one patient's folder: give the folder above it";
  for (const name of names) {
    const inside = hint || name.startsWith(".") ? [] : await filesIn(join(root, name));
    if (typeof inside === "string") continue;
    for (const inner of inside) {
      const files = await filesIn(join(root, name, inner));
      if (typeof files !== "string" && files.some((file) => file.startsWith(REQUIRED.time1))) {
        hint = `; there are patients in ${join(root, name)}: give that folder`;
      }
    }
  }
  return `${root}: no patient found (${contents(names)}); ${LAYOUT}${hint}`;
}

export interface SplitOptions {
  /** Patients that validate, by id, or persons with all of their pairs; ids with commas in parts. */
  readonly val?: readonly string[];
  /** Or: the number of folds (default 4: the paper's 30 to 10), and which one validates. */
  readonly folds?: number;
  readonly fold?: number;
  /** Decides who is in which fold; the same for any order of the patients. */
  readonly seed: number;
}

export interface Split {
  readonly train: readonly Patient[];
  readonly val: readonly Patient[];
}

/**
 * Splits persons, never their pairs or patches: each is in exactly one arm, and neither arm is empty.
 *
 * @throws UserError for ids that are not there or divide a person, folds out of range, or an arm
 *   without a patient
 */
export function splitCohort(patients: readonly Patient[], options: SplitOptions): Split {
  if (patients.length < 2) {
    throw new UserError(
      `cannot split ${patients.length} patient(s): training and validation need one each; add patients`,
    );
  }
  const persons = Map.groupBy(patients, personOf);
  if (persons.size < 2) {
    throw new UserError(
      `cannot split ${patients.length} pairs of one person (${[...persons.keys()]}): training and ` +
        "validation need a person each; add patients",
    );
  }
  const isVal = options.val ? chosen(patients, options) : inFold(persons, options);
  const split = {
    train: patients.filter(({ id }) => !isVal.has(id)),
    val: patients.filter(({ id }) => isVal.has(id)),
  };
  const empty =
    split.train.length === 0 ? "train" : split.val.length === 0 ? "validate" : undefined;
  if (empty)
    throw new UserError(`--val leaves no patient to ${empty}; there are ${idList(patients)}`);
  return split;
}

function chosen(
  patients: readonly Patient[],
  { val = [], folds, fold }: SplitOptions,
): Set<string> {
  if (folds !== undefined || fold !== undefined) {
    throw new UserError("--val excludes --folds and --fold: give the ids or the folds, not both");
  }
  const persons = Map.groupBy(patients, personOf);
  const ids = new Set(patients.map(({ id }) => id));
  const { found, unknown } = idsNamed(val, [...ids, ...persons.keys()]);
  if (unknown.length > 0) {
    throw new UserError(`--val: no patient ${unknown.join(", ")}; there are ${idList(patients)}`);
  }
  const pairsOf = (name: string) => (persons.get(name) ?? []).map(({ id }) => id);
  const named = found.flatMap((name) => [...pairsOf(name), ...(ids.has(name) ? [name] : [])]);
  const isVal = new Set(named);
  refuseDivided(persons, isVal);
  return isVal;
}

type Persons = ReadonlyMap<string, readonly Patient[]>;

/** @throws UserError where a person would train and validate */
function refuseDivided(persons: Persons, isVal: ReadonlySet<string>): void {
  for (const [person, pairs] of persons) {
    const [val, train] = [true, false].map((side) =>
      pairs.filter(({ id }) => isVal.has(id) === side),
    );
    if (val!.length === 0 || train!.length === 0) continue;
    throw new UserError(
      `--val ${idList(val!)}: of person ${person}, as is ${idList(train!)}, which would train; name all of ` +
        `them, or the person (--val ${person})`,
    );
  }
}

function inFold(persons: Persons, { folds, fold = 0, seed }: SplitOptions): Set<string> {
  const names = [...persons.keys()].sort();
  const count = folds ?? Math.min(4, names.length);
  if (!Number.isInteger(count) || count < 2 || count > names.length) {
    throw new UserError(
      `--folds ${count}: expected a whole number from 2 to ${names.length}, the number of patients`,
    );
  }
  if (!Number.isInteger(fold) || fold < 0 || fold >= count) {
    throw new UserError(`--fold ${fold}: expected a whole number from 0 to ${count - 1}`);
  }
  const random = new Philox(seed);
  for (let i = names.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [names[i], names[j]] = [names[j]!, names[i]!];
  }
  const chosen = names.filter((_, index) => index % count === fold);
  return new Set(chosen.flatMap((name) => persons.get(name)!.map(({ id }) => id)));
}

const idList = (patients: readonly Patient[]) => patients.map(({ id }) => id).join(", ");
