/**
 * The paths of a command, checked before its work: nothing that it reads is written over, no file is
 * written twice, and everything can be written as far as that can be known.
 */
import { accessSync, closeSync, constants, openSync } from "node:fs";
import { dirname, isAbsolute, relative, sep } from "node:path";
import { UserError } from "../core/errors";
import { writeProblem } from "../platform/atomic_file";
import { freeBytes } from "../platform/disk_room";
import { removeQuietly, temporaryPath } from "../platform/leftovers";
import { isSamePlace, nearestFolder, realPathOf, statusOf } from "../platform/real_path";

/** Paths of an option. */
export interface GivenPaths {
  /** The option, as the user knows it. */
  readonly option: string;
  readonly paths: readonly string[];
  /** Of a folder every file is read, as of DICOM: nothing may be written into it. */
  readonly whole?: boolean;
}

export interface CommandPaths {
  /** Files and folders that are read. */
  readonly reads?: readonly GivenPaths[];
  /** Files that are written. */
  readonly writes?: readonly GivenPaths[];
  /** Folders that are made, or get new files. */
  readonly fills?: readonly GivenPaths[];
}

/** The paths of an option that may be absent. */
export function given(option: string, paths: string | readonly string[] | undefined): GivenPaths {
  return { option, paths: paths === undefined ? [] : typeof paths === "string" ? [paths] : paths };
}

/** The path of a scan: a file, or a folder of DICOM. */
export const givenScan = (option: string, path: string): GivenPaths => ({
  ...given(option, path),
  whole: true,
});

interface Named {
  readonly option: string;
  readonly path: string;
  readonly whole?: boolean;
}

const named = (all: readonly GivenPaths[] = []): Named[] =>
  all.flatMap(({ option, paths, whole }) => paths.map((path) => ({ option, path, whole })));

/**
 * @throws UserError for an empty path, for an output that is an input or another output (by links and
 * by file systems that ignore case, too), that lies in a folder of DICOM, or that cannot be written
 */
export function checkPaths({ reads, writes, fills }: CommandPaths): void {
  const [inputs, files, folders] = [named(reads), named(writes), named(fills)];
  for (const { option, path } of [...inputs, ...files, ...folders]) {
    if (path === "") throw new UserError(`${option}: an empty path; name one, or leave it out`);
  }
  const others = [...inputs];
  for (const output of [...files, ...folders].filter(({ path }) => !isStream(path))) {
    for (const other of others) if (isSamePlace(output.path, other.path)) refuse(output, other);
    for (const input of inputs)
      if (input.whole && isInside(output, input)) refuseInside(output, input);
    others.push(output);
  }
  for (const file of files) checkFile(file);
  for (const folder of folders) checkFolder(folder);
}

/** Pipes and devices, and names for what a shell has opened: one may be read or written several times. */
function isStream(path: string): boolean {
  const status = statusOf(path);
  return (
    /^\/(dev|proc)\//.test(path) ||
    (status !== undefined && !status.isFile() && !status.isDirectory())
  );
}

function refuse(output: Named, other: Named): never {
  const same = output.path === other.path ? "" : `, ${other.path} by another name`;
  throw new UserError(
    `${output.option} ${output.path}: is the path of ${other.option} too${same}; name another`,
  );
}

/** Whether an output lies in a folder. */
function isInside({ path }: Named, folder: Named): boolean {
  if (statusOf(folder.path)?.isDirectory() !== true) return false;
  const inFolder = relative(realPathOf(folder.path), realPathOf(path));
  return inFolder !== ".." && !inFolder.startsWith(`..${sep}`) && !isAbsolute(inFolder);
}

function refuseInside(output: Named, folder: Named): never {
  throw new UserError(
    `${output.option} ${output.path}: lies in the folder that ${folder.option} reads (${folder.path}); ` +
      "name a place outside it",
  );
}

function checkFile({ option, path }: Named): void {
  const name = `${option} ${path}`;
  const status = statusOf(path);
  if (status?.isDirectory()) throw writeProblem(name, problem("EISDIR"));
  if (status !== undefined) checkAccess(name, path);
  if (status !== undefined && isStream(path)) return;
  // A new file takes the place of an old one: that needs the folder.
  const folder = dirname(realPathOf(path));
  if (statusOf(folder) === undefined) {
    throw writeProblem(name, problem(isFile(nearestFolder(path)) ? "ENOTDIR" : "ENOENT"));
  }
  checkRoom(name, folder);
}

function checkFolder({ option, path }: Named): void {
  const name = `${option} ${path}`;
  if (isFile(path)) throw new UserError(`${name}: is a file; name a folder`);
  checkRoom(name, statusOf(path) === undefined ? nearestFolder(path) : path);
}

const isFile = (path: string): boolean => statusOf(path)?.isDirectory() === false;

/** @throws UserError where no file can be made in a folder */
function checkRoom(name: string, folder: string): void {
  if (isFile(folder)) throw writeProblem(name, problem("ENOTDIR"));
  checkAccess(name, folder, constants.W_OK | constants.X_OK);
  const free = freeBytes(folder);
  if (free === 0) throw writeProblem(name, problem("ENOSPC"));
  // A file system that tells of no room, as that of /proc, may take no files whatever the rights say.
  if (free === undefined && !takesFiles(folder)) throw writeProblem(name, problem("EACCES"));
}

/** Tries it with an empty file. */
function takesFiles(folder: string): boolean {
  const probe = temporaryPath(folder);
  try {
    closeSync(openSync(probe, "wx"));
    return true;
  } catch {
    return false;
  } finally {
    removeQuietly(probe);
  }
}

function checkAccess(name: string, path: string, mode = constants.W_OK): void {
  try {
    accessSync(path, mode);
  } catch (error) {
    throw writeProblem(name, error);
  }
}

/** An error as the system would give it. */
const problem = (code: string): Error => Object.assign(new Error(code), { code });
