/** Stores the decision of validation in the metadata of a weights file, and reads it. */
import { z } from "zod";
import { checked, parseJson } from "../core/json";
import { tuneDecision } from "./choose_thresholds";
import { MIN_VOLUMES, type PatientSweep, THRESHOLDS } from "./threshold_table";

const perThreshold = <T extends z.ZodType>(of: T) => z.array(of).length(THRESHOLDS.length);
const table = <T extends z.ZodType>(of: T) => perThreshold(z.array(of).length(MIN_VOLUMES.length));
const share = z.number().min(0).max(1);
const count = z.number().int().min(0);

const gridSchema = z.object({
  thresholds: z.array(z.number()),
  minVolumes: z.array(z.number()),
  patients: z.unknown(),
});

/** Of validation patients that training has not seen; without names. Tables are as PatientSweep's. */
const storedSchema = gridSchema
  .extend({
    patients: z.array(
      z.strictObject({
        lesions: count,
        f1: table(share),
        dice: table(share),
        found: table(count),
        mass: perThreshold(z.number().min(0)),
      }),
    ),
  })
  .strict();

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

/**
 * The results in a file's metadata; undefined where it has none, or none at the thresholds of this
 * program. `file` is only named in messages.
 * @throws UserError when they are damaged
 */
export function storedSweeps(
  { validation }: Readonly<Record<string, string>>,
  file: string,
): readonly PatientSweep[] | undefined {
  if (validation === undefined) return undefined;
  const what = `${file}: its validation results`;
  const remedy = "the file is damaged, or another program wrote it: use another weights file";
  const grid = parseJson(validation, gridSchema, what, remedy);
  if (!same(grid.thresholds, THRESHOLDS) || !same(grid.minVolumes, MIN_VOLUMES)) return undefined;
  return checked(grid, storedSchema, what, remedy).patients;
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
