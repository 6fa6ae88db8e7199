/** A training that is killed at any moment goes on to the same bits (`bun run faults --only kills`: many more). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { KilledTraining } from "./faults/killed_training";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-kills-"));
afterAll(() => rmSync(folder, { recursive: true }));
let training: KilledTraining;
beforeAll(async () => {
  training = await KilledTraining.prepare(folder);
});

test("killed at the renames of its checkpoints, a run goes on to the same bits", async () => {
  const run = training.newRun();
  for (const rename of [
    "last.safetensors 1", // the very first checkpoint: there is a state alone
    "best.safetensors 1",
    "last.student.safetensors 2",
    "best.state.safetensors 1",
    "best.student.safetensors 1",
    "last.state.safetensors 2",
    "decision.json 1",
  ]) {
    expect(await training.session(run, { rename }), rename).toBe(true);
  }
  await training.finish(run);
  expect(training.differences(run)).toEqual([]);
});

test("killed at random moments, a run goes on to the same bits", async () => {
  const random = new Philox(Date.now());
  const run = training.newRun();
  const moments = Array.from({ length: 3 }, () => training.duration * random.uniform());
  for (const after of moments) await training.session(run, { after });
  await training.finish(run);
  expect(training.differences(run), `killed after ${moments} ms`).toEqual([]);
});
