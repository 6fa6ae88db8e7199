/** Pairs that are generated while a training runs: which are there when, what is read of them, resuming. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gatherPatches } from "../kernels/volume/gather_patches";
import { Graph } from "../src/core/graph";
import { state } from "../src/core/tensor";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { DEFAULT_PHANTOM } from "../src/data/phantom/cohort";
import { makePatient } from "../src/data/phantom/patient";
import type { SlotPair } from "../src/data/volume_slots";
import { VolumeStore } from "../src/data/volume_store";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { scansToUse } from "../src/run/generated_pairs";
import { openRunFolder } from "../src/run/run_folder";
import { type TrainRequest, train } from "../src/run/train";
import { makeTrainConfig } from "../src/settings/presets";
import { PairWorkers } from "../src/synthesis/pair_workers";
import { findSources } from "../src/synthesis/sources";
import { GeneratedPool, pairInSlot } from "../src/train/generated_pool";
import { drawWithGenerated } from "../src/train/sampler";
import { expectRefusal } from "./cli_rig";
import { writeCohort } from "./faults/cohort";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
const folder = mkdtempSync(join(tmpdir(), "voxgrad-generated-"));
const [data, scans] = [join(folder, "data"), join(folder, "scans")];
afterAll(() => {
  device.destroy();
  rmSync(folder, { recursive: true });
});

/** A cohort of tiny pairs, and two scans of phantoms. */
beforeAll(async () => {
  await writeCohort(data, 3);
  const settings = {
    ...DEFAULT_PHANTOM,
    spacing: 2,
    fieldOfView: [104, 128, 80] as const,
    seed: 3,
  };
  for (const index of [0, 1]) {
    const { visits, truth } = makePatient(settings, index);
    const at = join(scans, `s${index}`);
    mkdirSync(at, { recursive: true });
    await writeVolume(join(at, "flair.nii.gz"), visits[1]);
    await writeMask(join(at, "lesions.nii.gz"), truth);
  }
});

test("a slot's pair follows from the number of replacements; every number comes once", () => {
  const slots = 3;
  let held = [0, 1, 2];
  for (let n = 0; n < 40; n++) {
    expect(held.map((_, slot) => pairInSlot(slot, n, slots))).toEqual(held);
    held = held.with(n % slots, slots + n);
  }
});

/** A pair of its number's values in a box of its own size. */
function numbered(index: number): SlotPair {
  const size = [5 + (index % 3), 6, 7] as const;
  const count = size[0] * size[1] * size[2];
  const values = (of: number) => Float32Array.from({ length: count }, (_, i) => of + i / 1024);
  const label = (every: number) => Uint8Array.from({ length: count }, (_, i) => +(i % every === 0));
  const labels = [label(5), label(7)];
  const lesions = labels.map((l) => Uint32Array.from(l.keys().filter((i) => l[i])));
  return { size, visit1: values(index), visit2: values(index + 100), labels, lesions };
}

test.each([[false], [true]])(
  "patches of a slot are its pair's, as it is and swapped, half: %p",
  async (half) => {
    const source = { ...numbered(50), id: "own", load: async () => numbered(50) };
    const slots = { slots: 2, voxels: 7 * 6 * 7, twins: true };
    const options = { half, budget: 2 ** 24, patch: 4, statistics: true, slots };
    const store = VolumeStore.create(memory, [source], options);
    const maker = { make: async (index: number) => numbered(index), expect: () => {} };
    const pool = new GeneratedPool(store, maker, 3);
    await store.rotateTo(0);
    for (const iteration of [0, 3, 4, 10]) {
      await pool.bringTo(iteration);
      const { resident } = store.slots!;
      const rows = Int32Array.from(resident.flatMap(({ row }) => [row, 2, 1, 0]));
      const coords = state("rows", [resident.length, 4], "u32");
      memory.write(coords, rows);
      const g = new Graph(capabilities(device));
      const inputs = { ...store.bindings, coords };
      const { x, y } = g.apply(gatherPatches, inputs, { size: [4, 4, 4], half, label: true });
      const program = await Program.compile(memory, g, "cut", [x!, y!]);
      program.run();
      const got = await memory.readF32(x!, program.bufferOf(x!));
      const labels = await memory.readF32(y!, program.bufferOf(y!));
      const channels = got.length / resident.length / 64;
      for (const [n, { size }] of resident.entries()) {
        const index = pairInSlot(n >> 1, Math.floor(iteration / 3), 2);
        const pair = numbered(index);
        expect(size).toEqual(pair.size);
        const at = (2 * size[1] + 1) * size[0];
        const visits = n % 2 === 0 ? [pair.visit1, pair.visit2] : [pair.visit2, pair.visit1];
        for (const [c, visit] of visits.entries()) {
          const value = got[(n * channels + c) * 64]!;
          expect(Math.abs(value - visit[at]!)).toBeLessThan(half ? 0.1 : 1e-6);
        }
        expect(labels[n * 64]).toBe(pair.labels[n % 2]![at]!);
        const { mean } = store.statisticsOf(resident[n]!.row)[0];
        expect(mean).toBeCloseTo(visits[0]!.reduce((a, b) => a + b, 0) / visits[0]!.length, 2);
      }
    }
    store.release();
  },
);

