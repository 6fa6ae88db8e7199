/** Pairs that are generated while a training runs: their scans, without those of persons that validate. */
import { UserError } from "../core/errors";
import { composed } from "../data/file_names";
import { personOf } from "../data/person";
import type { SlotOptions } from "../data/volume_slots";
import type { TrainConfig } from "../settings/config";
import { MOST_VOXELS } from "../synthesis/background";
import { PairWorkers } from "../synthesis/pair_workers";
import { findSources, type Source } from "../synthesis/sources";
import type { Observer } from "./observer";
import type { Arms } from "./training_data";

/**
 * The scans of folders, as those of persons that may train.
 * @throws UserError where none is left, or the settings do not go with generated pairs
 */
export function scansToUse(
  folders: readonly string[],
  { spacing, normalisation }: TrainConfig,
  { train, val }: Arms,
  observer: Pick<Observer, "note">,
): Source[] {
  if (folders.length === 0) return [];
  if (Math.abs(spacing - 1) > 1e-3) {
    throw new UserError(
      `--generate: makes pairs of voxels of 1 mm, and --spacing is ${spacing}; give --spacing 1, or ` +
        "write pairs by `bun run synthesise` and take them by --train-data",
    );
  }
  if (normalisation === "mask") {
    throw new UserError(
      "--generate: generated pairs have no brain mask; use --normalisation volume or nonzero",
    );
  }
  const validates = new Set(val.map(personOf));
  const known = new Map([...train, ...val].map((patient) => [patient.id, personOf(patient)]));
  const found = findSources(folders);
  const kept = found.filter(({ patient, person }) => {
    const id = composed(patient);
    return !validates.has(known.get(id) ?? personOf({ id, person }));
  });
  if (kept.length === 0) {
    throw new UserError(
      `--generate ${folders.join(",")}: all ${found.length} scans are of patients that validate; ` +
        "name other scans",
    );
  }
  const left = found.length - kept.length;
  const why = left === 0 ? "" : `; ${left} left out: of validation patients`;
  observer.note(`generated pairs: of ${kept.length} scans in ${folders.join(", ")}${why}`);
  return kept;
}

/** Room for them on the device. */
export const slotsFor = ({ generatedPool, timeReversal }: TrainConfig): SlotOptions => ({
  slots: generatedPool,
  voxels: MOST_VOXELS,
  twins: timeReversal,
});

/** Starts the workers that make them. */
export function startWorkers(
  sources: readonly Source[],
  { normalisation, timeReversal, seed }: TrainConfig,
): PairWorkers {
  if (normalisation === "mask") throw new Error("generated pairs: no brain mask");
  return new PairWorkers({ sources, phantoms: 0, seed, normalisation, twins: timeReversal });
}

/** A line for the user. */
export function generatedLine(
  { generatedShare, generatedPool, generatedRefresh }: TrainConfig,
  scans: number,
): string {
  const share = Math.round(100 * generatedShare);
  return (
    `generated pairs: ${share} % of the patches, from ${generatedPool} pairs at a time; every ` +
    `${generatedRefresh} iterations the next one of ${scans} scans takes the place of the oldest`
  );
}
