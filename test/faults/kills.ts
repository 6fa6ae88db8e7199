/**
 * Trainings that are killed, at each file that gets its name and at random moments, and gone on with: they
 * leave what an uninterrupted one leaves, bit for bit.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Philox } from "../../src/core/random";
import { KilledTraining } from "./killed_training";
import type { Case, Context, Part, Tried } from "./part";

/** Runs that are killed twice each, at random moments. */
const RANDOM_RUNS = 10;

/** Goes on to the end; the files that differ from those of the uninterrupted run. */
async function finished(training: KilledTraining, run: string): Promise<Tried> {
  await training.finish(run);
  const differ = training.differences(run);
  rmSync(run, { recursive: true });
  return differ.length === 0
    ? { end: "right" }
    : { end: "silent", text: `other files: ${differ.join(", ")}` };
}

function atRename(training: KilledTraining, name: string, i: number): Case {
  return {
    id: `rename ${i + 1}, of ${name}`,
    run: async () => {
      const run = training.newRun();
      const isKilled = await training.session(run, { rename: `* ${i + 1}` });
      if (!isKilled) return { end: "silent", text: "the training ended before" };
      return finished(training, run);
    },
  };
}

function atRandom(training: KilledTraining, i: number, random: Philox): Case {
  const moments = [random.uniform(), random.uniform()].map((u) => 0.7 * u * training.duration);
  return {
    id: `killed twice, run ${i}`,
    run: async () => {
      const run = training.newRun();
      for (const after of moments) await training.session(run, { after });
      return finished(training, run);
    },
  };
}

export const kills: Part = {
  name: "kills",
  title:
    "killed at each file that gets its name and 20 times at random, then resumed: the same bits",
  seconds: 300,
  longOnly: true, // its short form is test/kills.test.ts
  cases: async ({ folder, seed }: Context): Promise<Case[]> => {
    const training = await KilledTraining.prepare(join(folder, "training"));
    const random = new Philox(seed);
    return [
      ...training.renamed.map((name, i) => atRename(training, name, i)),
      ...Array.from({ length: RANDOM_RUNS }, (_, i) => atRandom(training, i, random)),
    ];
  },
};
