/** A pair of visits that were read, predicted: registration, brain, bias, networks, lesions. A page may import it. */
import { during } from "../choose/observer";
import type { Precision } from "../core/tensor";
import type { Mask, Volume } from "../data/volume";
import { sharedCalibration } from "../decision/calibration";
import { ruleOf } from "../decision/findings";
import type { LesionRule } from "../decision/found_lesions";
import type { OperatingPointName } from "../decision/operating_points";
import type { Acquisition } from "../dicom/acquisition";
import type { Memory } from "../gpu/memory";
import { answerPair, type PairAnswer } from "../infer/answer";
import type { DeviceChoices } from "../infer/window_batch";
import type { BiasMode } from "../settings/names";
import { visitsOnGrid } from "./answer_visits";
import { comparePair, type ToldPair } from "./compared_pair";
import { brighterIn, type MatchOptions } from "./matched_pair";
import { biasFor, type NamedWeights } from "./named_weights";
import type { Observer } from "./observer";
import {
  type AnswerGrid,
  maskOnAnswer,
  maskOnPair,
  onAnswerGrid,
  type ReadImage,
} from "./placed_pair";

/** The networks, and how every pair is prepared for them and judged. */
export interface PairRequest extends Partial<LesionRule>, Pick<MatchOptions, "register" | "bias"> {
  /** The mean of their probabilities is the answer's. */
  readonly models: readonly NamedWeights[];
  /** A rule for lesions that the models' calibration holds; the tuned one if absent. */
  readonly operatingPoint?: OperatingPointName;
  /** How activations are stored. */
  readonly precision: Precision;
  /** Most windows per run of a network: as tuned if absent. */
  readonly batch?: number;
  /** The grid of mask and map: by default that of visit 1. */
  readonly grid?: AnswerGrid;
  /** Whether the answer comes with both visits on its grid. */
  readonly withVisits?: boolean;
}

/** A device with kernels chosen for the networks, for any number of pairs. */
export interface PairPredictor {
  readonly request: PairRequest;
  readonly memory: Memory;
  readonly choices: DeviceChoices;
  readonly bias: BiasMode;
}

/** An answer, and how the visits were made comparable for it. */
export interface PredictedPair extends PairAnswer, ToldPair {
  /** Where lesions may lie, on the grid of the answer; absent where no brain is known. */
  readonly allowed?: Mask;
  /** Scanner and date of each visit that was DICOM. */
  readonly acquisitions: readonly (Acquisition | undefined)[];
  /** Both visits on the answer's grid, where they were asked for. */
  readonly visits?: readonly [Volume, Volume];
}

/** The files of a pair, read. */
export interface ReadRequest {
  readonly images: [ReadImage, ReadImage];
  readonly acquisitions: PredictedPair["acquisitions"];
  readonly brain: NonNullable<MatchOptions["brain"]>;
  /** What an earlier answer about the same images came with: it is not made again. */
  readonly compared?: ToldPair;
}

/**
 * Before any work: whether the networks and the options agree.
 * @returns how the brightness of every pair is prepared
 * @throws UserError where they do not
 */
export function checkModels(request: PairRequest, observer: Observer): BiasMode {
  const { models, operatingPoint } = request;
  ruleOf({}, sharedCalibration(models), operatingPoint ?? "default");
  for (const note of models.flatMap(({ notes }) => notes)) observer.note(note);
  return biasFor(models, request.bias, (line) => observer.note(line));
}

/** Predicts a pair that was read. @throws the signal's reason when interrupted */
export async function predictRead(
  { request, memory, choices, bias }: PairPredictor,
  { images, acquisitions, brain, compared: known }: ReadRequest,
  observer: Observer,
  signal?: AbortSignal,
): Promise<PredictedPair> {
  const { register, grid = "t1", models, precision, batch, operatingPoint } = request;
  const matching = { register, bias, brain };
  const compared = known ?? (await comparePair(memory, images, matching, observer));
  const { placed } = compared;
  const brainMask = typeof brain === "string" ? undefined : await maskOnPair(memory, placed, brain);
  const brighter = brighterIn(placed);
  const allowed = brighter && maskOnAnswer(placed, brighter, grid);
  observer.onStage?.("where lesions may lie");
  const options = {
    ...{ choices, batch, precision, signal, rule: request, allowed, operatingPoint },
    place: (map: Volume) => onAnswerGrid(memory, placed, map, grid),
    onProgress: (done: number, total: number) => observer.onWindows?.(done, total),
    onStage: (stage: string) => observer.onStage?.(stage),
  };
  return during(observer, "predicting", async () => {
    const pair = { ...placed.pair, brainMask };
    const names = [images[0].path, images[1].path] as const;
    const answer = await answerPair(memory, models, pair, names, options);
    // The signal may come after the last window: its observer has said that nothing is written.
    signal?.throwIfAborted();
    const visits = request.withVisits ? await visitsOnGrid(memory, placed, grid) : undefined;
    return { ...answer, ...compared, allowed, acquisitions, visits };
  });
}
