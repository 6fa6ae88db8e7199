/** A TensorBoard event file that grows: one TFRecord per event. */
import { appendFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeProblem } from "../platform/atomic_file";
import { maskedCrc32c } from "./crc32c";
import { type EventContent, encodeEvent } from "./event";

/** Before the payload: its length in 8 bytes and their masked CRC-32C; after it, the CRC of the payload. */
const [LENGTH, CRC] = [8, 4] as const;

/** The frame of one record (tensorflow/core/lib/io/record_writer.h), little-endian. */
export function framed(payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(LENGTH + CRC + payload.length + CRC);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(payload.length), true);
  view.setUint32(LENGTH, maskedCrc32c(record.subarray(0, LENGTH)), true);
  record.set(payload, LENGTH + CRC);
  view.setUint32(LENGTH + CRC + payload.length, maskedCrc32c(payload), true);
  return record;
}

/** Files that one process has begun within one second get numbers. */
let files = 0;

export class EventFile {
  private constructor(readonly path: string) {}

  /**
   * Begins a new file: TensorBoard reads the files of a folder by their names, so the oldest first.
   * @param firstStep of the events to come; those of earlier files from this step on count no more
   * @throws UserError when it cannot be written
   */
  static begin(folder: string, firstStep: number): EventFile {
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, "0");
    const own = `${hostname()}.${process.pid}.${files++}`;
    const file = new EventFile(join(folder, `events.out.tfevents.${seconds}.${own}`));
    file.write((path) => writeFileSync(path, "", { flag: "wx" }));
    file.append(0, { kind: "version" });
    file.append(firstStep, { kind: "start" });
    return file;
  }

  /** @throws UserError when it cannot be written */
  append(step: number, content: EventContent): void {
    const record = framed(encodeEvent(Date.now() / 1000, step, content));
    this.write((path) => appendFileSync(path, record));
  }

  private write(write: (path: string) => void): void {
    try {
      write(this.path);
    } catch (error) {
      throw writeProblem(this.path, error);
    }
  }
}
