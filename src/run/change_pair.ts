/** A pair without a network: registered, and what changed as a statistic; for `predict` without weights. */
import { movedMask } from "../brain/pair_brain";
import { changeStatistic, clustersOf } from "../change/change_statistic";
import { during } from "../choose/observer";
import { UserError } from "../core/errors";
import { IDENTITY } from "../data/affine";
import { writeMask, writeVolume } from "../data/nifti_write";
import type { Mask } from "../data/volume";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { visitsOnGrid } from "./answer_visits";
import { comparePair } from "./compared_pair";
import { readBrain } from "./given_brain";
import type { MatchedPair, MatchOptions } from "./matched_pair";
import type { Observer } from "./observer";
import type { PairChange } from "./pair_change";
import { type AnswerGrid, onAnswerGrid } from "./placed_pair";
import { type PredictRequest, readPair } from "./predict_pair";
import type { ReadRequest } from "./predict_read";

export interface ChangeRequest extends Pick<MatchOptions, "register" | "bias"> {
  readonly t1: string;
  readonly t2: string;
  /** Numbers of DICOM series, where a FLAIR is not certain. */
  readonly series?: readonly number[];
  readonly doubts?: PredictRequest["doubts"];
  readonly grid?: AnswerGrid;
  /** Whether it comes with both visits on the grid that was asked for. */
  readonly withVisits?: boolean;
  /** "auto" (default) or a mask's path. */
  readonly brain?: string;
}

/** @throws UserError where no brain is known, or a visit shows nothing in it */
export async function changeOfFiles(
  request: ChangeRequest,
  openDevice: () => Promise<Device>,
  observer: Observer,
  signal?: AbortSignal,
): Promise<PairChange> {
  const read = await readChange(request, observer, signal);
  observer.onStage?.("reading images");
  const device = await openDevice();
  observer.note(device.describe());
  const memory = new Memory(device);
  observer.onStage?.("opening the adapter");
  return during(observer, "predicting", () =>
    changeOfRead(memory, request, read, observer, signal),
  );
}

/** Reads the files of a pair. */
export async function readChange(
  request: ChangeRequest,
  observer: Observer,
  signal?: AbortSignal,
): Promise<ReadRequest> {
  const read = await readPair(request, observer, signal);
  const brain = await readBrain(request.brain, read.images, (line) => observer.note(line));
  return { ...read, brain };
}

/** The statistic of a pair that was read. */
export async function changeOfRead(
  memory: Memory,
  request: ChangeRequest,
  { images, acquisitions, brain }: ReadRequest,
  observer: Observer,
  signal?: AbortSignal,
): Promise<PairChange> {
  const compared = await comparePair(memory, images, { ...request, brain }, observer);
  const { placed } = compared;
  signal?.throwIfAborted();
  const { time1, time2 } = placed.pair;
  const found = changeStatistic(time1, time2, brainOf(placed, request));
  if (!Number.isFinite(found.spread)) throw nothingToCompare(request);
  observer.onStage?.("statistic");
  signal?.throwIfAborted();
  const grid = request.grid ?? "t1";
  const z = await onAnswerGrid(memory, placed, found.z, grid);
  const visits = request.withVisits ? await visitsOnGrid(memory, placed, grid) : undefined;
  const { mask, clusters: brighter } = clustersOf(z, 1);
  const darker = clustersOf(z, -1).clusters;
  return { ...found, ...compared, acquisitions, visits, z, mask, brighter, darker };
}

const nothingToCompare = ({ t1, t2 }: ChangeRequest) =>
  new UserError(
    `${t1} and ${t2}: half of the brain or more is 0 or less at one of the visits, so there is nothing to compare; ` +
      "check the images",
  );

/** What is brain at both visits, on the pair's grid. */
function brainOf({ pair, brain }: MatchedPair, { t1, t2 }: ChangeRequest): Mask {
  if (brain) return movedMask(brain, IDENTITY, pair.time1);
  throw new UserError(
    `${t1} and ${t2}: no brain mask, and without a network the statistic needs one: give whole-head ` +
      "FLAIR images, a mask of the first visit (--brain FILE), or a network (--weights)",
  );
}

/** Files beside the mask: `x.nii.gz` has `x_change.nii.gz`, `x_visit1.nii.gz` and `x_visit2.nii.gz`. */
export function filesBeside(output: string): Record<"change" | "visit1" | "visit2", string> {
  const [, stem = output, ending = ""] = /^(.*?)((?:\.nii)?(?:\.gz)?)$/i.exec(output) ?? [];
  const named = (name: string) => `${stem}_${name}${ending}`;
  return { change: named("change"), visit1: named("visit1"), visit2: named("visit2") };
}

export async function writeChange(change: PairChange, output: string): Promise<void> {
  const { placed, z, mask } = change;
  const beside = filesBeside(output);
  await Promise.all([
    writeMask(output, mask),
    writeVolume(beside.change, z),
    writeVolume(beside.visit1, placed.pair.time1),
    writeVolume(beside.visit2, placed.pair.time2),
  ]);
}
