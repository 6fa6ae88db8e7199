/** Alignments that were found are kept in the cache: the same two scans are registered once. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../core/json";
import { writeAtomically } from "../platform/atomic_file";
import { privateCacheDir } from "../platform/cache";
import { touchEntry } from "../platform/cache_entries";
import { ALIGNMENT_VERSION, type Alignment } from "../register/align";

const number = z.number();
const affine = z.array(number).length(16);
const fit = z.strictObject({
  motion: z.array(number),
  ...{ logScale: number, scale: number, meanWeight: number, points: number },
});
const registration = z.strictObject({
  ...{ toVisit1: affine, toVisit2: affine, logScale: number, transform: affine, fit },
  ...{ steps: number, similarity: number, similarityBefore: number, moved: number },
});
const alignment = z.strictObject({
  registration: registration.optional(),
  ...{ aligned: z.boolean(), trusted: z.boolean(), mirrored: z.boolean() },
  notes: z.array(z.string()),
}) satisfies z.ZodType<Alignment>;
/** null: nothing was looked for, as of images that are smaller than a head. */
const found = alignment.nullable();
const keptSchema = z.strictObject({ sha256: z.string(), found });

const digestOf = (value: unknown) =>
  createHash("sha256").update(JSON.stringify(value)).digest("hex");

/**
 * What was found about these scans before, or is found now.
 * @param scans their contents, and how they were looked at
 * @param onNote gets a line where what was kept is damaged: it is looked for again
 */
export async function keptAlignment(
  scans: readonly string[],
  find: () => Promise<Alignment | undefined>,
  onNote: (line: string) => void,
): Promise<Alignment | undefined> {
  const key = digestOf([ALIGNMENT_VERSION, scans]).slice(0, 32);
  const path = join(privateCacheDir("alignments"), `${key}.json`);
  if (existsSync(path)) {
    touchEntry(path);
    try {
      const kept = parseJson(readFileSync(path, "utf8"), keptSchema, path, "remove it");
      if (digestOf(kept.found) === kept.sha256) return kept.found ?? undefined;
    } catch {} // Damaged.
    onNote(`${path}: damaged in the cache; the pair is registered again`);
  }
  // Parsed, it has the fields of the file in their order, and no others.
  const now = found.parse(JSON.parse(JSON.stringify((await find()) ?? null)));
  const text = JSON.stringify({ sha256: digestOf(now), found: now });
  writeAtomically(path, text, { mode: 0o600, flush: false });
  return now ?? undefined;
}
