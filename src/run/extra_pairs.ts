/** Pairs that only train: synthetic ones of the training patients, and further folders. */
import { dirname } from "node:path";
import { during } from "../choose/observer";
import { openCohort, type Patient } from "../data/cohort";
import { composed } from "../data/file_names";
import { personOf } from "../data/person";
import { privateCacheDir } from "../platform/cache";
import { touchEntry } from "../platform/cache_entries";
import type { TrainConfig } from "../settings/config";
import { originOf, synthesisKey, writeSynthetic } from "../synthesis/cohort";
import type { Source } from "../synthesis/sources";
import type { Observer } from "./observer";
import type { Arms } from "./training_data";

/**
 * Synthetic pairs of the training patients alone, so many that they are the wanted share of all pairs
 * that train.
 * @throws the signal's reason when interrupted; the pairs made so far are kept
 */
export function syntheticPairs(
  config: TrainConfig,
  { train }: Arms,
  observer: Observer,
  signal?: AbortSignal,
): Promise<readonly Patient[]> {
  return during(observer, "pairs", () => makePairs(config, train, observer, signal));
}

async function makePairs(
  { synthetic, seed }: TrainConfig,
  train: Arms["train"],
  observer: Observer,
  signal: AbortSignal | undefined,
): Promise<readonly Patient[]> {
  if (synthetic === 0) return [];
  const pairs = Math.max(1, Math.round((synthetic / (1 - synthetic)) * train.length));
  const options = { sources: train.flatMap(visitsOf), phantoms: 0, masks: [], pairs, seed };
  const out = privateCacheDir("synthetic", await synthesisKey(options));
  await writeSynthetic(out, options, {
    signal,
    onProgress: (done, total) => {
      if (done < total) observer.note(`synthetic pair ${done}/${total} (kept in the cache)`);
    },
  });
  touchEntry(out);
  observer.note(`${pairs} synthetic pairs, made of the ${train.length} that train`);
  // Another share of the same data may have left more there.
  const { patients } = await openCohort(out);
  return patients.slice(0, pairs);
}

/** Both visits as scans. */
function visitsOf(patient: Patient): Source[] {
  const { id, person, time1, time2, truth, resolved, brainMask } = patient;
  const of = { patient: id, person, brainMask, ofPair: true };
  return [
    { ...of, name: `${id}/1`, image: time1, lesions: resolved },
    { ...of, name: `${id}/2`, image: time2, lesions: truth },
  ];
}

/** Of folders that only train, without those of persons that validate or made of them. */
export async function pairsOfFolders(
  folders: readonly string[],
  { train, val }: Arms,
  observer: Pick<Observer, "note">,
): Promise<readonly Patient[]> {
  const validates = new Set(val.map(personOf));
  const known = new Map([...train, ...val].map((patient) => [patient.id, personOf(patient)]));
  const personNamed = (id: string) => known.get(composed(id)) ?? personOf({ id: composed(id) });
  const found: Patient[] = [];
  for (const folder of folders) {
    const { patients, notes } = await openCohort(folder);
    for (const note of notes) observer.note(note);
    const kept = patients.filter((patient) => {
      const origin = originOf(dirname(patient.time1));
      const shapes = origin?.made.flatMap(({ shapeOf }) => shapeOf ?? []) ?? [];
      const used = origin ? [origin.patient, ...shapes].map(personNamed) : [];
      return ![personOf(patient), ...used].some((person) => validates.has(person));
    });
    const left = patients.length - kept.length;
    const why = left === 0 ? "" : `; ${left} left out: of, or made of, validation patients`;
    observer.note(`${folder}: ${kept.length} more pairs that only train${why}`);
    found.push(...kept);
  }
  return found;
}
