/** The inputs of a training: its patients, prepared, and the split between them. */
import type { PreparedPatient } from "../data/prepared_cache";
import { checkPrecision } from "../gpu/capabilities";
import type { Source } from "../synthesis/sources";
import { CohortPairs } from "./cohort_pairs";
import { pairsOfFolders, syntheticPairs } from "./extra_pairs";
import { scansToUse } from "./generated_pairs";
import { lesionLines } from "./lesion_counts";
import type { SavedSplit } from "./saved_split";
import { seenBefore } from "./start_weights";
import type { TrainTask } from "./train_task";
import { checkTwins, newSplit, openData, prepare, savedSplit, splitOf } from "./training_data";
import type { ValidationPatient } from "./validate";

export interface Inputs {
  readonly split: SavedSplit;
  /** Who trains. */
  readonly sources: readonly PreparedPatient[];
  /** Who validates. */
  readonly patients: readonly ValidationPatient[];
  /** Scans that pairs are generated of while it trains. */
  readonly scans: readonly Source[];
}

/** The data, prepared. */
export async function inputsOf({ memory, request, observer, signal }: TrainTask): Promise<Inputs> {
  const { config, resumed } = request;
  const { device } = memory;
  checkPrecision(device, config.precision);
  observer.note(device.describe(config.precision));
  const saved = resumed?.split;
  const cohort = await openData(config, request.data ?? saved?.data ?? undefined, observer);
  const arms = resumed ? savedSplit(resumed, cohort) : newSplit(cohort, config, request);
  checkTwins(config, arms);
  const seen = seenBefore(config, arms);
  if (seen !== undefined) observer.note(seen);
  const folders = saved?.trainData ?? request.trainData ?? [];
  const generate = saved?.generate ?? request.generate ?? [];
  const scans = scansToUse(generate, config, arms, observer);
  const pairs = new CohortPairs(memory, config, observer);
  const given = await pairsOfFolders(folders, arms, observer);
  await pairs.check([...arms.train, ...given, ...arms.val], signal);
  const synthetic = await syntheticPairs(config, arms, observer, signal);
  const extra = { given, synthetic };
  const prepared = await prepare(memory, config, arms, extra, pairs, observer, signal);
  const more = given.length + synthetic.length;
  for (const line of lesionLines(config, prepared, more)) observer.note(line);
  return { split: splitOf(cohort, arms, request), ...prepared, scans };
}
