/** A self-test on a user's own pair: lesions are planted into visit 2, and looked for as `predict` does. */
import { basename, resolve } from "node:path";
import { version } from "../../package.json";
import { movedMask } from "../brain/pair_brain";
import { CHANGE_MM3, CHANGE_Z, changeStatistic, clustersOf } from "../change/change_statistic";
import { during } from "../choose/observer";
import { UserError } from "../core/errors";
import { IDENTITY } from "../data/affine";
import { type Mask, type Volume, voxelSize } from "../data/volume";
import { sharedCalibration } from "../decision/calibration";
import { sharedDecision } from "../decision/choose_thresholds";
import { findingsOf, ruleOf } from "../decision/findings";
import type { OperatingPointName } from "../decision/operating_points";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { answerPair } from "../infer/answer";
import { qualityLines } from "../quality/quality_text";
import { warpTo } from "../register/warp";
import { SELFTEST_FORMAT, type SelftestRecord } from "../selftest/record";
import { type Detector, runTrials, type Shown, type TrialOptions } from "../selftest/trials";
import { verdictOf } from "../selftest/verdict";
import { tissueOf } from "../synthesis/tissue";
import { sha256Of } from "./file_hash";
import { brighterIn, type MatchedPair, matchPair, qualityOf } from "./matched_pair";
import { biasFor, modelText, type NamedWeights } from "./named_weights";
import type { Observer } from "./observer";
import { readPair } from "./predict_pair";

export interface SelftestRequest extends Omit<TrialOptions, "signal"> {
  readonly t1: string;
  readonly t2: string;
  readonly series?: readonly number[];
  /** None: the statistic of change. */
  readonly models: readonly NamedWeights[];
  readonly operatingPoint?: OperatingPointName;
}

export interface Selftest {
  readonly record: SelftestRecord;
  /** Visit 2 on the grid of the test, and the first lesion of each size in a scan of its own. */
  readonly visit2: Volume;
  readonly shown: readonly Shown[];
}

/** Movement of the pair that differs by nothing else, mm along each axis of the world: 0.5 mm in all. */
const MOVED = 0.5 / Math.sqrt(3);

/** @throws UserError for files that cannot be used; the signal's reason when interrupted */
export async function selftest(
  request: SelftestRequest,
  openDevice: () => Promise<Device>,
  observer: Observer,
  signal?: AbortSignal,
): Promise<Selftest> {
  const { models, operatingPoint = "default", t1, t2, seed, contrast } = request;
  ruleOf({}, sharedCalibration(models), operatingPoint); // refused before the work
  refuseMasked(models);
  for (const note of models.flatMap(({ notes }) => notes)) observer.note(note);
  const bias = biasFor(models, undefined, (line) => observer.note(line));
  const { images } = await readPair(request, observer, signal);
  const device = await openDevice();
  observer.note(device.describe());
  for (const model of models) observer.note(modelText(model));
  const memory = new Memory(device);
  return during(observer, "predicting", async () => {
    const matched = await matchPair(memory, ...images, { bias });
    const { pair } = matched;
    for (const note of pair.notes) observer.note(note);
    const quality = qualityOf(matched);
    const { reservations } = quality;
    for (const why of reservations) observer.note(`NOT FIT: ${why}`);
    const detect =
      models.length > 0
        ? networkDetector(memory, models, matched, [t1, t2], operatingPoint, signal)
        : changeDetector(matched);
    const { time1: visit1, time2: visit2 } = pair;
    const motion = IDENTITY.map((v, i) => (i % 4 === 3 && i < 12 ? MOVED : v));
    const moved = await warpTo(memory, visit2, motion, visit2);
    const brain = matched.brain && movedMask(matched.brain, IDENTITY, visit2);
    const tissue = tissueOf(t2, visit2, brain);
    const tested = { visit1, visit2, moved, tissue };
    const { measured, shown } = await runTrials(tested, detect, { ...request, signal });
    const record: SelftestRecord = {
      format: SELFTEST_FORMAT,
      program: `voxgrad ${version}`,
      created: new Date().toISOString(),
      visits: [basename(resolve(t1)), basename(resolve(t2))],
      detector: detectorText(models, operatingPoint, measuredRule(models, operatingPoint)),
      voxelMm: voxelSize(visit2.affine),
      ...{ contrast, seed },
      quality: {
        fit: reservations.length === 0,
        lines: [...reservations, ...qualityLines(quality), ...pair.notes],
      },
      ...measured,
      verdict: verdictOf(measured, reservations),
    };
    return { record, visit2, shown };
  });
}

function refuseMasked(models: readonly NamedWeights[]): void {
  const masked = models.find(({ info }) => info.normalisation === "mask");
  if (!masked) return;
  throw new UserError(
    `${masked.path}: was trained with --normalisation mask, which the self-test cannot give; name other weights`,
  );
}

function networkDetector(
  memory: Memory,
  models: readonly NamedWeights[],
  { brain }: MatchedPair,
  names: readonly [string, string],
  operatingPoint: OperatingPointName,
  signal: AbortSignal | undefined,
): Detector {
  return async (time1, time2) => {
    const brighter = brighterIn({ pair: { time1, time2 }, brain });
    const allowed = brighter && movedMask(brighter, IDENTITY, time1);
    const options = { allowed, operatingPoint, signal };
    const { findings } = await answerPair(memory, models, { time1, time2 }, names, options);
    return findings.mask;
  };
}

function changeDetector({ pair, brain, brains, visits }: MatchedPair): Detector {
  const missing = brains.indexOf(undefined);
  if (!brain || missing >= 0) {
    throw new UserError(
      `${visits[Math.max(0, missing)]!.path}: no brain is found in it, and without a network the statistic ` +
        "needs one: name weights (--weights), or give whole-head FLAIR images",
    );
  }
  const both = movedMask(brain, IDENTITY, pair.time1);
  return async (one, two): Promise<Mask> => clustersOf(changeStatistic(one, two, both).z, 1).mask;
}

/** The rule for lesions, as findings show it. */
function measuredRule(
  models: readonly NamedWeights[],
  point: OperatingPointName,
): { threshold: number; minLesionVolume: number } {
  const nothing: Volume = { size: [1, 1, 1], affine: [...IDENTITY], data: new Float32Array(1) };
  const decision = sharedDecision(models);
  return findingsOf(nothing, decision, { calibration: sharedCalibration(models), point }).rule;
}

function detectorText(
  models: readonly NamedWeights[],
  point: OperatingPointName,
  { threshold, minLesionVolume }: ReturnType<typeof measuredRule>,
): SelftestRecord["detector"] {
  if (models.length === 0) {
    const rule = `z of ${CHANGE_Z} or more, volume above ${CHANGE_MM3} mm³`;
    return { kind: "change", rule, weights: [] };
  }
  const named = point === "default" ? "" : ` (${point})`;
  return {
    kind: "network",
    rule: `probability ${threshold} or more, volume above ${minLesionVolume} mm³${named}`,
    weights: models.map(({ path }) => ({ name: basename(path), sha256: sha256Of(path) })),
  };
}
