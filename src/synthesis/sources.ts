/** The sources of synthetic pairs: pairs in the MSSEG-2 layout, and single scans with lesion masks. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../core/errors";
import type { Patient } from "../data/cohort";
import { composed, idsNamed, imagesOf, niftiStem } from "../data/file_names";
import { withoutHotVoxels } from "../data/hot_voxels";
import { digests, readMask, readVolume } from "../data/nifti_read";
import { maskOnGrid } from "../data/pair";
import { byHeaders, type PlacePatient } from "../data/patient";
import { readPerson } from "../data/person";
import type { Grid, Mask, Volume } from "../data/volume";
import { inOrder } from "../data/voxel_order";
import { workingOrder } from "../data/working_grid";
import { type LesionShape, lesionShapes, type Point, worldBox } from "./shape";
import { type Tissue, tissueOf } from "./tissue";

/** A single scan and all its lesions. */
export interface SingleScan {
  readonly id: string;
  readonly flair: string;
  readonly lesions: string;
  readonly brainMask?: string;
}

export type Source =
  | ({ readonly kind: "pair" } & Patient)
  | ({ readonly kind: "single" } & SingleScan);

const FILES = {
  time1: "flair_time01_on_middle_space",
  time2: "flair_time02_on_middle_space",
  truth: "ground_truth",
  resolved: "resolved",
  brainMask: "brain_mask",
  flair: "flair",
  lesions: "lesions",
} as const;

/**
 * The patients of a folder, sorted by id: each a pair (both visits and ground_truth) or a single scan
 * (flair and lesions), brain_mask optional.
 * @param ids of those that are wanted; all if absent
 * @throws UserError when there is none, or one of the ids is not there
 */
export function findSources(root: string, ids?: readonly string[]): Source[] {
  if (!existsSync(root) || !statSync(root).isDirectory()) {
    throw new UserError(`${root}: no such folder; give one with a folder per patient`);
  }
  const sources = readdirSync(root)
    .sort()
    .flatMap((name) => sourceIn(join(root, name), composed(name)) ?? []);
  const there = sources.map(({ id }) => id);
  const { found, unknown } = idsNamed(ids ?? [], there);
  if (unknown.length > 0) {
    throw new UserError(
      `--patients: no patient ${unknown.join(", ")} in ${root}; there are ${there.join(", ")}`,
    );
  }
  const wanted = sources.filter(({ id }) => ids === undefined || found.includes(id));
  if (wanted.length > 0) return wanted;
  throw new UserError(
    `${root}: no patient found; expected <patient>/ with both visits and ground_truth (the layout ` +
      "of MSSEG-2), or with flair.nii.gz and lesions.nii.gz",
  );
}

function sourceIn(folder: string, id: string): Source | undefined {
  if (id.startsWith(".") || !statSync(folder).isDirectory()) return undefined;
  const inside = readdirSync(folder);
  const paths: { -readonly [K in keyof typeof FILES]?: string } = {};
  for (const [key, stem] of Object.entries(FILES)) {
    const [name] = imagesOf(inside, stem);
    if (name) paths[key as keyof typeof FILES] = join(folder, name);
  }
  const { time1, time2, truth, resolved, flair, lesions, brainMask } = paths;
  if (time1 && time2 && truth) {
    const person = readPerson(folder, inside);
    return { kind: "pair", id, person, time1, time2, truth, resolved, brainMask };
  }
  if (flair && lesions) return { kind: "single", id, flair, lesions, brainMask };
  return undefined;
}

/** Its files, in one order; undefined for those that it may have and has not. */
export function filesOf(source: Source): readonly (string | undefined)[] {
  return source.kind === "pair"
    ? [source.time1, source.time2, source.truth, source.resolved, source.brainMask]
    : [source.flair, source.lesions, source.brainMask];
}

