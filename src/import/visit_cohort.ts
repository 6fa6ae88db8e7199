/** A cohort of pairs of visits, from patients with any number of them. */
import { join } from "node:path";
import { Option, type OptionValues } from "commander";
import { UserError } from "../core/errors";
import { describeGrid, sameGrid } from "../data/affine";
import { withoutHotVoxels } from "../data/hot_voxels";
import type { FromFile } from "../data/nifti_decode";
import { readMask, readVolume } from "../data/nifti_read";
import { writeMask, writeVolume } from "../data/nifti_write";
import { PERSON_FILE } from "../data/person";
import type { Mask, Volume } from "../data/volume";
import { cornersApart } from "../data/voxel_order";
import type { Memory } from "../gpu/memory";
import { writeAtomically } from "../platform/atomic_file";
import { idsOption } from "../terminal/options";
import { type CohortSource, writeCohortReadme } from "./cohort_readme";
import { type DerivedTruth, deriveTruth, TRUTH_RULE } from "./derived_truth";
import { importInto, type Made } from "./imported_folder";
import { type ImportTools, importPatients, type Summary } from "./importer";
import { type MotionKind, type PlacedVisits, placeVisits } from "./place_visits";
import {
  PAIR_CHOICES,
  type PairChoice,
  pairsOf,
  type Subject,
  type VisitPair,
} from "./visit_pairs";

interface PairOptions {
  readonly pairs: PairChoice;
  readonly motion: MotionKind;
}

/** Options of every importer that calls {@link importVisits}. */
export const visitOptions = (motion: MotionKind, example: string): Option[] => [
  new Option("--pairs <which>", "which pairs of a patient's visits")
    .choices(PAIR_CHOICES)
    .default("consecutive" satisfies PairChoice),
  new Option("--motion <kind>", "how the alignment of a pair is refined")
    .choices(["rigid", "affine"] satisfies MotionKind[])
    .default(motion),
  new Option("--patients <ids>", `only these, e.g. ${example}`).argParser(idsOption),
];

/**
 * Makes a patient of a cohort of every pair of visits, and the cohort's README.
 * @param leftOut lines about what was left out already; each counts
 * @throws UserError when no pair can be made, or a file cannot be used or written
 */
export async function importVisits(
  source: CohortSource,
  found: { readonly subjects: readonly Subject[]; readonly leftOut: readonly string[] },
  out: string,
  options: OptionValues,
  { say, memory }: ImportTools,
): Promise<Summary> {
  const { pairs: choice, motion } = options as PairOptions;
  const { pairs, leftOut } = pairsOf(found.subjects, choice);
  const without = [...found.leftOut, ...leftOut];
  for (const line of without) say(line);
  if (pairs.length === 0) {
    const more = without.length > 3 ? `; and ${without.length - 3} more` : "";
    throw new UserError(
      `${source.dir}: no pair of visits can be made (${without.slice(0, 3).join("; ")}${more}); ` +
        "expected two visits of a patient, each with a FLAIR and a mask of its lesions",
    );
  }
  const { command, cite } = source;
  const settings = { source: command, motion, ...source.settings, truth: TRUTH_RULE, cite };
  const counts = await importPatients(pairs, out, say, (pair) =>
    importInto(out, pair.id, { settings, files: filesOf(pair) }, () =>
      makePair(pair, motion, memory),
    ),
  );
  if (counts.written + counts.alreadyThere === 0) {
    throw new UserError(
      `${source.dir}: none of ${pairs.length} pairs of visits could be put on one grid; ` +
        "the lines above say why; nothing was written",
    );
  }
  const note = writeCohortReadme(out, source);
  if (note) say(note);
  return { ...counts, leftOut: counts.leftOut + without.length };
}

