/** A prediction as a function: from two image files and weights to the answer, and to its files. */
import { during } from "../choose/observer";
import type { TuneFlags } from "../choose/tune_options";
import { tuneDevice } from "../choose/tuning";
import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import { readMask } from "../data/nifti_read";
import { writeMask, writeVolume } from "../data/nifti_write";
import { maskOnGrid } from "../data/pair";
import type { Mask, Volume } from "../data/volume";
import { findingsJson } from "../decision/findings_json";
import type { LesionRule } from "../decision/found_lesions";
import type { Acquisition } from "../dicom/acquisition";
import { readVisits } from "../dicom/read_visits";
import { checkPrecision } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { answerPair, type PairAnswer } from "../infer/answer";
import { grouped } from "../infer/grouped";
import type { DeviceChoices } from "../infer/window_batch";
import { writeAtomically } from "../platform/atomic_file";
import { visitsOnGrid } from "./answer_visits";
import { registrationOf } from "./findings_report";
import { type MatchedPair, type MatchOptions, matchPair } from "./matched_pair";
import { modelText, type NamedWeights } from "./models";
import type { Observer } from "./observer";
import {
  type AnswerGrid,
  maskOnPair,
  onAnswerGrid,
  type PlacedPair,
  type ReadImage,
} from "./placed_pair";

export interface PredictRequest
  extends TuneFlags,
    Partial<LesionRule>,
    Pick<MatchOptions, "register" | "bias"> {
  /** FLAIR of the two visits: NIfTI files, or folders or .zip of DICOM. */
  readonly t1: string;
  readonly t2: string;
  /** Numbers of the series, of DICOM, where the FLAIR is not certain: of both visits, or of each. */
  readonly series?: readonly number[];
  /** The mean of their probabilities is the answer's. */
  readonly models: readonly NamedWeights[];
  /** Brain mask, for models that were trained with --normalisation mask. */
  readonly mask?: string;
  /** How activations are stored. */
  readonly precision: Precision;
  /** Most windows per run of a network: as tuned if absent. */
  readonly batch?: number;
  /** The grid of mask and map: by default that of visit 1. */
  readonly grid?: AnswerGrid;
  /** Whether the answer comes with both visits on its grid. */
  readonly withVisits?: boolean;
}

/** An answer, and how the visits were made comparable for it. */
export interface PredictedPair extends PairAnswer {
  readonly placed: MatchedPair;
  /** Scanner and date of each visit that was DICOM. */
  readonly acquisitions: readonly (Acquisition | undefined)[];
  /** Both visits on the answer's grid, where they were asked for. */
  readonly visits?: readonly [Volume, Volume];
}

/** Files of an answer. */
export interface AnswerFiles {
  /** The mask. */
  readonly output?: string;
  /** The probability map. */
  readonly probability?: string;
  /** The findings as JSON. */
  readonly report?: string;
}

/**
 * Reads the images, then opens the device, tunes and predicts.
 * @throws UserError for files or settings that do not fit
 * @throws the signal's reason when interrupted
 */
export async function predictFiles(
  request: PredictRequest,
  openDevice: () => Promise<Device>,
  observer: Observer,
  signal?: AbortSignal,
): Promise<PredictedPair> {
  const { t1, t2, models, precision, batch } = request;
  for (const note of models.flatMap(({ notes }) => notes)) observer.note(note);
  const { images, acquisitions } = await readPair(request, observer, signal);
  observer.onStage?.("reading images");
  const device = await openDevice();
  checkPrecision(device, precision);
  observer.note(device.describe(precision));
  for (const model of models) observer.note(modelText(model));
  observer.onStage?.("opening the adapter");
  const choices = await choicesFor(device, request, observer, signal);
  observer.onStage?.("tuning");
  const memory = new Memory(device);
  const { register, bias } = request;
  const placed = await matchPair(memory, ...images, { register, bias });
  for (const note of placed.pair.notes) observer.note(note);
  const brainMask = await brainMaskOf(memory, request, images[0], placed, observer);
  observer.onStage?.("registration");
  const options = {
    ...{ choices, batch, precision, signal, rule: request },
    place: (map: Volume) => onAnswerGrid(memory, placed, map, request.grid ?? "t1"),
    onProgress: (done: number, total: number) => observer.onWindows?.(done, total),
    onStage: (stage: string) => observer.onStage?.(stage),
  };
  return during(observer, "predicting", async () => {
    const pair = { ...placed.pair, brainMask };
    const answer = await answerPair(memory, models, pair, [t1, t2], options);
    // The signal may come after the last window: its observer has said that nothing is written.
    signal?.throwIfAborted();
    const visits = request.withVisits
      ? await visitsOnGrid(memory, placed, request.grid ?? "t1")
      : undefined;
    return { ...answer, placed, acquisitions, visits };
  });
}

/** Both visits, NIfTI or DICOM. @throws UserError naming one that is not there or cannot be used */
export async function readPair(
  { t1, t2, series }: Pick<PredictRequest, "t1" | "t2" | "series">,
  observer: Observer,
  signal?: AbortSignal,
): Promise<{
  images: [ReadImage, ReadImage];
  acquisitions: PredictedPair["acquisitions"];
}> {
  const [one, two] = await readVisits([t1, t2], { series, signal }, (line) => observer.note(line));
  return {
    images: [
      { path: t1, image: one.image },
      { path: t2, image: two.image },
    ],
    acquisitions: [one.acquisition, two.acquisition],
  };
}

async function choicesFor(
  device: Device,
  request: PredictRequest,
  observer: Observer,
  signal: AbortSignal | undefined,
): Promise<DeviceChoices> {
  const { models, precision, batch } = request;
  // Folds are of one network: it is tuned once.
  const networks = grouped(models, ({ info }) => JSON.stringify([info.unet, info.patch]));
  const needs = { picks: [], models: networks.map(([first]) => first!.info), batch, precision };
  const { choices } = await tuneDevice(device, needs, request, observer, signal);
  signal?.throwIfAborted();
  return choices;
}

/** The brain mask on the pair's grid, where a network needs one. */
async function brainMaskOf(
  memory: Memory,
  { mask, models }: PredictRequest,
  { path, image }: ReadImage,
  placed: PlacedPair,
  observer: Observer,
): Promise<Mask | undefined> {
  const masked = models.find(({ info }) => info.normalisation === "mask");
  if (!masked) return undefined;
  if (mask === undefined) {
    throw new UserError(`${masked.path} was trained with --normalisation mask: give --mask FILE`);
  }
  const notes: string[] = [];
  const onGrid = maskOnGrid(mask, await readMask(mask), path, image, notes);
  for (const note of notes) observer.note(note);
  return maskOnPair(memory, placed, onGrid);
}

/** @param models that gave the answer, for the report */
export async function writeAnswer(
  { map, findings, placed, acquisitions }: PredictedPair,
  models: readonly NamedWeights[],
  { output, probability, report }: AnswerFiles,
): Promise<void> {
  await Promise.all([
    output === undefined ? undefined : writeMask(output, findings.mask),
    probability === undefined ? undefined : writeVolume(probability, map),
  ]);
  const paths = models.map(({ path }) => path);
  const facts = { registration: registrationOf(placed), acquisitions: known(acquisitions) };
  if (report !== undefined) writeAtomically(report, findingsJson(findings, paths, facts));
}

/** For each visit its facts or null; nothing where no visit has any. */
function known(acquisitions: readonly (Acquisition | undefined)[]) {
  return acquisitions.some(Boolean) ? acquisitions.map((facts) => facts ?? null) : undefined;
}
