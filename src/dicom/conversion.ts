/** The images that dcm2niix has made of an examination, from its files and from its words. A page may import it. */
import { NIFTI1 } from "nifti-reader-js";
import { UserError } from "../core/errors";
import { parseSidecar, type Sidecar } from "./sidecar";

/** An image that was converted; a series may give several. */
export interface Converted {
  /** The NIfTI file, in the folder that was written. */
  readonly file: string;
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

/** The options of every conversion, before those of its folders: a file in the user's home may hold other defaults. */
export const OPTIONS: readonly string[] = "-b y -ba n -z n -i n -s n -x n -d 9 -f s%s -o".split(
  " ",
);

/** What the program has left behind. */
export interface Outcome {
  readonly lines: readonly string[];
  readonly code: number;
  /** Of the files that it wrote. */
  readonly names: readonly string[];
  /** The first bytes of one of them, `most` at most. */
  read(name: string, most?: number): Uint8Array;
}

/**
 * @param name stands for the examination in messages
 * @param program that converted it
 * @throws UserError for what is no DICOM or is cut off
 */
export function conversionOf(outcome: Outcome, name: string, program: string): Conversion {
  const { lines, code } = outcome;
  refuseCutOff(lines, name);
  const images = imagesOf(outcome);
  if (images.length > 0) return { images, ...shortcomings(lines, code, name) };
  const why = lines.findLast((line) => /\b(error|warning)\b/i.test(line)) ?? lines.join(" ");
  throw new UserError(
    lines.some((line) => /unable to find any DICOM/i.test(line))
      ? `${name}: there is no DICOM image in it; give a NIfTI file, or a folder or .zip of DICOM`
      : `${name}: ${program} converts none of it (code ${code}: ${why.trim()})`,
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

function imagesOf({ names, lines, read }: Outcome): Converted[] {
  const warnings = warningsByImage(lines);
  return names
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -".json".length))
    .flatMap((base) => {
      const file = `${base}.nii`;
      if (!names.includes(file)) return []; // As of a series that is no image.
      const sidecar = parseSidecar(new TextDecoder().decode(read(`${base}.json`)));
      return [
        { file, sidecar, ...dimensionsOf(read(file, 352)), warnings: warnings.get(base) ?? [] },
      ];
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

function dimensionsOf(start: Uint8Array): Pick<Converted, "size" | "volumes" | "spacing"> {
  const header = new NIFTI1();
  header.readHeader(new Uint8Array(start).buffer);
  const [, nx = 1, ny = 1, nz = 1, volumes = 1] = header.dims;
  const [, dx = 0, dy = 0, dz = 0] = header.pixDims;
  return { size: [nx, ny, nz], volumes: Math.max(volumes, 1), spacing: [dx, dy, dz] };
}
