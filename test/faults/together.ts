/** Two processes that start at one moment, on one run folder or on one empty cache. */
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { readSafetensors } from "../../src/data/safetensors_file";
import { cacheDir } from "../../src/platform/cache";
import { bunRun, judgeRefusal, judgeSuccess } from "./command";
import type { Case, Context, Part, Tried } from "./part";
import { type Rig, training, writeRig } from "./rig";

const TIMES = 10;
const ITERATIONS = 6;
const SEEDS = [1, 2] as const;

const weightsOf = (run: string) => readSafetensors(join(run, "last.safetensors")).tensors;
const jsonOf = (run: string, name: string): Promise<unknown> => Bun.file(join(run, name)).json();

const trainingOf = (rig: Rig, out: string, seed: number) => [
  ...[...training(rig, out, ITERATIONS), "--seed", `${seed}`],
];

/** The worse of two ends, with the memory of the larger process. */
function both(a: Tried, b: Tried): Tried {
  const bad = [a, b].find(({ end }) => end !== "right" && end !== "refused");
  return { ...(bad ?? b), bytes: Math.max(a.bytes ?? 0, b.bytes ?? 0) };
}

/** One trains, as if alone; the other is refused. */
async function oneRun(rig: Rig, alone: readonly string[], run: string): Promise<Tried> {
  const lefts = await Promise.all(SEEDS.map((seed) => bunRun(trainingOf(rig, run, seed))));
  const winner = lefts.findIndex(({ code }) => code === 0);
  const loser = lefts[1 - winner];
  if (winner < 0 || !loser) return judgeSuccess(lefts[0]!);
  const refusal = judgeRefusal(loser, /trains in this folder|holds a training run already/);
  const won = lefts[winner]!;
  const success = judgeSuccess(won);
  const whole = alone[winner]!;
  const differ = [
    !Bun.deepEquals(weightsOf(run), weightsOf(whole)) && "weights",
    !Bun.deepEquals(await jsonOf(run, "config.json"), await jsonOf(whole, "config.json")) &&
      "config.json",
    !Bun.deepEquals(await jsonOf(run, "split.json"), await jsonOf(whole, "split.json")) &&
      "split.json",
    readdirSync(run).some((name) => /lock$|tmp$/.test(name)) && "what is left over",
  ].filter(Boolean);
  rmSync(run, { recursive: true });
  if (differ.length === 0) return both(success, refusal);
  return { end: "silent", text: `not as alone: ${differ.join(", ")}\n${won.err}` };
}

/** Drivers and compiled kernels are those of the user's cache: a new one would ask the network. */
function newCache(path: string): void {
  mkdirSync(path);
  for (const name of ["lavapipe", "swiftshader", "compiled"]) {
    if (existsSync(cacheDir(name))) symlinkSync(cacheDir(name), join(path, name));
  }
}

/** Both train, as if alone. */
async function oneCache(rig: Rig, alone: readonly string[], folder: string): Promise<Tried> {
  mkdirSync(folder);
  const cache = join(folder, "cache");
  newCache(cache);
  const runs = SEEDS.map((seed) => join(folder, `run${seed}`));
  const env = { VOXGRAD_CACHE: cache };
  const lefts = await Promise.all(
    SEEDS.map((seed, i) => bunRun(trainingOf(rig, runs[i]!, seed), { env })),
  );
  const [a, b] = lefts.map((left, i) =>
    judgeSuccess(left, () =>
      Bun.deepEquals(weightsOf(runs[i]!), weightsOf(alone[i]!)) ? undefined : "other weights",
    ),
  ) as [Tried, Tried];
  const left = readdirSync(join(cache, "prepared")).filter((name) => !/\.bin(\.json)?$/.test(name));
  rmSync(folder, { recursive: true });
  if (left.length > 0) return { end: "silent", text: `left in the cache: ${left.join(", ")}` };
  return both(a, b);
}

export const together: Part = {
  name: "together",
  title: "two trainings at one moment: on one run folder, on one empty cache",
  seconds: 300,
  cases: async ({ folder, short }: Context): Promise<Case[]> => {
    const rig = await writeRig(join(folder, "rig"));
    const alone = SEEDS.map((seed) => join(folder, `alone${seed}`));
    for (const [i, seed] of SEEDS.entries()) {
      const { code, err } = await bunRun(trainingOf(rig, alone[i]!, seed));
      if (code !== 0) throw new Error(err);
    }
    return Array.from({ length: short ? 1 : TIMES }, (_, i): Case[] => [
      { id: `one run folder, ${i + 1}`, run: () => oneRun(rig, alone, join(folder, `run${i}`)) },
      { id: `one cache, ${i + 1}`, run: () => oneCache(rig, alone, join(folder, `both${i}`)) },
    ]).flat();
  },
};
