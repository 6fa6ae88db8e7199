/**
 * One OHEM iteration by kernel, on made-up volumes:
 * `bun bench/iteration.ts [--preset small] [--adapter NAME] [--pool N] [--batch N] [--steps 3]`
 * Whole steps by the clock, then one run with a timestamp around every dispatch.
 */
import { Command } from "commander";
import { Philox } from "../src/core/random";
import type { VolumeSource } from "../src/data/volume_store";
import { VolumeStore } from "../src/data/volume_store";
import { openDevice } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { profile } from "../src/gpu/profile";
import { makeTrainConfig, type PresetName } from "../src/train/config";
import { Trainer } from "../src/train/trainer";

const options = new Command("bench/iteration.ts")
  .option("--preset <name>", "paper or small", "small")
  .option("--adapter <name>")
  .option("--pool <n>", "B̄", Number)
  .option("--batch <n>", "B", Number)
  .option("--steps <n>", "steps to time", Number, 3)
  .parse()
  .opts<{ preset: PresetName; adapter?: string; pool?: number; batch?: number; steps: number }>();

const EDGE = 64;

/** Noise with a few lesion voxels. */
function noise(): VolumeSource {
  const random = new Philox(0, 1);
  const count = EDGE ** 3;
  const visit = () => Float32Array.from({ length: count }, () => random.normal());
  const label = Uint8Array.from({ length: count }, () => (random.uniform() < 1e-3 ? 1 : 0));
  const lesions = Uint32Array.from([...label.keys()].filter((i) => label[i]));
  const data = { visit1: visit(), visit2: visit(), labels: [label] };
  return { id: "noise", size: [EDGE, EDGE, EDGE], lesions: [lesions], load: async () => data };
}

const device = await openDevice({ adapter: options.adapter });
console.log(device.describe());
const memory = new Memory(device);
const { pool, batch } = options;
const config = makeTrainConfig(options.preset, { pool, batch });
const stored = { half: false, budget: 2 ** 30, patch: config.patch };
const store = VolumeStore.create(memory, [noise()], stored);
const trainer = await Trainer.create(memory, store, config);
const { dispatches, pipelines, plannedBytes } = trainer.program.stats;
const mib = (plannedBytes / 2 ** 20).toFixed(0);
console.log(`${dispatches} dispatches, ${pipelines} pipelines, ${mib} MiB of temporaries`);
for (let i = 0; i <= options.steps; i++) {
  const start = performance.now();
  await trainer.step(0);
  await trainer.drain();
  const seconds = ((performance.now() - start) / 1000).toFixed(3);
  console.log(`${i === 0 ? "first step, with compiling" : "step"}  ${seconds} s`);
}
const rows = await profile(memory, trainer.program);
const total = rows.reduce((sum, row) => sum + row.milliseconds, 0);
console.log(`\n${"kernel".padEnd(48)}launches         ms  share`);
for (const { label, count, milliseconds } of rows) {
  const share = ((100 * milliseconds) / total).toFixed(1);
  const time = milliseconds.toFixed(2).padStart(11);
  console.log(`${label.padEnd(48)}${String(count).padStart(8)}${time}${share.padStart(6)} %`);
}
device.destroy();
