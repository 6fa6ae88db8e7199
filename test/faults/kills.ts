/**
 * `bun test/faults/kills.ts`: kills tiny trainings, at each file that gets its name and at random moments,
 * goes on with them, and compares what they leave with an uninterrupted run, bit for bit.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../../src/core/random";
import { makeCommand, say } from "../../src/terminal/command";
import { runMain } from "../../src/terminal/main";
import { countOption, numberOption } from "../../src/terminal/options";
import { KilledTraining } from "./killed_training";

interface Options {
  readonly kills: number;
  readonly seed: number;
  readonly renames: boolean;
}

const program = makeCommand("kills", "Kills trainings and compares what they leave.")
  .option("--kills <n>", "kills at random moments", countOption, 20)
  .option("--seed <n>", "of the moments", numberOption, 0)
  .option("--no-renames", "leave out the kills at each file that gets its name");
program.parse();
await runMain(() => main(program.opts<Options>()));

async function main({ kills, seed, renames }: Options): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-kills-"));
  try {
    const training = await KilledTraining.prepare(folder);
    const counts = renames ? [await atRenames(training)] : [];
    counts.push(await atRandom(training, kills, new Philox(seed)));
    for (const line of counts) console.log(line);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Goes on to the end; how many of the files differ from those of the uninterrupted run. */
async function compared(training: KilledTraining, run: string, what: string): Promise<number> {
  await training.finish(run);
  const differ = training.differences(run);
  rmSync(run, { recursive: true });
  const outcome = differ.length === 0 ? "the same bits" : `DIFFERENT: ${differ.join(", ")}`;
  say(`${what}: ${outcome}`);
  if (differ.length > 0) process.exitCode = 1;
  return differ.length === 0 ? 0 : 1;
}

async function atRenames(training: KilledTraining): Promise<string> {
  let wrong = 0;
  for (const [i, name] of training.renamed.entries()) {
    const run = training.newRun();
    await training.session(run, { rename: `* ${i + 1}` });
    wrong += await compared(training, run, `killed before rename ${i + 1}, of ${name}`);
  }
  return `${training.renamed.length} kills at renames: ${wrong} runs differ`;
}

/** A run is killed again and again until it ends by itself; then comes the next. */
async function atRandom(training: KilledTraining, kills: number, random: Philox): Promise<string> {
  let [killed, runs, wrong] = [0, 0, 0];
  while (killed < kills) {
    const run = training.newRun();
    const before = killed;
    for (let isAlive = true; isAlive && killed < kills; ) {
      isAlive = await training.session(run, { after: training.duration * random.uniform() });
      if (isAlive) killed++;
    }
    runs++;
    wrong += await compared(training, run, `killed ${killed - before} times at random moments`);
  }
  return `${killed} kills at random moments in ${runs} runs: ${wrong} runs differ`;
}
