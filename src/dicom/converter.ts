/** dcm2niix, which converts DICOM to NIfTI: the system's program, else the npm package. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { NIFTI1 } from "nifti-reader-js";
import { UserError } from "../core/errors";
import { firstBytesOf } from "../platform/input_file";
import { parseSidecar, type Sidecar } from "./sidecar";

export interface Converter {
  readonly name: string;
  /** Words before the options of dcm2niix. */
  readonly command: readonly string[];
}

/** An image that was converted; a series may give several. */
export interface Converted {
  /** The NIfTI file. */
  readonly path: string;
  readonly sidecar: Sidecar;
  readonly size: readonly [nx: number, ny: number, nz: number];
  readonly volumes: number;
  /** Edges of a voxel, mm. */
  readonly spacing: readonly [number, number, number];
  /** Lines that dcm2niix wrote about it. */
  readonly warnings: readonly string[];
}

export interface Conversion {
  readonly images: readonly Converted[];
  /** Lines about what is not as it should be. */
  readonly notes: readonly string[];
  /** Whether everything with DICOM's signature became part of an image. */
  readonly complete: boolean;
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
  // What decides the result is said: a file in the user's home may hold other defaults.
  const options = "-b y -ba n -z n -i n -s n -x n -d 9 -f s%s -o".split(" ");
  const child = Bun.spawn([...command, ...options, output, resolve(input)], {
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
  const lines = `${out}\n${err}`.split(/\r?\n/);
  refuseCutOff(lines, name);
  const images = imagesIn(output, lines);
  if (images.length > 0) return { images, ...shortcomings(lines, child.exitCode ?? 1, name) };
  const why = lines.findLast((line) => /\b(error|warning)\b/i.test(line)) ?? lines.join(" ");
  throw new UserError(
    /unable to find any DICOM/i.test(`${out}${err}`)
      ? `${name}: there is no DICOM image in it; give a NIfTI file, or a folder or .zip of DICOM`
      : `${name}: ${program} converts none of it (code ${child.exitCode}: ${why.trim()})`,
  );
}

/** dcm2niix leaves out the series of such a file, which may be the one that is wanted. */
function refuseCutOff(lines: readonly string[], name: string): void {
  for (const line of lines) {
    const path = /^Warning: File not large enough to store image data: (.+)$/.exec(line)?.[1];
    if (path === undefined) continue;
    const file = path.split(/[\\/]/).at(-1);
    throw new UserError(`${name}: ${file} in it is cut off; copy it again from its source`);
  }
}

const FOUND = /^Found (\d+) DICOM/;
const CONVERTED = /^Convert (\d+) DICOM as (.+) \([\dx]+\)$/;

function shortcomings(
  lines: readonly string[],
  code: number,
  name: string,
): Pick<Conversion, "notes" | "complete"> {
  const sum = (pattern: RegExp) =>
    lines.reduce((total, line) => total + Number(pattern.exec(line)?.[1] ?? 0), 0);
  const [found, converted] = [sum(FOUND), sum(CONVERTED)];
  const complete = code === 0 && converted >= found;
  if (complete) return { notes: [], complete };
  const left = found - converted;
  const about =
    left > 0
      ? `${left} of its ${found} DICOM files gave no image (no images, damaged, or not to be read)`
      : `dcm2niix ended with code ${code}`;
  return { notes: [`${name}: ${about}`], complete };
}

function imagesIn(folder: string, lines: readonly string[]): Converted[] {
  const warnings = warningsByImage(lines);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => ({ base: file.slice(0, -".json".length), sidecar: join(folder, file) }))
    .flatMap(({ base, sidecar }) => {
      const path = join(folder, `${base}.nii`);
      const dims = dimensionsOf(path);
      if (!dims) return [];
      const text = readFileSync(sidecar, "utf8");
      return [{ path, sidecar: parseSidecar(text), ...dims, warnings: warnings.get(base) ?? [] }];
    });
}

/** The program says what it thinks of an image before it says that it converts it. */
function warningsByImage(lines: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  let pending: string[] = [];
  for (const line of lines) {
    const base = CONVERTED.exec(line)?.[2]?.split(/[\\/]/).at(-1);
    if (base !== undefined) {
      found.set(base, pending);
      pending = [];
    } else if (/warning|error/i.test(line)) pending.push(line);
  }
  return found;
}

function dimensionsOf(path: string): Pick<Converted, "size" | "volumes" | "spacing"> | undefined {
  if (!existsSync(path)) return undefined; // As of a series that is no image.
  const header = new NIFTI1();
  header.readHeader(new Uint8Array(firstBytesOf(path, 352)).buffer);
  const [, nx = 1, ny = 1, nz = 1, volumes = 1] = header.dims;
  const [, dx = 0, dy = 0, dz = 0] = header.pixDims;
  return { size: [nx, ny, nz], volumes: Math.max(volumes, 1), spacing: [dx, dy, dz] };
}
