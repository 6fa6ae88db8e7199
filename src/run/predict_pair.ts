/** A prediction as a function: from two image files and weights to the answer, and to its files. */
import type { TuneFlags } from "../choose/tune_options";
import { tuneDevice } from "../choose/tuning";
import { UserError } from "../core/errors";
import { writeMask, writeVolume } from "../data/nifti_write";
import type { Mask, Volume } from "../data/volume";
import { findingsJson } from "../decision/findings_json";
import type { Acquisition } from "../dicom/acquisition";
import { readVisits, type VisitsRequest } from "../dicom/read_visits";
import { checkPrecision } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { grouped } from "../infer/grouped";
import type { DeviceChoices } from "../infer/window_batch";
import { writeAtomically } from "../platform/atomic_file";
import type { BiasMode } from "../settings/names";
import { registrationOf } from "./findings_report";
import { brainFile, readBrain } from "./given_brain";
import { modelText, type NamedWeights } from "./named_weights";
import type { Observer } from "./observer";
import type { ReadImage } from "./placed_pair";
import {
  checkModels,
  type PairPredictor,
  type PairRequest,
  type PredictedPair,
  predictRead,
  type ReadRequest,
} from "./predict_read";

export interface PredictRequest extends PredictorRequest {
  /** FLAIR of the two visits: NIfTI files, or folders or .zip of DICOM. */
  readonly t1: string;
  readonly t2: string;
  /** Numbers of the series, of DICOM, where the FLAIR is not certain: of both visits, or of each. */
  readonly series?: readonly number[];
  /** Of DICOM: what becomes of signs that the two are not the earlier and the later visit of one patient. */
  readonly doubts?: VisitsRequest["doubts"];
}

/** What holds for every pair: the networks with their options, and how the tuner may work. */
export interface PredictorRequest extends PairRequest, TuneFlags {
  /** "auto" (default), "off", or a mask's path: models with --normalisation mask need the latter. */
  readonly brain?: string;
}

/** A device with kernels chosen for the networks, for any number of pairs. */
export interface Predictor extends PairPredictor {
  readonly request: PredictorRequest;
}

/** Files of an answer. */
export interface AnswerFiles {
  /** The mask. */
  readonly output?: string;
  /** The probability map. */
  readonly probability?: string;
  /** Where lesions may lie; every voxel where no brain is known. */
  readonly allowed?: string;
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
  const bias = checkModels(request, observer);
  const read = await readRequest(request, observer, signal);
  observer.onStage?.("reading images");
  const predictor = await openPredictor(request, bias, openDevice, observer, signal);
  return predictRead(predictor, read, observer, signal);
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
  { map, findings, allowed, placed, quality, acquisitions }: PredictedPair,
  models: readonly NamedWeights[],
  { output, probability, allowed: place, report }: AnswerFiles,
): Promise<void> {
  await Promise.all([
    output === undefined ? undefined : writeMask(output, findings.mask),
    probability === undefined ? undefined : writeVolume(probability, map),
    place === undefined ? undefined : writeMask(place, allowed ?? everywhere(map)),
  ]);
  const paths = models.map(({ path }) => path);
  const registration = registrationOf(placed);
  const facts = { quality, registration, acquisitions: known(acquisitions) };
  if (report !== undefined) writeAtomically(report, findingsJson(findings, paths, facts));
}

const everywhere = ({ size, affine, data }: Volume): Mask => ({
  ...{ size, affine, data: new Uint8Array(data.length).fill(1) },
});

/** For each visit its facts or null; nothing where no visit has any. */
function known(acquisitions: readonly (Acquisition | undefined)[]) {
  return acquisitions.some(Boolean) ? acquisitions.map((facts) => facts ?? null) : undefined;
}
