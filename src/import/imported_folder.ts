/** The folder of an imported patient: it appears whole or not at all, and says where it comes from. */
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../core/errors";
import { writeAtomically, writeProblem } from "../platform/atomic_file";
import { removeQuietly, sweepOnce, temporaryPath } from "../platform/leftovers";
import type { Imported } from "./importer";

/** File that says where an imported patient comes from, and how. */
const RECORD = "import.json";

/** Contents of that file. */
export interface ImportRecord {
  /** Importer, its options and rules, citation: a folder that was made with others is refused. */
  readonly settings: object;
  /** The published files. */
  readonly files: object;
}

/** A patient in the layout of MSSEG-2, in memory. */
export interface Made {
  /** Lines for the user. */
  readonly notes: readonly string[];
  /** Absent where the patient is left out; the notes say why. */
  readonly write?: (folder: string) => Promise<void>;
}

/**
 * Makes `out/<id>`, or leaves it alone where the same settings made it already.
 * @throws UserError when something else lies there, or it cannot be written
 */
export async function importInto(
  out: string,
  id: string,
  { settings, files }: ImportRecord,
  make: () => Promise<Made>,
): Promise<Imported> {
  const folder = join(out, id);
  if (await isThere(folder, settings)) return { outcome: "already there", notes: [] };
  const { notes, write } = await make();
  if (!write) return { outcome: "left out", notes };
  sweepOnce(out);
  const partial = temporaryPath(out);
  await mkdir(partial, { recursive: true }).catch((error: Error) => {
    throw new UserError(`${out}: cannot be written to (${error.message}); choose another folder`);
  });
  try {
    await write(partial);
    const record = JSON.stringify({ ...settings, files }, null, 2);
    writeAtomically(join(partial, RECORD), `${record}\n`);
    await rename(partial, folder);
    return { outcome: "written", notes };
  } catch (error) {
    removeQuietly(partial);
    throw writeProblem(folder, error);
  }
}

/** Whether an earlier import, with the same settings, made the folder. */
async function isThere(folder: string, settings: object): Promise<boolean> {
  const inside = await readdir(folder).catch(({ code, message }: NodeJS.ErrnoException) => {
    if (code === "ENOENT") return undefined;
    throw new UserError(`${folder}: cannot be used as a folder (${message}); choose another`);
  });
  if (inside === undefined) return false;
  const text = await readFile(join(folder, RECORD), "utf8").catch(() => undefined);
  if (text === undefined) {
    throw new UserError(
      `${folder}: is there already and was not imported; nothing is overwritten; choose another folder`,
    );
  }
  const { files: _, ...earlier } = parseRecord(text);
  if (JSON.stringify(earlier) !== JSON.stringify(settings)) {
    throw new UserError(
      `${folder}: was imported with other settings (${join(folder, RECORD)}); nothing is ` +
        "overwritten; choose another folder, or remove this one",
    );
  }
  return true;
}

/** Empty where the text is no object: no settings are equal to it. */
function parseRecord(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? { ...value } : {};
  } catch {
    return {};
  }
}
