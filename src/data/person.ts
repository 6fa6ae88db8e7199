/** The person whose scans a pair is made of. Pairs of one person share scans, or at least a brain. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { composed } from "./file_names";

/** In the folder of a pair: the name of the person, on one line. */
export const PERSON_FILE = "person.txt";

/** Two visits at the end of a pair's id, as `bun run import` names it: P1_T1_T2, sub-01_ses-1_ses-2. */
const PAIR_OF_VISITS = /^(.+)_(?:T\d+_T\d+|ses-[^_]+_ses-[^_]+)$/i;

/** @param person as its folder's file says; else the id decides */
export function personOf({ id, person }: { readonly id: string; readonly person?: string }) {
  return person ?? PAIR_OF_VISITS.exec(id)?.[1] ?? id;
}

/**
 * The person that a folder's file names; undefined where there is none.
 * @param inside names in the folder
 * @throws UserError for a file that does not hold one name
 */
export function readPerson(folder: string, inside: readonly string[]): string | undefined {
  if (!inside.includes(PERSON_FILE)) return undefined;
  const path = join(folder, PERSON_FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UserError(`${path}: cannot be read (${(error as Error).message}); check it`);
  }
  const lines = text.trim().split(/\s*\n\s*/);
  if (lines.length === 1 && lines[0] !== "") return composed(lines[0]!);
  throw new UserError(
    `${path}: holds ${text.trim() === "" ? "nothing" : `${lines.length} lines`}; expected the name of the ` +
      "person on one line, the same in all folders of that person",
  );
}

/** A line for the user where a person has several pairs. */
export function personsNote(
  root: string,
  patients: readonly { readonly id: string; readonly person?: string }[],
): string | undefined {
  const persons = Map.groupBy(patients, personOf);
  if (persons.size === patients.length) return undefined;
  const several = [...persons].filter(([, pairs]) => pairs.length > 1).map(([name]) => name);
  const more = several.length > 4 ? `, … ${several.length} persons` : "";
  return (
    `${root}: ${patients.length} pairs of ${persons.size} persons; those of one person ` +
    `(${several.slice(0, 4).join(", ")}${more}) stay on one side of a split`
  );
}