test("the share of generated patches is kept on average, and the draw is the iteration's", () => {
  const volume = (row: number) => {
    return {
      id: `v${row}`,
      row,
      z0: 0,
      size: [20, 20, 20] as const,
      lesions: Uint32Array.of(4000),
    };
  };
  const generated = { volumes: [volume(1), volume(2)], share: 0.37 };
  const options = { seed: 3, patch: 8, count: 10, positive: 0.4 };
  let [of, all] = [0, 0];
  for (let t = 0; t < 400; t++) {
    const { corners } = drawWithGenerated([volume(0)], generated, t, options);
    expect(drawWithGenerated([volume(0)], generated, t, options).corners).toEqual(corners);
    for (let n = 0; n < 10; n++) of += +(corners[4 * n]! > 0);
    all += 10;
  }
  expect(of / all).toBeCloseTo(0.37, 1);
});

test("any number of workers makes the same pairs; a bad scan is told", async () => {
  const options = { phantoms: 0, seed: 4, normalisation: "volume", twins: true } as const;
  const sources = findSources([scans]);
  const made: SlotPair[][] = [];
  for (const count of [1, 2]) {
    const workers = new PairWorkers({ sources, ...options }, count);
    for (const index of [0, 1, 2]) workers.expect(index);
    made.push(await Promise.all([0, 1, 2].map((index) => workers.make(index))));
    await workers.close();
  }
  expect(made[1]).toEqual(made[0]!);
  const bad = sources.map((source) => ({ ...source, image: join(folder, "none.nii.gz") }));
  const workers = new PairWorkers({ sources: bad, ...options }, 1);
  expect(workers.make(0)).rejects.toThrow(/none\.nii\.gz/);
  await workers.make(1).catch(() => {});
  await workers.close();
});

const config = makeTrainConfig("small", {
  ...{ filters: [4, 8, 8], groups: 4, patch: 16, stride: 12, pool: 4, batch: 2, spacing: 1 },
  ...{ iterations: 7, validateEvery: 0.9, augment: ["flip", "gamma"], reportEvery: 1 },
  ...{ generatedPool: 2, generatedRefresh: 2 },
});

test("an interrupted training ends with the bits of one that was not", async () => {
  const request: Omit<TrainRequest, "out"> = {
    ...{ config, data, val: ["p01"], tune: "off", tuneSeconds: 1, generate: [scans] },
  };
  const [whole, run] = [join(folder, "whole"), join(folder, "run")];
  const said: string[] = [];
  await train(device, { ...request, out: whole }, { note: (line) => said.push(line) });
  expect(said.join("\n")).toContain(
    "50 % of the patches, from 2 pairs at a time; every 2 iterations",
  );
  const controller = new AbortController();
  const observer = {
    note: () => {},
    onMetrics: ({ iteration }: { iteration: number }) => iteration >= 3 && controller.abort(),
  };
  const cut = await train(device, { ...request, out: run }, observer, controller.signal);
  expect(cut.iteration).toBeLessThan(7);
  await train(device, { ...request, resumed: openRunFolder(run) }, { note: () => {} });
  for (const name of ["last.safetensors", "last.student.safetensors"]) {
    expect(Bun.hash(readFileSync(join(run, name))), name).toBe(
      Bun.hash(readFileSync(join(whole, name))),
    );
  }
});

test("scans of persons that validate are left out; settings that do not go with it are refused", async () => {
  const person = (id: string) => ({ id, time1: "", time2: "", truth: "" });
  const said: string[] = [];
  const observer = { note: (line: string) => said.push(line) };
  const arms = { train: [person("p")], val: [person("s0")] };
  const kept = scansToUse([scans], config, arms, observer);
  expect(kept.map(({ patient }) => patient)).toEqual(["s1"]);
  expect(said[0]).toContain("1 left out: of validation patients");
  const all = { train: [], val: [person("s0"), person("s1")] };
  expect(() => scansToUse([scans], config, all, observer)).toThrow(/all 2 scans are of patients/);
  const refused = ["--preset", "small", "--data", data, "--generate", scans];
  await expectRefusal(/--spacing is 2; give --spacing 1/, "train", ...refused, "--spacing", "2");
  await expectRefusal(
    /no brain mask; use --normalisation/,
    "train",
    ...refused,
    "--normalisation",
    "mask",
  );
});
