import { FFIType, dlopen as ffiOpen } from "bun:ffi";
import { closeSync, fstatSync, readSync, writeSync } from "node:fs";
import { UserError } from "../core/errors";

/**
 * The few calls into the C library (Linux, glibc) that make a Vulkan driver visible to Dawn within
 * a running process: assigning to `process.env` does not reach `getenv`, and `LD_LIBRARY_PATH` is
 * read only at process start.
 */
const libc = once(() => {
  try {
    return openLibc();
  } catch (error) {
    throw new UserError(
      `the C library cannot be called (${(error as Error).message}): drivers cannot be loaded; allow this ` +
        "process more memory, and Bun its JIT",
    );
  }
});

const openLibc = () =>
  ffiOpen("libc.so.6", {
    dlopen: { args: [FFIType.cstring, FFIType.i32], returns: FFIType.ptr },
    dlsym: { args: [FFIType.ptr, FFIType.cstring], returns: FFIType.ptr },
    dlerror: { args: [], returns: FFIType.cstring },
    setenv: { args: [FFIType.cstring, FFIType.cstring, FFIType.i32], returns: FFIType.i32 },
    unsetenv: { args: [FFIType.cstring], returns: FFIType.i32 },
    memfd_create: { args: [FFIType.cstring, FFIType.u32], returns: FFIType.i32 },
    dup: { args: [FFIType.i32], returns: FFIType.i32 },
    dup2: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
  }).symbols;

const RTLD_NOW = 2; // with RTLD_LOCAL (0): symbols of LLVM must not leak into the process
const RTLD_GLOBAL = 0x100;
const STDERR = 2;

/**
 * Loads a shared library for the rest of the process. glibc then satisfies later requests for the
 * same SONAME with it, wherever the file lies. Returns null, or the linker's reason for refusing.
 */
export function loadLibrary(path: string): string | null {
  if (libc().dlopen(cString(path), RTLD_NOW)) return null;
  return String(libc().dlerror() ?? "unknown error");
}

/**
 * Loads a shared library whose own plugins look its symbols up in the whole process.
 * @returns the address of each of the named symbols
 * @throws Error with the linker's reason
 */
export function loadGlobally(path: string): (symbol: string) => number {
  const library = libc().dlopen(cString(path), RTLD_NOW | RTLD_GLOBAL);
  if (!library) throw new Error(String(libc().dlerror() ?? "unknown error"));
  return (symbol) => {
    const address = libc().dlsym(library, cString(symbol));
    if (address) return Number(address);
    throw new Error(`${path} has no symbol ${symbol}`);
  };
}

/** Sets (or with undefined removes) a variable where C libraries read it. */
export function setNativeEnv(name: string, value: string | undefined): void {
  if (value === undefined) libc().unsetenv(cString(name));
  else libc().setenv(cString(name), cString(value), 1);
}

/**
 * Runs `call`, which must be synchronous, with what it writes to stderr caught instead of shown:
 * Dawn prints its reasons for refusing an adapter there, and two warnings that mean nothing here.
 * Elsewhere than on Linux nothing is caught.
 */
export function catchStderr<T>(call: () => T): { value: T; text: string } {
  if (process.platform !== "linux") return { value: call(), text: "" };
  const file = libc().memfd_create(cString("stderr"), 0);
  const saved = libc().dup(STDERR);
  if (file < 0 || saved < 0) return { value: call(), text: "" };
  libc().dup2(file, STDERR);
  let value: T;
  try {
    value = call();
  } finally {
    libc().dup2(saved, STDERR);
    closeSync(saved);
  }
  const bytes = Buffer.alloc(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  return { value, text: bytes.toString() };
}

/** Writes a line to stderr at once. */
export function printLine(line: string): void {
  writeSync(STDERR, `${line}\n`);
}

function cString(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
