/** Scans that were looked through once are kept in the cache: finding their tissues takes seconds. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import { hashImage } from "../data/nifti_read";
import { writeAtomically } from "../platform/atomic_file";
import { privateCacheDir } from "../platform/cache";
import { touchEntry } from "../platform/cache_entries";
import type { Background } from "./background";
import { filesOf, readBackground, type Source } from "./sources";

/** Raise when the same files give another background. */
const VERSION = 1;
const DIGEST_BYTES = 32;

const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** As readBackground, from the cache or made now. A damaged entry is made again. */
export async function keptBackground(source: Source): Promise<Background> {
  const path = join(privateCacheDir("backgrounds"), `${await keyOf(source)}.bin`);
  const found = readKept(path);
  const { patient, image: name } = source;
  if (found) return { ...found, patient, name };
  const made = await readBackground(source);
  const bytes = serialize(made);
  const data = [digestOf(bytes), bytes];
  writeAtomically(path, data, { mode: 0o600, flush: false });
  return made;
}

async function keyOf(source: Source): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([VERSION]));
  for (const file of filesOf(source)) {
    if (file === undefined) hash.update("none");
    else await hashImage(hash, file);
  }
  return hash.digest("hex").slice(0, 32);
}

/** Undefined where there is none, or not the bytes that were written. */
function readKept(path: string): Background | undefined {
  if (!existsSync(path)) return undefined;
  touchEntry(path);
  const bytes = readFileSync(path);
  const body = bytes.subarray(DIGEST_BYTES);
  if (!digestOf(body).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
  return deserialize(body) as Background;
}
