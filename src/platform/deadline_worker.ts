/** The thread of a Deadline. */
import { FFIType, dlopen as ffiOpen } from "bun:ffi";
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import type { DeadlineData } from "./deadline";

const { seconds, code, line } = workerData as DeadlineData;
const { symbols: libc } = ffiOpen("libc.so.6", {
  _exit: { args: [FFIType.i32], returns: FFIType.void },
});
setTimeout(() => {
  writeSync(2, `voxgrad: ${line}\n`);
  libc._exit(code);
}, 1000 * seconds);
parentPort!.postMessage("set");
