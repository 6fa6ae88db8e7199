import { UserError } from "../core/errors";
import { applyAffine, describeGrid, sameGrid, voxelVolume } from "../data/affine";
import type { Mask } from "../data/volume";
import { cornersApart } from "../data/voxel_order";
import type { Connectivity } from "./components";
import { type Overlap, overlap, voxelScores } from "./dice";
import { type LesionRule, MSSEG2_RULE } from "./lesion_detection";
import { compareLesions, type LesionEvaluation } from "./lesions";
import { surfaceScores } from "./surface";

/** Metrics in the order in which the MSSEG-2 challenge reports them, with its names. */
export const METRICS = [
  "Jaccard",
  "Dice",
  "Sensitivity",
  "Specificity",
  "PPV",
  "NPV",
  "RelativeVolumeError",
  "HausdorffDistance",
  "ContourMeanDistance",
  "SurfaceDistance",
  "PPVL",
  "SensL",
  "F1_score",
  "NbTestedLesions",
  "VolTestedLesions",
] as const;

export type Metric = (typeof METRICS)[number];

/** Units of the metrics that are not shares from 0 to 1. */
export const UNITS: Readonly<Partial<Record<Metric, string>>> = {
  RelativeVolumeError: "%",
  HausdorffDistance: "mm",
  ContourMeanDistance: "mm",
  SurfaceDistance: "mm",
  NbTestedLesions: "lesions",
  VolTestedLesions: "mm³",
};

/** A metric is null where it is not defined, or not asked of this patient. */
export type Scores = Readonly<Record<Metric, number | null>>;

export interface Evaluation extends Overlap, LesionEvaluation {
  readonly scores: Scores;
  /** The reference has no voxel: the patient gets the last two metrics only. */
  readonly lesionFree: boolean;
  readonly voxelVolumeMm3: number;
}

export interface EvaluationSettings {
  readonly connectivity: Connectivity;
  readonly rule: LesionRule;
  /** {@link surfaceScores} */
  readonly animaCompat: boolean;
}

export const MSSEG2: EvaluationSettings = {
  connectivity: 6,
  rule: MSSEG2_RULE,
  animaCompat: false,
};

/** A mask and the name it has in messages, usually its path. */
export type NamedMask = Mask & { readonly name: string };

/**
 * Scores a predicted mask against the reference by all metrics of the MSSEG-2 challenge. Voxel and
 * surface metrics take all voxels, lesion metrics only lesions above 3 mm³. A patient whose
 * reference is empty has the number and volume (mm³) of predicted lesions alone.
 *
 * @throws UserError if the masks do not lie on one grid
 */
export function evaluateMasks(
  reference: NamedMask,
  prediction: NamedMask,
  settings: EvaluationSettings = MSSEG2,
): Evaluation {
  if (!sameGrid(reference, prediction)) {
    throw new UserError(
      `${prediction.name}: lies on another grid (${gridText(prediction)}) than ${reference.name} ` +
        `(${gridText(reference)})${cornersApart(prediction, reference)}; compare masks in one space, e.g. predict on the reference's images`,
    );
  }
  const counts = overlap(reference.data, prediction.data);
  const lesions = compareLesions(reference, prediction, settings.rule, settings.connectivity);
  const lesionFree = counts.truePositives + counts.falseNegatives === 0;
  return {
    ...counts,
    ...lesions,
    scores: lesionFree
      ? lesionFreeScores(lesions)
      : lesionPatientScores(reference, prediction, counts, lesions, settings),
    lesionFree,
    voxelVolumeMm3: voxelVolume(reference.affine),
  };
}

function lesionFreeScores({ predictedLesions }: LesionEvaluation): Scores {
  return {
    ...NO_SCORES,
    NbTestedLesions: predictedLesions.length,
    VolTestedLesions: predictedLesions.reduce((sum, { volumeMm3 }) => sum + volumeMm3, 0),
  };
}

const NO_SCORES = Object.fromEntries(METRICS.map((metric) => [metric, null])) as Scores;

function lesionPatientScores(
  reference: Mask,
  prediction: Mask,
  counts: Overlap,
  { sensL, ppvL, f1 }: LesionEvaluation,
  settings: EvaluationSettings,
): Scores {
  const voxels = voxelScores(counts);
  const surfaces = surfaceScores(reference, prediction, settings);
  return {
    Jaccard: voxels.jaccard,
    Dice: voxels.dice,
    Sensitivity: voxels.sensitivity,
    Specificity: voxels.specificity,
    PPV: voxels.ppv,
    NPV: voxels.npv,
    RelativeVolumeError: voxels.relativeVolumeErrorPercent,
    HausdorffDistance: surfaces.hausdorffMm,
    ContourMeanDistance: surfaces.contourMeanMm,
    SurfaceDistance: surfaces.surfaceMm,
    PPVL: ppvL,
    SensL: sensL,
    F1_score: f1,
    NbTestedLesions: null,
    VolTestedLesions: null,
  };
}

/** Grids that differ in place only would read the same without the position of the first voxel. */
function gridText(mask: Mask): string {
  const origin = applyAffine(mask.affine, [0, 0, 0]).map((mm) => mm.toFixed(1));
  return `${describeGrid(mask)} from ${origin.join(", ")} mm`;
}
