/** The scans that pairs are made of: found in folders, read, and brought to voxels of 1 mm. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { UserError } from "../core/errors";
import { sameGrid } from "../data/affine";
import { composed, idsNamed, imagesOf, niftiStem } from "../data/file_names";
import { withoutHotVoxels } from "../data/hot_voxels";
import { readMask, readVolume } from "../data/nifti_read";
import { maskOnGrid } from "../data/pair";
import { readPerson } from "../data/person";
import { DEFAULT_PHANTOM } from "../data/phantom/cohort";
import { makePatient } from "../data/phantom/patient";
import { resampleMaskTo, resampleTo } from "../data/resample";
import { type Grid, type Mask, type Volume, voxelSize } from "../data/volume";
import { inOrder, reorderedTo } from "../data/voxel_order";
import { targetGrid, workingOrder } from "../data/working_grid";
import { type Background, makeBackground, type OwnSlices } from "./background";
import { type LesionShape, lesionShapes } from "./mask_shapes";

/** One scan of a patient. */
export interface Source {
  readonly patient: string;
  /** Where a file beside the scan names the person (src/data/person.ts). */
  readonly person?: string;
  /** Of the scan, its own among all sources of a folder. */
  readonly name: string;
  readonly image: string;
  /** Lesions of the scan that are known. */
  readonly lesions?: string;
  readonly brainMask?: string;
  /** Its masks may be drawn on the other visit of a pair, which may lie elsewhere. */
  readonly ofPair?: boolean;
}

const PAIR = { first: "flair_time01_on_middle_space", second: "flair_time02_on_middle_space" };

/**
 * The scans in folders, sorted in each. A patient is a folder with a pair in the layout of MSSEG-2 (both visits
 * are scans; `ground_truth` and `resolved` are lesions of theirs), with `flair` and `lesions`, or with
 * any images named FLAIR. Such images may lie in the folder itself too: then their names up to the first
 * underscore say whose they are.
 * @param ids of the patients that are wanted; all if absent
 * @throws UserError when a folder has none, or one of the ids is not there
 */
export function findSources(roots: readonly string[], ids?: readonly string[]): Source[] {
  const sources = roots.flatMap(sourcesUnder);
  const patients = [...new Set(sources.map(({ patient }) => patient))];
  const { found, unknown } = idsNamed(ids ?? [], patients);
  if (unknown.length > 0) {
    throw new UserError(
      `--patients: no patient ${unknown.join(", ")} in ${roots.join(", ")}; there are ` +
        patients.join(", "),
    );
  }
  return sources.filter(({ patient }) => ids === undefined || found.includes(patient));
}

function sourcesUnder(root: string): Source[] {
  if (!existsSync(root) || !statSync(root).isDirectory()) {
    throw new UserError(
      `${root}: no such folder; give one with scans, or a folder of them per patient`,
    );
  }
  const names = readdirSync(root).sort();
  const folders = names.filter((name) => !name.startsWith(".") && isFolder(join(root, name)));
  const sources = [
    ...folders.flatMap((name) => sourcesIn(join(root, name), composed(name))),
    ...flairs(names.filter((name) => !folders.includes(name))).map((name) => {
      const stem = niftiStem(name)!;
      return { patient: stem.split("_")[0]!, name: stem, image: join(root, name) };
    }),
  ];
  if (sources.length > 0) return sources;
  throw new UserError(
    `${root}: no scan found; expected <patient>/ with both visits and ground_truth (the layout of ` +
      "MSSEG-2), with flair.nii.gz and lesions.nii.gz, or images with FLAIR in their names",
  );
}

const isFolder = (path: string) =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/** The names of FLAIR images. */
function flairs(names: readonly string[]): string[] {
  return names.filter((name) => /flair/i.test(niftiStem(name) ?? ""));
}

