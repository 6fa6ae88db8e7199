/** The visits of a patient as folders or .zip of DICOM. No image is opened. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { firstBytesOf } from "../platform/input_file";
import { statusOf } from "../platform/real_path";

/** Files that are looked at in a folder, until one is DICOM. */
const LOOKED_AT = 30;
const DEEPEST = 9;

/**
 * Names in a patient's folder that are visits: all folders and .zip in it, where at least one is DICOM. A
 * visit that holds none is among them: its copy failed, and its reader says so.
 */
export function dicomVisitsIn(folder: string, names: readonly string[]): string[] {
  const shown = names.filter((name) => !name.startsWith("."));
  const zips = shown.filter((name) => /\.zip$/i.test(name));
  const folders = shown.filter((name) => isFolder(join(folder, name)));
  const isAny = zips.length > 0 || folders.some((name) => holdsDicom(join(folder, name)));
  return isAny ? [...new Set([...folders, ...zips])] : [];
}

/** Name of a visit: of its folder, or of its archive without the ending. */
export const visitName = (name: string): string => name.replace(/\.zip$/i, "");

const isFolder = (path: string): boolean => statusOf(path)?.isDirectory() ?? false;

/** Whether one of the first files is DICOM: "DICM" after a preamble of 128 bytes (PS3.10, 7.1). */
function holdsDicom(folder: string): boolean {
  let left = LOOKED_AT;
  const walk = (path: string, depth: number): boolean => {
    for (const name of namesIn(path)) {
      const inside = join(path, name);
      if (isFolder(inside)) {
        if (depth < DEEPEST && walk(inside, depth + 1)) return true;
      } else if (left-- <= 0) return false;
      else if (isDicom(inside)) return true;
    }
    return false;
  };
  return walk(folder, 0);
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return []; // Its reader says why it cannot be read.
  }
}

function isDicom(path: string): boolean {
  try {
    if (!statusOf(path)?.isFile()) return false;
    return Buffer.from(firstBytesOf(path, 132)).toString("latin1", 128) === "DICM";
  } catch {
    return false;
  }
}
