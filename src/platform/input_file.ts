/** Files that a user names. Pipes, devices and sockets are refused before they are opened. */
import { closeSync, createReadStream, openSync, readSync, type Stats, statSync } from "node:fs";
import { UserError } from "../core/errors";

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "no such file; check the path",
  ENOTDIR: "a folder of its path is a file; check the path",
  EACCES: "no permission to read the file",
};

/** Names that a shell gives to what it has opened itself, as `/dev/stdin` and `<(zcat …)`. */
const OPENED_BY_SHELL = /^\/dev\/(stdin|fd\/\d+)$|^\/proc\/(self|\d+)\/fd\/\d+$/;

/**
 * Checks that a path is a file, without opening it: a named pipe would wait for ever, a device may
 * never end. A pipe that the shell has opened itself is taken.
 *
 * @param expected the kind of file that is wanted, for messages: "a .nii or .nii.gz file"
 * @returns its size in bytes, or undefined for a pipe
 * @throws UserError that says what lies there instead
 */
export function inputFileSize(path: string, expected: string): number | undefined {
  let status: Stats;
  try {
    status = statSync(path);
  } catch (error) {
    throw readProblem(path, error as NodeJS.ErrnoException);
  }
  if (status.isFile()) return status.size;
  if (status.isFIFO() && OPENED_BY_SHELL.test(path)) return undefined;
  throw new UserError(`${path}: is ${kindOf(status)}; expected ${expected}`);
}

function kindOf(status: Stats): string {
  if (status.isDirectory()) return "a folder";
  if (status.isFIFO()) return "a named pipe";
  if (status.isSocket()) return "a socket";
  return "a device";
}

/** An input file's bytes in pieces, checked as `inputFileSize`. */
export async function* inputFileChunks(
  path: string,
  expected: string,
): AsyncGenerator<Uint8Array, void> {
  inputFileSize(path, expected);
  const stream = createReadStream(path, { highWaterMark: 2 ** 20 });
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    throw readProblem(path, error as NodeJS.ErrnoException);
  } finally {
    stream.destroy();
  }
}

/** The first bytes of a file, fewer where it is shorter. @throws the system's error */
export function firstBytesOf(path: string, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const file = openSync(path, "r");
  try {
    return bytes.slice(0, readSync(file, bytes, 0, count, 0));
  } finally {
    closeSync(file);
  }
}

function readProblem(path: string, { code, message }: NodeJS.ErrnoException): UserError {
  return new UserError(`${path}: ${PROBLEMS[code ?? ""] ?? message}`);
}
