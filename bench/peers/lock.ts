/** Makes several measurements on one machine take turns. */
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync } from "node:fs";

const LOCK_EX = 2;

/**
 * Runs `body` while holding an exclusive flock(2) on `file`; without a file it just runs it. For
 * machines on which others measure or build at the same time and take the same lock.
 */
export async function locked<T>(file: string | undefined, body: () => Promise<T>): Promise<T> {
  if (!file) return body();
  const libc = process.platform === "darwin" ? "libSystem.B.dylib" : "libc.so.6";
  const { symbols } = dlopen(libc, {
    flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  });
  const descriptor = openSync(file, "a");
  try {
    if (symbols.flock(descriptor, LOCK_EX) !== 0) throw new Error(`${file}: cannot be locked`);
    return await body();
  } finally {
    closeSync(descriptor); // releases it
  }
}