function sourcesIn(folder: string, patient: string): Source[] {
  const inside = readdirSync(folder).sort();
  const path = (stem: string) => {
    const [name] = imagesOf(inside, stem);
    return name === undefined ? undefined : join(folder, name);
  };
  const of = { patient, person: readPerson(folder, inside), brainMask: path("brain_mask") };
  const [first, second] = [path(PAIR.first), path(PAIR.second)];
  if (first && second) {
    return [
      { ...of, ofPair: true, name: `${patient}/1`, image: first, lesions: path("resolved") },
      { ...of, ofPair: true, name: `${patient}/2`, image: second, lesions: path("ground_truth") },
    ];
  }
  const [flair, lesions] = [path("flair"), path("lesions")];
  if (flair) return [{ ...of, name: patient, image: flair, lesions }];
  return flairs(inside).map((name) => ({
    ...of,
    name: `${patient}/${niftiStem(name)}`,
    image: join(folder, name),
  }));
}

/** Its files, in one order; undefined for those that it may have and has not. */
export function filesOf(source: Source): readonly (string | undefined)[] {
  return [source.image, source.lesions, source.brainMask];
}

/** From this on slices are thick, mm. */
const THICK = 1.8;

/** Reads a scan and looks through it. @throws UserError when it cannot be used */
export async function readBackground(source: Source): Promise<Background> {
  const { patient } = source;
  const [read, lesions, brainMask] = await Promise.all([
    readVolume(source.image),
    source.lesions === undefined ? undefined : readMask(source.lesions),
    source.brainMask === undefined ? undefined : readMask(source.brainMask),
  ]);
  const stored = withoutHotVoxels(read, source.image);
  const order = workingOrder(stored.affine);
  const grid = targetGrid(stored, 1);
  const image = resampleTo(inOrder(stored as Volume, order), grid);
  const masked = (path: string | undefined, mask: typeof lesions): Mask | undefined => {
    if (path === undefined || !mask) return undefined;
    if (source.ofPair && !isOnGrid(mask, stored)) return undefined;
    return resampleMaskTo(inOrder(maskOnGrid(path, mask, source.image, stored, []), order), grid);
  };
  return makeBackground({
    patient,
    name: source.image,
    image,
    lesions: masked(source.lesions, lesions),
    brainMask: masked(source.brainMask, brainMask),
    slices: thickSlices(inOrder(stored as Volume, order)),
  });
}

/** Whether the two differ in the order of their voxels at most. */
const isOnGrid = (mask: Mask, grid: Grid): boolean =>
  sameGrid(mask, grid) || reorderedTo(mask, grid) !== undefined;

function thickSlices({ affine }: Grid): OwnSlices | undefined {
  const edges = voxelSize(affine);
  const mm = Math.max(...edges);
  return mm > THICK ? { axis: edges.indexOf(mm) as 0 | 1 | 2, mm } : undefined;
}

/** A head of adult size, half as large again as the phantom cohort's. */
const ADULT = DEFAULT_PHANTOM.fieldOfView.map((mm) => 1.5 * mm) as unknown as [
  number,
  number,
  number,
];

/** The first visit of a made-up patient. */
export function phantomBackground(seed: number, index: number): Background {
  const patient = `phantom${index + 1}`;
  const settings = { ...DEFAULT_PHANTOM, seed, fieldOfView: ADULT };
  return makeBackground({ patient, name: patient, image: makePatient(settings, index).visits[0] });
}

/** Lesion masks without images: `*.nii.gz` in a folder. */
export function findMasks(folder: string): string[] {
  if (!existsSync(folder)) throw new UserError(`${folder}: no such folder of lesion masks`);
  const found = readdirSync(folder).filter((name) => niftiStem(name));
  if (found.length === 0) throw new UserError(`${folder}: holds no .nii or .nii.gz lesion mask`);
  return found.sort().map((name) => join(folder, name));
}

/** Shapes of the lesions of masks, brought to voxels of 1 mm. */
export async function shapesOfMasks(paths: readonly string[]): Promise<LesionShape[]> {
  const shapes: LesionShape[] = [];
  for (const path of paths) {
    const stored = await readMask(path);
    const grid = targetGrid(stored, 1);
    const mask = resampleMaskTo(inOrder(stored as Mask, workingOrder(stored.affine)), grid);
    shapes.push(...lesionShapes(niftiStem(basename(path))!, mask));
  }
  return shapes;
}
