/** dcm2niix, which converts DICOM to NIfTI: the system's program, else the npm package. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../core/errors";
import { firstBytesOf } from "../platform/input_file";
import { type Conversion, conversionOf, OPTIONS } from "./conversion";

export interface Converter {
  readonly name: string;
  /** Words before the options of dcm2niix. */
  readonly command: readonly string[];
}

/** A whole examination takes the program seconds, the package a minute. */
const LIMIT_SECONDS = 600;

/**
 * @param path folders in which the system's program is looked for
 * @throws UserError where there is neither
 */
export function findConverter(path = process.env.PATH ?? ""): Converter {
  const program = Bun.which("dcm2niix", { PATH: path });
  if (program) return { name: program, command: [program] };
  try {
    Bun.resolveSync("@niivue/dcm2niix", import.meta.dir);
  } catch {
    throw new UserError(
      "DICOM needs dcm2niix, and there is none: install the program (apt, brew and conda have " +
        "it), or the optional package by bun install",
    );
  }
  const script = join(import.meta.dir, "packaged_converter.ts");
  return { name: "@niivue/dcm2niix", command: [process.execPath, script] };
}

/**
 * Converts everything in a folder and the folders in it.
 * @param input folder of DICOM; `name` stands for it in messages
 * @param output an empty folder for the images
 * @throws UserError for what is no DICOM, is cut off or takes too long
 * @throws the signal's reason when interrupted
 */
export async function convert(
  { name: program, command }: Converter,
  input: string,
  output: string,
  name: string,
  { signal, limitSeconds = LIMIT_SECONDS }: { signal?: AbortSignal; limitSeconds?: number } = {},
): Promise<Conversion> {
  const child = Bun.spawn([...command, ...OPTIONS, output, resolve(input)], {
    ...{ stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    ...{ killSignal: "SIGKILL", signal },
  });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, limitSeconds * 1000);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]).finally(() => clearTimeout(limit));
  signal?.throwIfAborted();
  if (isLate) {
    throw new UserError(
      `${name}: ${program} did not end within ${limitSeconds} s; give the folder of the FLAIR ` +
        "series alone, or convert it yourself",
    );
  }
  const outcome = {
    lines: `${out}\n${err}`.split(/\r?\n/),
    code: child.exitCode ?? 1,
    names: readdirSync(output),
    read: (file: string, most?: number) => {
      const path = join(output, file);
      return most === undefined ? readFileSync(path) : firstBytesOf(path, most);
    },
  };
  return conversionOf(outcome, name, program);
}
