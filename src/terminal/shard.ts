/** A part of the work for one process of several: `--shard 2/5` does what falls to the second of five. */
import { UserError } from "../core/errors";
import { optionParser } from "./options";

export interface Shard {
  /** From 1 to `of`. */
  readonly index: number;
  readonly of: number;
}

/** `2/5`. @throws UserError for anything else */
export function readShard(text: string): Shard {
  const [, index, of] = (/^(\d{1,6})\/(\d{1,6})$/.exec(text.trim()) ?? []).map(Number);
  if (index !== undefined && of !== undefined && index >= 1 && index <= of) return { index, of };
  throw new UserError("expected a part and how many there are, from 1/n to n/n, such as 2/5.");
}

/**
 * Whether a name falls to a shard: by its hash, so that it does not depend on the other names. Every name
 * falls to exactly one of n shards.
 */
export function isOfShard(name: string, shard: Shard | undefined): boolean {
  return shard === undefined || hashOf(name.normalize("NFC")) % shard.of === shard.index - 1;
}

/** FNV-1a of the UTF-8 bytes, 32 bits, with MurmurHash3's last mixing: FNV's low bits are poor. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export const SHARD_OPTION = [
  "--shard <i/n>",
  "only the i-th of n parts, by a hash of the names: for jobs on several machines",
  optionParser(readShard),
] as const;
