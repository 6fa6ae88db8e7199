/**
 * `bun bench/cohort.ts [--pairs 20] [--cohort DIR] [--weights W] [--processes 1]`: every pair by a command
 * of its own, then all by `predict --cohort`; seconds of both and their ratio, as text and as JSON.
 * Without --cohort phantom pairs are made, without --weights the network has random ones of the preset
 * `small`. Run it on a quiet machine, twice: the first run fills the caches of driver and tuner.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPairs } from "../src/cohort/pairs";
import { writePhantom } from "../src/data/phantom/cohort";
import { writeSafetensors } from "../src/data/safetensors_file";
import { weightsMetadata } from "../src/infer/model_info";
import { initialise, toNamed, unetParameters } from "../src/nn/parameters";
import { makeTrainConfig } from "../src/settings/presets";
import { makeCommand, say } from "../src/terminal/command";
import { runMain } from "../src/terminal/main";
import { countOption } from "../src/terminal/options";
import { printResult } from "../src/terminal/result";
import { unetConfig } from "../src/train/state";

const program = makeCommand("cohort", "Times single commands against one command for a cohort.")
  .option("--pairs <n>", "phantom pairs to make", countOption, 20)
  .option("--cohort <dir>", "pairs that are there, in the layout of MSSEG-2 or in BIDS")
  .option("--weights <files>", "as of predict")
  .option("--processes <n>", "that share the cohort", countOption, 1)
  .option("--adapter <name>", "as of predict");
program.parse();

interface Options {
  readonly pairs: number;
  readonly processes: number;
  readonly cohort?: string;
  readonly weights?: string;
  readonly adapter?: string;
}

await runMain(async () => {
  const options = program.opts<Options>();
  const folder = mkdtempSync(join(tmpdir(), "voxgrad-bench-cohort-"));
  try {
    await measure(options, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function measure(options: Options, folder: string): Promise<void> {
  const data = options.cohort ?? (await phantoms(join(folder, "data"), options.pairs));
  const weights = options.weights ?? randomWeights(join(folder, "small.safetensors"));
  const adapter = options.adapter === undefined ? [] : ["--adapter", options.adapter];
  const how = ["--weights", weights, ...adapter];
  const { pairs } = await findPairs(data);
  const single = await secondsOf(async () => {
    for (const { id, t1, t2 } of pairs) {
      await predict("-t1", t1, "-t2", t2, "--out-dir", join(folder, "single", id), ...how);
    }
  });
  say(`${pairs.length} single commands: ${single.toFixed(1)} s`);
  const { processes } = options;
  const together = await secondsOf(async () => {
    const cohort = ["--cohort", data, "--out", join(folder, "cohort"), ...how];
    await Promise.all(Array.from({ length: processes }, () => predict(...cohort)));
  });
  say(
    `--cohort, ${processes} process(es): ${together.toFixed(1)} s, ${(single / together).toFixed(2)} times the pairs an hour`,
  );
  printResult(
    JSON.stringify({ pairs: pairs.length, processes, single, together, ratio: single / together }),
  );
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

async function predict(...args: string[]): Promise<void> {
  const words = [process.execPath, join(import.meta.dir, "../src/cli/predict.ts"), ...args];
  const child = Bun.spawn(words, { stdout: "ignore", stderr: "pipe" });
  const err = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`predict ${args.join(" ")}: ${err}`);
}

async function phantoms(folder: string, patients: number): Promise<string> {
  mkdirSync(folder);
  await writePhantom(folder, { patients, spacing: 1, fieldOfView: [128, 128, 128], seed: 1 });
  return folder;
}

function randomWeights(path: string): string {
  const config = makeTrainConfig("small", { iterations: 1 });
  const { spacing, patch, stride, normalisation, windowWeights, mirror, difference } = config;
  const unet = unetConfig(config);
  const specs = unetParameters(unet);
  writeSafetensors({
    path,
    tensors: new Map(toNamed(specs, initialise(specs, 1))),
    metadata: weightsMetadata({
      ...{ unet, spacing, patch, stride, normalisation, windowWeights, mirror, difference },
    }),
  });
  return path;
}
