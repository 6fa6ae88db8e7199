/** A text file that another process appends to, and may put a shorter one in the place of: its new lines. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export interface News {
  /** The lines before these are no longer in the file. */
  readonly reset: boolean;
  /** Whole lines only: text after the last line break is not finished yet. */
  readonly lines: readonly string[];
}

const NONE: News = { reset: false, lines: [] };
const LINE_BREAK = 10;
/** Bytes before the place reached: they tell a file that was written anew in place, and has grown since. */
const TAIL = 64;

export class FollowedFile {
  /** Bytes of whole lines that were read. */
  private offset = 0;
  private inode: number | undefined;
  private tail = Buffer.alloc(0);

  constructor(private readonly path: string) {}

  /** What is new since the last call; nothing where there is no file. */
  poll(): News {
    let descriptor: number;
    try {
      descriptor = openSync(this.path, "r");
    } catch {
      return this.forget();
    }
    try {
      return this.read(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  private read(descriptor: number): News {
    const { ino, size } = fstatSync(descriptor);
    const reset = !this.isSame(descriptor, ino, size) && this.forget().reset;
    this.inode = ino;
    const bytes = readAt(descriptor, this.offset, size - this.offset);
    const end = bytes.lastIndexOf(LINE_BREAK) + 1;
    if (end === 0) return reset ? { reset, lines: [] } : NONE;
    this.offset += end;
    this.tail = Buffer.concat([this.tail, bytes.subarray(0, end)]).subarray(-TAIL);
    return { reset, lines: bytes.toString("utf8", 0, end - 1).split("\n") };
  }

  private isSame(descriptor: number, inode: number, size: number): boolean {
    if (this.inode === undefined) return true;
    if (inode !== this.inode || size < this.offset) return false;
    const { tail, offset } = this;
    return readAt(descriptor, offset - tail.length, tail.length).equals(tail);
  }

  /** From the start of the file again. */
  private forget(): News {
    const reset = this.offset > 0;
    this.offset = 0;
    this.inode = undefined;
    this.tail = Buffer.alloc(0);
    return reset ? { reset, lines: [] } : NONE;
  }
}

/** Fewer bytes where the file ends before. */
function readAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, length));
  let at = 0;
  while (at < length) {
    const read = readSync(descriptor, bytes, at, length - at, position + at);
    if (read === 0) break;
    at += read;
  }
  return bytes.subarray(0, at);
}
