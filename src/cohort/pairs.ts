/** The pairs of a folder that are to be predicted: in the layout of MSSEG-2, as DICOM, or in BIDS. No image is opened. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { composed, imagesOf } from "../data/file_names";
import { dicomVisitsIn, visitName } from "../dicom/find_visits";
import { findBids } from "../import/bids_files";
import { byNumber, namesIn } from "../import/folder";
import { statusOf } from "../platform/real_path";

export interface CohortPair {
  /** Name of the pair, and of its result's folder. */
  readonly id: string;
  /** Paths of both FLAIR; "" for one that is missing. */
  readonly t1: string;
  readonly t2: string;
  /** Mask of the brain beside them. */
  readonly brainMask?: string;
  /** Where the pair cannot be predicted whatever is tried: why. */
  readonly problem?: string;
  /** Of BIDS. */
  readonly bids?: BidsPair;
}

/** E.g. "sub-01", and of its sessions "ses-01" and "ses-02". */
export interface BidsPair {
  readonly subject: string;
  readonly sessions: readonly [string, string];
}

export interface FoundCohort {
  /** Sorted by id. */
  readonly pairs: readonly CohortPair[];
  /** Lines about what was left aside. */
  readonly notes: readonly string[];
}

const VISITS = ["flair_time01_on_middle_space", "flair_time02_on_middle_space"] as const;
const LAYOUT =
  `expected DIR/<patient>/ with ${VISITS.join(" and ")} (.nii.gz or .nii), the layout of MSSEG-2, ` +
  "DIR/<patient>/<visit>/ with DICOM, or a data set in BIDS with FLAIR of two sessions or more";

/** @throws UserError where there is no pair */
export async function findPairs(dir: string): Promise<FoundCohort> {
  const isBids = existsSync(join(dir, "dataset_description.json"));
  const found = isBids ? await findBidsPairs(dir) : await findFolderPairs(dir);
  if (found.pairs.length > 0) return found;
  const why = found.notes.length > 0 ? ` (${found.notes.join("; ")})` : "";
  throw new UserError(`${dir}: no pair of visits found${why}; ${LAYOUT}`);
}

async function findFolderPairs(dir: string): Promise<FoundCohort> {
  const pairs: CohortPair[] = [];
  const [ignored, lost, notes]: [string[], string[], string[]] = [[], [], []];
  for (const name of (await namesIn(dir, LAYOUT)).sort(byNumber)) {
    const folder = join(dir, name);
    const status = statusOf(folder);
    if (!status) lost.push(name);
    if (name.startsWith(".") || !status?.isDirectory()) continue;
    const inside = await namesOrProblem(folder);
    if (typeof inside === "string") {
      pairs.push({ id: composed(name), t1: "", t2: "", problem: inside });
      continue;
    }
    const pair = pairIn(composed(name), folder, inside);
    const visits = pair ? [] : dicomVisitsIn(folder, inside).sort(byNumber);
    if (pair) pairs.push(pair);
    else if (visits.length > 1) pairs.push(...dicomPairs(composed(name), folder, visits));
    else if (visits.length === 1)
      notes.push(`${folder}: one visit with DICOM (${visits}); left out`);
    else ignored.push(name);
  }
  refuseTwins(dir, pairs);
  if (ignored.length > 0) notes.push(`${dir}: ignored ${ignored.join(", ")}: no FLAIR there`);
  if (lost.length > 0) {
    notes.push(`${dir}: ignored ${lost.join(", ")}: a link to nowhere, or no name in UTF-8`);
  }
  return { pairs, notes };
}

/** The names in a patient's folder, or why it cannot be read: the others do not suffer from that. */
async function namesOrProblem(folder: string): Promise<string[] | string> {
  try {
    return await namesIn(folder, LAYOUT);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** Each visit with the next one. A visit that comes later changes no pair's name. */
function dicomPairs(patient: string, folder: string, visits: readonly string[]): CohortPair[] {
  return visits.slice(1).map((later, i) => {
    const names = [visits[i]!, later] as const;
    const [t1, t2] = names.map((name) => join(folder, name)) as [string, string];
    return { id: [patient, ...names.map((name) => composed(visitName(name)))].join("_"), t1, t2 };
  });
}

/** Undefined where the folder holds no visit. */
function pairIn(id: string, folder: string, inside: readonly string[]): CohortPair | undefined {
  const found = [...VISITS, "brain_mask"].map((stem) => imagesOf(inside, stem));
  const [one, two, brain] = found.map(([first]) =>
    first === undefined ? "" : join(folder, first),
  );
  if (!one && !two) return undefined;
  const twice = found.find((names) => names.length > 1);
  const missing = VISITS.find((_, i) => found[i]!.length === 0);
  const problem = twice
    ? `${folder}: holds both ${twice.join(" and ")}; keep one of them`
    : missing && `${folder}: lacks ${missing} (.nii.gz or .nii); add it, or move the folder away`;
  return { id, t1: one!, t2: two!, brainMask: brain || undefined, problem };
}

function refuseTwins(dir: string, pairs: readonly CohortPair[]): void {
  const seen = new Set<string>();
  for (const { id } of pairs) {
    if (seen.has(id)) {
      throw new UserError(`${dir}: two pairs are called ${id}; rename a folder of one of them`);
    }
    seen.add(id);
  }
}

export interface BidsFilter {
  /** With or without "sub-". */
  readonly subjects?: readonly string[];
  /** With or without "ses-". */
  readonly sessions?: readonly string[];
}

/**
 * Each session with the next one that has a FLAIR.
 * @throws UserError for subjects and sessions that are not there
 */
export async function findBidsPairs(dir: string, filter: BidsFilter = {}): Promise<FoundCohort> {
  const labelled = (kind: string, labels?: readonly string[]) =>
    labels?.map((label) => (label.startsWith(`${kind}-`) ? label : `${kind}-${label}`));
  const [patients, wanted] = [labelled("sub", filter.subjects), labelled("ses", filter.sessions)];
  const found = await findBids(dir, { patients, derivatives: [] });
  const notes = [...found.notes, ...found.leftOut];
  const names = new Set(found.subjects.flatMap(({ visits }) => visits.map(({ name }) => name)));
  const unknown = wanted?.filter((name) => !names.has(name)) ?? [];
  if (unknown.length > 0) {
    throw new UserError(
      `--session-label: no FLAIR of ${unknown.join(", ")} in ${dir}; there are ${[...names].join(", ")}`,
    );
  }
  const pairs: CohortPair[] = [];
  for (const { id, visits: all } of found.subjects) {
    const visits = all.filter(({ name }) => wanted?.includes(name) ?? true);
    if (visits.length < 2) notes.push(`${id}: ${visits.length} session(s) with a FLAIR; left out`);
    for (const [i, { name: later, flair: t2 }] of visits.slice(1).entries()) {
      const { name: earlier, flair: t1 } = visits[i]!;
      const sessions = [earlier, later] as const;
      pairs.push({ id: [id, ...sessions].join("_"), t1, t2, bids: { subject: id, sessions } });
    }
  }
  return { pairs, notes };
}
