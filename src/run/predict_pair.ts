/** A prediction as a function: from two image files and weights to the answer, and to its files. */
import { during } from "../choose/observer";
import type { TuneFlags } from "../choose/tune_options";
import { tuneDevice } from "../choose/tuning";
import { UserError } from "../core/errors";
import type { Precision } from "../core/tensor";
import { writeMask, writeVolume } from "../data/nifti_write";
import type { Volume } from "../data/volume";
import { sharedCalibration } from "../decision/calibration";
import { ruleOf } from "../decision/findings";
import { findingsJson } from "../decision/findings_json";
import type { LesionRule } from "../decision/found_lesions";
import type { OperatingPointName } from "../decision/operating_points";
import type { Acquisition } from "../dicom/acquisition";
import { readVisits, type VisitsRequest } from "../dicom/read_visits";
import { checkPrecision } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { answerPair, type PairAnswer } from "../infer/answer";
import { grouped } from "../infer/grouped";
import type { DeviceChoices } from "../infer/window_batch";
import { writeAtomically } from "../platform/atomic_file";
import type { BiasMode } from "../settings/names";
import { visitsOnGrid } from "./answer_visits";
import { comparePair, type ToldPair } from "./compared_pair";
import { registrationOf } from "./findings_report";
import { brainFile, readBrain } from "./given_brain";
import type { MatchOptions } from "./matched_pair";
import { biasFor, modelText, type NamedWeights } from "./models";
import type { Observer } from "./observer";
import {
  type AnswerGrid,
  maskOnAnswer,
  maskOnPair,
  onAnswerGrid,
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
  /** Of DICOM: what becomes of signs that the two are not the earlier and the later visit of one patient. */
  readonly doubts?: VisitsRequest["doubts"];
  /** The mean of their probabilities is the answer's. */
  readonly models: readonly NamedWeights[];
  /** A rule for lesions that the models' calibration holds; the tuned one if absent. */
  readonly operatingPoint?: OperatingPointName;
  /** "auto" (default), "off", or a mask's path: models with --normalisation mask need the latter. */
  readonly brain?: string;
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
export interface PredictedPair extends PairAnswer, ToldPair {
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

/** What holds for every pair: networks, options, and how a pair is prepared for them. */
export type PredictorRequest = Omit<PredictRequest, "t1" | "t2" | "series">;

/** A device with kernels chosen for the networks, for any number of pairs. */
export interface Predictor {
  readonly request: PredictorRequest;
  readonly memory: Memory;
  readonly choices: DeviceChoices;
  readonly bias: BiasMode;
}

/** The files of a pair, read. */
export interface ReadRequest {
  readonly images: [ReadImage, ReadImage];
  readonly acquisitions: PredictedPair["acquisitions"];
  readonly brain: NonNullable<MatchOptions["brain"]>;
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
  const bias = checkModels(request, observer);
  const read = await readRequest(request, observer, signal);
  observer.onStage?.("reading images");
  const predictor = await openPredictor(request, bias, openDevice, observer, signal);
  return predictRead(predictor, read, observer, signal);
}

/**
 * Before any work: whether the networks and the options agree.
 * @returns how the brightness of every pair is prepared
 * @throws UserError where they do not
 */
export function checkModels(request: PredictorRequest, observer: Observer): BiasMode {
  const { models, operatingPoint } = request;
  ruleOf({}, sharedCalibration(models), operatingPoint ?? "default");
  for (const note of models.flatMap(({ notes }) => notes)) observer.note(note);
  return biasFor(models, request.bias, (line) => observer.note(line));
}

/** @throws UserError for files that cannot be used, or where a network needs a mask that is not given */
export async function readRequest(
  request: PredictRequest,
  observer: Observer,
  signal?: AbortSignal,
): Promise<ReadRequest> {
  requireMask(request);
  const read = await readPair(request, observer, signal);
  const brain = await readBrain(request.brain, read.images, (line) => observer.note(line));
  return { ...read, brain };
}

/**
 * Opens the device and chooses its kernels.
 * @param bias as `checkModels` gave it
 */
export async function openPredictor(
  request: PredictorRequest,
  bias: BiasMode,
  openDevice: () => Promise<Device>,
  observer: Observer,
  signal?: AbortSignal,
): Promise<Predictor> {
  const { models, precision } = request;
  const device = await openDevice();
  checkPrecision(device, precision);
  observer.note(device.describe(precision));
  for (const model of models) observer.note(modelText(model));
  observer.onStage?.("opening the adapter");
  const choices = await choicesFor(device, request, observer, signal);
  observer.onStage?.("tuning");
  return { request, memory: new Memory(device), choices, bias };
}

/** Predicts a pair that was read. @throws the signal's reason when interrupted */
export async function predictRead(
  { request, memory, choices, bias }: Predictor,
  { images, acquisitions, brain }: ReadRequest,
  observer: Observer,
  signal?: AbortSignal,
): Promise<PredictedPair> {
  const { register, grid = "t1", models, precision, batch, operatingPoint } = request;
  const compared = await comparePair(memory, images, { register, bias, brain }, observer);
  const { placed } = compared;
  const brainMask = typeof brain === "string" ? undefined : await maskOnPair(memory, placed, brain);
  const near = placed.brain && maskOnAnswer(placed, placed.brain.near, grid);
  const options = {
    ...{ choices, batch, precision, signal, rule: request, near, operatingPoint },
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
    return { ...answer, ...compared, acquisitions, visits };
  });
}

/** Both visits, NIfTI or DICOM. @throws UserError naming one that is not there or cannot be used */
export async function readPair(
  { t1, t2, series, doubts }: Pick<PredictRequest, "t1" | "t2" | "series" | "doubts">,
  observer: Observer,
  signal?: AbortSignal,
): Promise<{
  images: [ReadImage, ReadImage];
  acquisitions: PredictedPair["acquisitions"];
}> {
  const [one, two] = await readVisits([t1, t2], { series, signal, doubts }, (line) =>
    observer.note(line),
  );
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
  request: PredictorRequest,
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

/** @throws UserError where a network was trained with masks, and none is given */
function requireMask({ brain, models }: PredictorRequest): void {
  const masked = models.find(({ info }) => info.normalisation === "mask");
  if (!masked || brainFile(brain) !== undefined) return;
  throw new UserError(
    `${masked.path} was trained with --normalisation mask: give --brain FILE, a mask of the first ` +
      "visit from the tool that made those of the training",
  );
}

/** @param models that gave the answer, for the report */
export async function writeAnswer(
  { map, findings, placed, quality, acquisitions }: PredictedPair,
  models: readonly NamedWeights[],
  { output, probability, report }: AnswerFiles,
): Promise<void> {
  await Promise.all([
    output === undefined ? undefined : writeMask(output, findings.mask),
    probability === undefined ? undefined : writeVolume(probability, map),
  ]);
  const paths = models.map(({ path }) => path);
  const registration = registrationOf(placed);
  const facts = { quality, registration, acquisitions: known(acquisitions) };
  if (report !== undefined) writeAtomically(report, findingsJson(findings, paths, facts));
}

/** For each visit its facts or null; nothing where no visit has any. */
function known(acquisitions: readonly (Acquisition | undefined)[]) {
  return acquisitions.some(Boolean) ? acquisitions.map((facts) => facts ?? null) : undefined;
}
