/** An importer brings a public data set into the layout of MSSEG-2; index.ts lists them all. */
import { mkdir } from "node:fs/promises";
import type { Option, OptionValues } from "commander";
import { UserError } from "../core/errors";

export interface Importer {
  /** Subcommand of `bun run import`. */
  readonly name: string;
  /** Whose data it is, its licence and its contents; for help. */
  readonly help: string;
  /** The folder that it reads; for help. */
  readonly dir: string;
  readonly options: readonly Option[];
  /**
   * Writes the data set in `dir` to `out`. Patients that are there already are left alone.
   * @param options values of {@link options} by name
   * @param say prints a line
   * @throws UserError when something is missing in `dir`, or cannot be used or written
   */
  run(
    dir: string,
    out: string,
    options: OptionValues,
    say: (line: string) => void,
  ): Promise<Summary>;
}

/** Numbers of patients. */
export interface Summary {
  readonly written: number;
  readonly alreadyThere: number;
}

/** The outcome of a patient, and lines for the user. */
export interface Imported {
  readonly outcome: "written" | "already there";
  readonly notes: readonly string[];
}

/**
 * Imports patients one after another and says how each went; makes `out` first.
 * @throws UserError when `out` cannot be made, or a patient cannot be imported
 */
export async function importPatients<P extends { readonly id: string }>(
  patients: readonly P[],
  out: string,
  say: (line: string) => void,
  importOne: (patient: P) => Promise<Imported>,
): Promise<Summary> {
  await mkdir(out, { recursive: true }).catch((error: Error) => {
    throw new UserError(`${out}: cannot be used as a folder (${error.message}); choose another`);
  });
  let written = 0;
  for (const [i, patient] of patients.entries()) {
    const { outcome, notes } = await importOne(patient);
    for (const note of notes) say(note);
    say(`${i + 1}/${patients.length}  ${patient.id}  ${outcome}`);
    if (outcome === "written") written++;
  }
  return { written, alreadyThere: patients.length - written };
}
