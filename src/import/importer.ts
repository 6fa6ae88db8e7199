/** An importer brings a public data set into the layout of MSSEG-2; index.ts lists them all. */
import { mkdir } from "node:fs/promises";
import type { Option, OptionValues } from "commander";
import { UserError } from "../core/errors";
import type { Memory } from "../gpu/memory";

export interface Importer {
  /** Subcommand of `bun run import`. */
  readonly name: string;
  /** Whose data it is, its licence and its contents; for help. */
  readonly help: string;
  /** The folder that it reads; for help. */
  readonly dir: string;
  readonly options: readonly Option[];
  /** It computes on the device: the subcommand takes `--adapter`. */
  readonly usesDevice: boolean;
  /**
   * Writes the data set in `dir` to `out`. Patients that are there already are left alone.
   * @param options values of {@link options} by name
   * @throws UserError when something is missing in `dir`, or cannot be used or written
   */
  run(dir: string, out: string, options: OptionValues, tools: ImportTools): Promise<Summary>;
}

/** The command hands these in. */
export interface ImportTools {
  /** Prints a line. */
  readonly say: (line: string) => void;
  /** The memory of the device, which is opened when first asked for. */
  readonly memory: () => Promise<Memory>;
}

/** Numbers of patients. */
export interface Summary {
  readonly written: number;
  readonly alreadyThere: number;
  /** Those that could not be made; a line said why. */
  readonly leftOut: number;
}

/** The outcome of a patient, and lines for the user. */
export interface Imported {
  readonly outcome: "written" | "already there" | "left out";
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
  const counts = { written: 0, "already there": 0, "left out": 0 };
  for (const [i, patient] of patients.entries()) {
    const { outcome, notes } = await importOne(patient);
    for (const note of notes) say(note);
    say(`${i + 1}/${patients.length}  ${patient.id}  ${outcome}`);
    counts[outcome]++;
  }
  const { written, "already there": alreadyThere, "left out": leftOut } = counts;
  return { written, alreadyThere, leftOut };
}
