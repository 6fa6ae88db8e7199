/** The files of a BIDS data set that pairs of visits are made of. No image is opened. */
import { basename, join } from "node:path";
import { UserError } from "../core/errors";
import { niftiStem } from "../data/file_names";
import { readTextFile } from "../platform/json_file";
import { byNumber, checkWanted, contentsOf, namesIn } from "./folder";
import type { Subject, Visit } from "./visit_pairs";

export const BIDS_LAYOUT =
  "expected sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz, and below derivatives/NAME/ " +
  "sub-01/ses-01/anat/…_label-lesion_mask.nii.gz or …_desc-new_mask.nii.gz";

/** What a file's name says. */
interface BidsName {
  /** E.g. space → "orig". */
  readonly entities: ReadonlyMap<string, string>;
  readonly suffix: string;
}

interface BidsFile extends BidsName {
  readonly path: string;
}

export interface FoundSubjects {
  readonly subjects: readonly Subject[];
  /** Lines about sessions that cannot be used. */
  readonly leftOut: readonly string[];
  /** Lines about all else. */
  readonly notes: readonly string[];
}

export interface BidsChoices {
  /** Ids of subjects; all by default. */
  readonly patients?: readonly string[];
  /** Folders below derivatives/; all by default. */
  readonly derivatives?: readonly string[];
}

/** @throws UserError when there is no subject, or a mask is ambiguous or in another space */
export async function findBids(dir: string, choices: BidsChoices): Promise<FoundSubjects> {
  const top = await namesIn(dir, BIDS_LAYOUT);
  const ids = top.filter((name) => /^sub-[^_]+$/.test(name)).sort(byNumber);
  if (ids.length === 0) {
    throw new UserError(`${dir}: no folder sub-… (${contentsOf(top)}); ${BIDS_LAYOUT}`);
  }
  checkWanted(dir, ids, choices.patients);
  const derivatives = await derivativesOf(dir, choices.derivatives);
  const [subjects, leftOut, notes]: [Subject[], string[], string[]] = [[], [], []];
  for (const id of choices.patients ?? ids) {
    const names = await namesIn(join(dir, id), BIDS_LAYOUT, true);
    const sessions = names.filter((name) => /^ses-[^_]+$/.test(name)).sort(byNumber);
    const visits: Visit[] = [];
    for (const session of sessions) {
      const visit = await findVisit(dir, id, session, derivatives);
      if (typeof visit === "string") leftOut.push(`${id} ${session}: ${visit}; left out`);
      else visits.push(visit);
    }
    const times = names.includes(`${id}_sessions.tsv`)
      ? acquisitionTimes(join(dir, id, `${id}_sessions.tsv`))
      : undefined;
    subjects.push({ id, visits: inTime(visits, times, (note) => notes.push(`${id}: ${note}`)) });
  }
  return { subjects, leftOut, notes };
}

/** Paths of the folders below derivatives/. */
async function derivativesOf(dir: string, only?: readonly string[]): Promise<string[]> {
  const root = join(dir, "derivatives");
  const names = (await namesIn(root, BIDS_LAYOUT, true)).sort();
  const unknown = only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) {
    throw new UserError(
      `--derivatives: no ${unknown.join(", ")} in ${root} (${contentsOf(names)}); name folders of it`,
    );
  }
  return (only ?? names).map((name) => join(root, name));
}

/** The visit, or why there is none. */
async function findVisit(
  dir: string,
  id: string,
  session: string,
  derivatives: readonly string[],
): Promise<Visit | string> {
  const images = (await filesIn(join(dir, id, session, "anat"))).filter(isSuffix("FLAIR"));
  const [flair] = images;
  if (!flair) return "no FLAIR";
  if (images.length > 1) {
    const names = images.map(({ path }) => basename(path));
    return `several FLAIR (${names.join(", ")}), and nothing says which to take`;
  }
  const below = derivatives.map((each) => filesIn(join(each, id, session, "anat")));
  const masks = (await Promise.all(below)).flat().filter(isSuffix("mask"));
  const isNew = ({ entities }: BidsFile) => entities.get("desc")?.startsWith("new") === true;
  const isLesion = ({ entities }: BidsFile) => entities.get("label")?.startsWith("lesion") === true;
  return {
    name: session,
    flair: flair.path,
    lesions: maskOf(
      flair,
      masks.filter((file) => isLesion(file) && !isNew(file)),
    ),
    newLesions: maskOf(flair, masks.filter(isNew)),
  };
}

const isSuffix =
  (suffix: string) =>
  (file: BidsFile): boolean =>
    file.suffix === suffix;

async function filesIn(folder: string): Promise<BidsFile[]> {
  const names = (await namesIn(folder, BIDS_LAYOUT, true)).sort();
  return names.flatMap((name) => {
    const parsed = parseName(name);
    return parsed ? [{ ...parsed, path: join(folder, name) }] : [];
  });
}

function parseName(name: string): BidsName | undefined {
  const parts = niftiStem(name)?.split("_");
  const suffix = parts?.pop();
  if (!parts || suffix === undefined) return undefined;
  const pairs = parts.map(
    (part) => [part.replace(/-.*/, ""), part.replace(/^[^-]*-?/, "")] as const,
  );
  return { entities: new Map(pairs), suffix };
}

/** "orig" is an image's own space, as no entity is. */
const spaceOf = ({ entities }: BidsFile): string => entities.get("space") ?? "orig";

/** The mask that lies in the space of an image. */
function maskOf(image: BidsFile, masks: readonly BidsFile[]): string | undefined {
  const space = spaceOf(image);
  const fitting = masks.filter((mask) => spaceOf(mask) === space);
  if (fitting.length > 1) {
    throw new UserError(
      `several masks of one kind: ${fitting.map(({ path }) => path).join(", ")}; ` +
        "choose a folder below derivatives with --derivatives, or keep one of them",
    );
  }
  const other = masks[0];
  if (fitting.length === 0 && other) {
    throw new UserError(
      `${other.path}: lies in space ${spaceOf(other)}, its image ${image.path} in space ${space}; ` +
        "expected a mask in the space of the image: bring it there, or choose another with --derivatives",
    );
  }
  return fitting[0]?.path;
}

/** Acquisition time (ms) by session; undefined where the table has no such column. */
function acquisitionTimes(path: string): ReadonlyMap<string, number> | undefined {
  const rows = readTextFile(path)
    .split(/\r?\n/)
    .map((line) => line.split("\t").map((cell) => cell.trim()));
  const [session, time] = ["session_id", "acq_time"].map((name) => rows[0]!.indexOf(name));
  if (session! < 0 || time! < 0) return undefined;
  return new Map(rows.slice(1).map((row) => [row[session!] ?? "", Date.parse(row[time!] ?? "")]));
}

/** By time of acquisition where all have one, else as they are: by name. */
function inTime(
  visits: readonly Visit[],
  times: ReadonlyMap<string, number> | undefined,
  note: (line: string) => void,
): readonly Visit[] {
  if (!times) return visits;
  const timeOf = ({ name }: Visit) => times.get(name) ?? Number.NaN;
  const without = visits.filter((visit) => Number.isNaN(timeOf(visit))).map(({ name }) => name);
  if (without.length > 0) {
    note(`sessions.tsv has no acq_time of ${without.join(", ")}; its sessions are sorted by name`);
    return visits;
  }
  return visits.toSorted((a, b) => timeOf(a) - timeOf(b));
}
