/**
 * In a process of its own, for latency.ts: opens the adapter, makes a trainer, takes two steps, and
 * prints the seconds of each part as JSON. `bun bench/first_step.ts PRESET POOL BATCH [ADAPTER]`
 */
import { openDevice } from "../src/hosts/bun";
import type { PresetName } from "../src/settings/presets";
import { makeTrainConfig } from "../src/settings/presets";
import { cube } from "./noise";
import { trainingStep } from "./step_work";

const [preset, pool, batch, adapter] = process.argv.slice(2);
const sizes = { pool: Number(pool), batch: Number(batch) };
const config = makeTrainConfig(preset as PresetName, sizes);

async function seconds<T>(part: () => Promise<T>): Promise<readonly [T, number]> {
  const start = performance.now();
  const value = await part();
  return [value, (performance.now() - start) / 1000];
}

const source = cube(64);
const [device, openSeconds] = await seconds(() => openDevice({ adapter, quiet: true }));
const [step, createSeconds] = await seconds(() => trainingStep(device, config, undefined, source));
const once = async () => {
  await step.submit();
  await device.idle();
};
const [, firstStepSeconds] = await seconds(once);
const [, steadyStepSeconds] = await seconds(once);
console.log(JSON.stringify({ openSeconds, createSeconds, firstStepSeconds, steadyStepSeconds }));
device.destroy();