/** Lesion masks without images: `*.nii.gz` in a folder. */
export function findMasks(folder: string): string[] {
  if (!existsSync(folder)) throw new UserError(`${folder}: no such folder of lesion masks`);
  const found = readdirSync(folder).filter((name) => niftiStem(name));
  if (found.length === 0) throw new UserError(`${folder}: holds no .nii or .nii.gz lesion mask`);
  return found.sort().map((name) => join(folder, name));
}

/** A source read and looked through. */
export interface Recipient {
  readonly source: Source;
  /** Visits of a pair, or the one scan. */
  readonly images: readonly Volume[];
  readonly tissues: readonly Tissue[];
  /** Of a pair those that are new, of a single scan all. */
  readonly lesions: Mask;
  /** As given. */
  readonly brainMask?: Mask;
  /** Of a pair, where it has one. */
  readonly resolved?: Mask;
  /** Lesions whose look can be taken over. */
  readonly shapes: readonly LesionShape[];
}

/** @param place puts the visits of a pair on one grid */
export async function readRecipient(
  source: Source,
  place: PlacePatient = byHeaders,
): Promise<Recipient> {
  return source.kind === "pair" ? readPair(source, place) : readSingle(source);
}

async function readPair(
  source: Source & { kind: "pair" },
  place: PlacePatient,
): Promise<Recipient> {
  const placement = await place(source, digests());
  const patient = await placement.load({ brain: true, resolved: true });
  const ordered = inWorkingOrder(patient.time1);
  const [time1, time2] = [ordered(patient.time1), ordered(patient.time2)];
  const truth = ordered(patient.truth);
  const brainMask = patient.brainMask && ordered(patient.brainMask);
  const images = [time1, time2];
  const tissues = images.map((image, i) =>
    tissueOf([source.time1, source.time2][i]!, image, brainMask, truth),
  );
  const box = worldBox({ ...time1, data: tissues[1]!.brain });
  const shapes = lesionShapes(source.id, truth, box, { volume: time2, tissue: tissues[1]! });
  const resolved = patient.resolved && ordered(patient.resolved);
  return { source, images, tissues, lesions: truth, brainMask, resolved, shapes };
}

async function readSingle(source: Source & { kind: "single" }): Promise<Recipient> {
  const [read, mask, brain] = await Promise.all([
    readVolume(source.flair),
    readMask(source.lesions),
    source.brainMask === undefined ? undefined : readMask(source.brainMask),
  ]);
  const stored = withoutHotVoxels(read, source.flair);
  const ordered = inWorkingOrder(stored);
  const image = ordered(stored);
  const onGrid = (path: string, given: NonNullable<typeof brain>) =>
    ordered(maskOnGrid(path, given, source.flair, stored, []));
  const lesions = onGrid(source.lesions, mask);
  const brainMask = brain && onGrid(source.brainMask!, brain);
  const tissue = tissueOf(source.flair, image, brainMask, lesions);
  const box = worldBox({ ...image, data: tissue.brain });
  const shapes = lesionShapes(source.id, lesions, box, { volume: image, tissue });
  return { source, images: [image], tissues: [tissue], lesions, brainMask, shapes };
}

/**
 * Brings a scan and all that lies on its grid into the order of the working grid: what is drawn at
 * random goes through the voxels in one order, however the files store them.
 */
function inWorkingOrder({ affine }: Grid) {
  const order = workingOrder(affine);
  return <I extends Volume | Mask>(image: I): I => inOrder(image, order);
}

/** The brain of the MNI152 template, mm of its world. */
const MNI_BRAIN: readonly [Point, Point] = [
  [-72, -106, -70],
  [72, 73, 82],
];

/** Shapes of masks without an image, in MNI space. */
export async function shapesOfMasks(paths: readonly string[]): Promise<LesionShape[]> {
  const masks = await Promise.all(paths.map((path) => readMask(path)));
  return masks.flatMap((stored, i) => {
    const mask = inWorkingOrder(stored)(stored);
    return lesionShapes(`mask:${niftiStem(basename(paths[i]!))}`, mask, MNI_BRAIN);
  });
}
