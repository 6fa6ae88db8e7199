/** The patients of a training with and without lesions, told before it begins. */
import { UserError } from "../core/errors";
import type { PreparedPatient } from "../data/prepared_cache";
import type { TrainConfig } from "../settings/config";
import type { ValidationPatient } from "./validate";

export interface Prepared {
  /** Patients that train, then further pairs that train too. */
  readonly sources: readonly Pick<PreparedPatient, "lesions">[];
  /** Patients that validate. */
  readonly patients: readonly Pick<ValidationPatient, "truth">[];
}

/** New ones, or in the time-swapped twin. */
const hasLesion = ({ lesions }: Prepared["sources"][number]): boolean =>
  lesions.some(({ length }) => length > 0);

function counted(kind: string, have: readonly boolean[]): string {
  const count = have.filter(Boolean).length;
  return `${kind}: ${have.length} (${count} with lesions, ${have.length - count} without)`;
}

/**
 * Lines about them for the user.
 * @param further how many of the pairs that train are no patients of the cohort
 * @throws UserError when patches around lesions are asked for, and there is no lesion to train on
 */
export function lesionLines(
  { positive }: Pick<TrainConfig, "positive">,
  { sources, patients }: Prepared,
  further: number,
): string[] {
  const train = sources.map(hasLesion);
  const val = patients.map(({ truth }) => truth.data.includes(1));
  if (positive > 0 && !train.includes(true)) {
    throw new UserError(
      `--positive ${positive}: none of the ${train.length} pairs that train has a lesion, all of their ` +
        "masks are empty; check the masks, or give --positive 0",
    );
  }
  const cohort = train.slice(0, train.length - further);
  const more = train.slice(cohort.length);
  const arms = [
    counted("training patients", cohort),
    ...(further > 0 ? [counted("further pairs", more)] : []),
    counted("validation patients", val),
  ];
  if (val.includes(true)) return [arms.join("; ")];
  return [
    arms.join("; "),
    "no validation patient has a lesion: there is no Dice, and the newest weights count as the best; " +
      "--val names others",
  ];
}