async function makePair(
  pair: VisitPair,
  motion: MotionKind,
  memory: () => Promise<Memory>,
): Promise<Made> {
  const files = [await readVisit(pair, 0), await readVisit(pair, 1)] as const;
  const notes = files.flatMap((file) => file.notes);
  const placed = await placeVisits(memory, files[0].flair, files[1].flair, motion);
  notes.push(...placed.notes.map((note) => `${pair.id}: ${note}`));
  if (!("place" in placed)) return { notes };
  const truth = await truthOf(placed, files);
  notes.push(`${pair.id}: ${truthText(truth)}`);
  return { notes, write: (folder) => writePair(folder, pair, placed, truth) };
}

interface VisitImages {
  readonly flair: Volume;
  readonly lesions?: Mask;
  readonly newLesions?: Mask;
  readonly notes: readonly string[];
}

async function readVisit({ visits, newLesions }: VisitPair, visit: 0 | 1): Promise<VisitImages> {
  const { flair: path, lesions } = visits[visit];
  const read = await readVolume(path);
  const flair = withoutHotVoxels(read, path);
  const onGrid = (mask?: string) => (mask === undefined ? undefined : readMaskOf(mask, read, path));
  const masks = {
    lesions: await onGrid(lesions),
    newLesions: await onGrid(visit === 1 ? newLesions : undefined),
  };
  const of = [flair, masks.lesions, masks.newLesions];
  return { flair, ...masks, notes: of.flatMap((image) => image?.notes ?? []) };
}

/** @throws UserError when it lies on another grid than its image */
async function readMaskOf(
  path: string,
  image: Volume,
  imagePath: string,
): Promise<Mask & FromFile> {
  const mask = await readMask(path);
  if (sameGrid(mask, image)) return mask;
  throw new UserError(
    `${path}: lies on another grid (${describeGrid(mask)}) than its image ${imagePath} ` +
      `(${describeGrid(image)})${cornersApart(mask, image)}; take both from one copy of the data set, ` +
      "or leave the patient out with --patients",
  );
}

/** A published mask of the new lesions is the truth; grown lesions are then not told apart. */
type PairTruth = Pick<DerivedTruth, "appeared"> & Partial<DerivedTruth>;

async function truthOf(
  placed: PlacedVisits,
  [one, two]: readonly [VisitImages, VisitImages],
): Promise<PairTruth> {
  const derived =
    one.lesions && two.lesions
      ? deriveTruth(await placed.place(one.lesions, 0), await placed.place(two.lesions, 1))
      : undefined;
  if (!two.newLesions) return derived!;
  return { appeared: await placed.place(two.newLesions, 1), resolved: derived?.resolved };
}

function truthText({ counts }: PairTruth): string {
  if (!counts) return "the new lesions are those of the published mask";
  const { appeared, resolved, grownMm3, specks } = counts;
  const grown = `grown by ${(grownMm3 / 1000).toFixed(2)} mL`;
  return `lesions: ${appeared} new, ${resolved} resolved, ${grown}; ${specks} specks left aside`;
}

/** As import.json names them. */
const filesOf = ({ id, visits, newLesions }: VisitPair) => ({ id, visits, newLesions });

async function writePair(
  folder: string,
  { person }: VisitPair,
  placed: PlacedVisits,
  truth: PairTruth,
): Promise<void> {
  const path = (name: string) => join(folder, `${name}.nii.gz`);
  await writeVolume(path("flair_time01_on_middle_space"), placed.time1);
  await writeVolume(path("flair_time02_on_middle_space"), placed.time2);
  await writeMask(path("ground_truth"), truth.appeared);
  if (truth.grown) await writeMask(path("grown"), truth.grown);
  if (truth.resolved) await writeMask(path("resolved"), truth.resolved);
  writeAtomically(join(folder, PERSON_FILE), `${person}\n`);
  const record = { ...placed.record, lesions: truth.counts ?? "published" };
  writeAtomically(join(folder, "registration.json"), `${JSON.stringify(record, null, 2)}\n`);
}
