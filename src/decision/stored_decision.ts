/** Stores the decision of validation in the metadata of a weights file, and reads it. */
import { z } from "zod";
import { tuneDecision } from "./choose_thresholds";
import { MIN_VOLUMES, type PatientSweep, THRESHOLDS } from "./threshold_table";

const perThreshold = z.array(z.number()).length(THRESHOLDS.length);
const table = z.array(z.array(z.number()).length(MIN_VOLUMES.length)).length(THRESHOLDS.length);

const storedSchema = z.object({
  /** The grid of the tables below. */
  thresholds: perThreshold,
  minVolumes: z.array(z.number()).length(MIN_VOLUMES.length),
  /** Of validation patients that training has not seen; without names. */
  patients: z.array(
    z.object({
      lesions: z.number().int().min(0),
      f1: table,
      dice: table,
      found: table,
      mass: perThreshold,
    }),
  ),
});

/**
 * Entries of the metadata: `validation`, results by threshold, from which any set of files makes its
 * decision; and `decision`, this file's own, for people and other programs to read.
 */
export function decisionMetadata(patients: readonly PatientSweep[]): Record<string, string> {
  const stored = { thresholds: THRESHOLDS, minVolumes: MIN_VOLUMES, patients };
  return {
    validation: JSON.stringify(stored),
    decision: JSON.stringify(tuneDecision(patients)),
  };
}

/** The results in a file's metadata; undefined where it has none that this program can use. */
export function storedSweeps(
  metadata: Readonly<Record<string, string>>,
): readonly PatientSweep[] | undefined {
  const text = metadata.validation;
  if (text === undefined) return undefined;
  const parsed = storedSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { thresholds, minVolumes, patients } = parsed.data;
  const same =
    thresholds.every((t, i) => t === THRESHOLDS[i]) &&
    minVolumes.every((v, i) => v === MIN_VOLUMES[i]);
  return same ? patients : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
