/** Calibrates weights on left-out patients: predicted now, or maps that were predicted before. */
import { during } from "../choose/observer";
import { UserError } from "../core/errors";
import { sameGrid } from "../data/affine";
import type { MaskPair } from "../data/mask_folders";
import { readMask } from "../data/nifti_read";
import { readProbability } from "../data/probability_map";
import { readSafetensors, writeSafetensors } from "../data/safetensors_file";
import { type Calibration, calibrationMetadata, fitCalibration } from "../decision/calibration";
import { type CalibrationSample, calibrationSample } from "../decision/calibration_sample";
import { decisionMetadata } from "../decision/stored_decision";
import type { Device } from "../gpu/device";
import { Memory } from "../gpu/memory";
import { weightsOf } from "../infer/model";
import { parseTrainConfig } from "../settings/config";
import { CohortPairs } from "./cohort_pairs";
import { openCrossValidation } from "./cross_validation";
import type { Observer } from "./observer";
import { checkpointPaths, configPath, openRunFolder } from "./run_folder";
import { isLocked } from "./run_lock";
import { openData, prepare, savedSplit } from "./training_data";
import { forEachPredictionBy } from "./validate";
import { loadWeights } from "./weights_file";

/** The weights that were calibrated, and how. */
export interface Calibrated {
  readonly paths: readonly string[];
  readonly calibration: Calibration;
}

/**
 * Calibrates the `best` weights of a run on its validation patients, or those of all folds of a
 * cross-validation on all patients, each predicted by the fold that did not train on it.
 * @param data folder of the cohort, where it has moved
 * @throws UserError where there are no such weights or patients; the signal's reason when interrupted
 */
export async function calibrateRun(
  folder: string,
  device: Device,
  data: string | undefined,
  observer: Observer,
  signal?: AbortSignal,
): Promise<Calibrated> {
  const runs = openCrossValidation(folder)?.folds ?? [folder];
  const busy = runs.find((run) => isLocked(run));
  if (busy) throw new UserError(`${busy}: is being trained; calibrate it when that has ended`);
  const memory = new Memory(device);
  const samples: CalibrationSample[] = [];
  await during(observer, "predicting", async () => {
    for (const run of runs) {
      samples.push(...(await samplesOf(memory, run, data, observer, signal)));
    }
  });
  const paths = runs.map((path) => checkpointPaths({ path }, "best").weights);
  return stored(paths, samples, false);
}

async function samplesOf(
  memory: Memory,
  path: string,
  data: string | undefined,
  observer: Observer,
  signal: AbortSignal | undefined,
): Promise<CalibrationSample[]> {
  const folder = openRunFolder(path);
  const config = parseTrainConfig(folder.config, configPath(path));
  const best = loadWeights(checkpointPaths(folder, "best").weights);
  const cohort = await openData(config, data ?? folder.split.data ?? undefined, observer);
  const { val } = savedSplit(folder, cohort);
  if (val.length === 0) {
    throw new UserError(`${path}: no patient validates, so none is left out; give --maps instead`);
  }
  const arms = { train: [], val };
  const pairs = new CohortPairs(memory, config, observer);
  await pairs.check(val, signal);
  const none = { given: [], synthetic: [] };
  const { patients } = await prepare(memory, config, arms, none, pairs, observer, signal);
  const samples: CalibrationSample[] = [];
  await forEachPredictionBy(
    memory,
    best,
    patients,
    { signal },
    ({ patient, truth, allowed }, map) => {
      samples.push(calibrationSample(map, truth, allowed));
      observer.note(`${path}: predicted ${patient.id}, ${samples.length} of ${val.length}`);
    },
  );
  return samples;
}

/**
 * Calibrates a weights file by maps of networks that did not train on their patients, such as those of
 * a cross-validation with the same recipe. The thresholds of the file are tuned on them too.
 * @param changed the patients, one of them with a lesion
 * @param unchanged pairs without change: their false lesions count in the choice of operating points
 */
export async function calibrateByMaps(
  path: string,
  changed: MapsOfPatients,
  unchanged: MapsOfPatients | undefined,
  observer: Pick<Observer, "note">,
): Promise<Calibrated> {
  weightsOf(readSafetensors(path), path);
  const samples = await samplesOfMaps(changed, observer);
  const without = unchanged ? await samplesOfMaps(unchanged, observer) : [];
  const odd = without.findIndex(({ reference }) => reference > 0);
  if (odd >= 0) {
    const { reference } = unchanged!.pairs[odd]!;
    throw new UserError(`${reference}: has a lesion; expected pairs without change`);
  }
  return stored([path], samples, true, without);
}

/** Truth and probability map of each patient, on one grid, and where its lesions may lie: else everywhere. */
export interface MapsOfPatients {
  readonly pairs: readonly MaskPair[];
  readonly allowed: ReadonlyMap<string, string>;
}

async function samplesOfMaps(
  { pairs, allowed }: MapsOfPatients,
  observer: Pick<Observer, "note">,
): Promise<CalibrationSample[]> {
  const samples: CalibrationSample[] = [];
  for (const { patient, reference, prediction } of pairs) {
    const [truth, map] = [await readMask(reference), await readProbability(prediction)];
    const own = allowed.get(patient);
    const place = own === undefined ? undefined : await readMask(own);
    for (const [other, name] of [[map, prediction] as const, [place, own] as const]) {
      if (!other || sameGrid(truth, other)) continue;
      throw new UserError(
        `${name}: lies on another grid than ${reference}; predict with --grid t1`,
      );
    }
    samples.push(calibrationSample(map, truth, place));
    observer.note(`${patient}: ${samples.length} of ${pairs.length}`);
  }
  return samples;
}

/** Writes it into the metadata of the files; the tensors stay. */
function stored(
  paths: readonly string[],
  samples: readonly CalibrationSample[],
  isDecided: boolean,
  unchanged: readonly CalibrationSample[] = [],
): Calibrated {
  const calibration = fitCalibration(samples, unchanged);
  const decision = isDecided ? decisionMetadata(samples.map(({ sweep }) => sweep)) : {};
  const further = { ...decision, ...calibrationMetadata(calibration) };
  const files = paths.map((path) => {
    const { tensors, metadata } = readSafetensors(path);
    return { path, tensors, metadata: { ...metadata, ...further } };
  });
  writeSafetensors(...files);
  return { paths, calibration };
}
