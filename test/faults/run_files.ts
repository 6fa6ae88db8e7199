/** The contents of a run folder without what depends on the clock or on the folder's own path. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../src/data/safetensors_file";

const TIMES = [
  ...["seconds", "secondsLeft", "iterationsPerSecond", "patchesPerSecond"],
  ...["ranks", "exchangeShare"], // of the processes that shared it
];

/** Without times, at any depth. */
const timeless = (text: string): unknown =>
  JSON.parse(text, (key, value: unknown) => (TIMES.includes(key) ? undefined : value));

function contentsOf(folder: string, name: string): unknown {
  const path = join(folder, name);
  if (name === "curves.png") return "shows times";
  if (name.endsWith(".safetensors")) {
    const { tensors, metadata } = readSafetensors(path);
    const { progress = "{}", ...others } = metadata;
    return { tensors: Object.fromEntries(tensors), others, progress: timeless(progress) };
  }
  if (!/\.jsonl?$/.test(name)) return readFileSync(path).toString("base64");
  const text = readFileSync(path, "utf8").replaceAll(folder, "RUN");
  if (name.endsWith(".json")) return timeless(text);
  return text.trimEnd().split("\n").map(timeless);
}

/** By name of the file, those in folders too; also what should not be there, such as a lock. */
export function runFiles(folder: string): ReadonlyMap<string, unknown> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    // The log has a part for each start.
    .filter((name) => name !== "log.txt");
  return new Map(names.sort().map((name) => [name, contentsOf(folder, name)]));
}

/** The names of the files that only one of two runs has, or that differ. */
export function differences(a: string, b: string): string[] {
  const [one, other] = [runFiles(a), runFiles(b)];
  const names = new Set([...one.keys(), ...other.keys()]);
  return [...names].filter((name) => !Bun.deepEquals(one.get(name), other.get(name), true));
}
