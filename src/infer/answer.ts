/** The answer for a pair of visits in memory: probability map, lesions, decision. A page may import it. */

import type { ImagePair } from "../data/preprocess";
import type { Mask, Volume } from "../data/volume";
import { type Calibration, sharedCalibration } from "../decision/calibration";
import { type Decision, sharedDecision } from "../decision/choose_thresholds";
import { type Findings, findingsOf } from "../decision/findings";
import type { LesionRule } from "../decision/found_lesions";
import { calibrator } from "../decision/map_calibration";
import type { OperatingPointName } from "../decision/operating_points";
import type { Memory } from "../gpu/memory";
import { unetParameters } from "../nn/parameters";
import { flatParameters } from "../nn/weights";
import { type EnsembleOptions, predictPair } from "./ensemble";
import { type LoadedWeights, unetNetwork } from "./model";

export interface PairAnswer {
  /**
   * Probability of new lesion, on the grid of the first visit or where `place` puts it; calibrated, where
   * the models say how.
   */
  readonly map: Volume;
  /** That all models share. */
  readonly calibration?: Calibration;
  /** Thresholds, as they were tuned on the validation patients of all models. */
  readonly decision: Decision;
  /** The mask, its lesions, and whether there is any new one. */
  readonly findings: Findings;
}

export interface AnswerOptions extends EnsembleOptions {
  /** Thresholds in place of the tuned ones. */
  readonly rule?: Partial<LesionRule>;
  /** Where lesions may lie, such as where the brain is brighter at visit 2, on the grid of the map that is judged. */
  readonly allowed?: Mask;
  /** A rule of the calibration, default "default": the tuned one. */
  readonly operatingPoint?: OperatingPointName;
  /** Puts the map on another grid before lesions are looked for, such as that of a visit. */
  readonly place?: (map: Volume) => Promise<Volume>;
}

/**
 * Predicts with the mean of the models' probabilities, and decides.
 * @param models contents of weights files
 * @param pair both visits on the grid of the first; with a brain mask where a model needs one
 * @param names of the two images, for messages
 * @throws UserError when an image cannot be normalised, or the signal's reason when interrupted
 */
export async function answerPair(
  memory: Memory,
  models: readonly LoadedWeights[],
  pair: ImagePair,
  names: readonly [string, string],
  options: AnswerOptions = {},
): Promise<PairAnswer> {
  const weights = models.map(({ info, flat }, i) => {
    const params = flatParameters(`weights${i}`, unetParameters(info.unet));
    memory.write(params.flat, flat);
    return { params, model: info, network: unetNetwork(params.named, info.unet) };
  });
  try {
    const predicted = await predictPair(memory, weights, pair, names, options);
    const own = (await options.place?.(predicted)) ?? predicted;
    const decision = sharedDecision(models);
    const calibration = sharedCalibration(models);
    const { rule: given, operatingPoint: point, allowed } = options;
    const findings = findingsOf(own, decision, { given, calibration, point, allowed });
    const map = calibration?.map
      ? { ...own, data: own.data.map(calibrator(calibration.map)) }
      : own;
    options.onStage?.("lesions");
    return { map, calibration, decision, findings };
  } finally {
    for (const { params } of weights) memory.release(params.flat);
  }
}
