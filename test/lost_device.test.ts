/** A device that is lost: by `GPUDevice.destroy` behind the program's back, as by a reset of the driver. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSafetensors } from "../src/data/safetensors_file";
import { DeviceLost } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { savedIteration } from "../src/run/checkpoint";
import { RunLost } from "../src/run/lost_run";
import { loadModels } from "../src/run/models";
import { predictFiles } from "../src/run/predict_pair";
import { openRunFolder } from "../src/run/run_folder";
import { isLocked } from "../src/run/run_lock";
import { type TrainRequest, train } from "../src/run/train";
import { makeTrainConfig } from "../src/settings/presets";
import { run } from "./cli_rig";
import { writeCohort } from "./faults/cohort";
import { differences } from "./faults/run_files";
import { defaultDevice } from "./test_devices";
import { weightsContents, writeVisits } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-device-"));
const data = join(folder, "data");
const whole = join(folder, "whole");
const quiet = { note: () => {} };
const config = makeTrainConfig("small", {
  ...{ filters: [4, 8, 8], groups: 4, patch: 16, stride: 12, pool: 4, batch: 2 },
  ...{ iterations: 40, reportEvery: 6, validateEvery: 0.2 },
});
const request: TrainRequest = { config, data, val: ["p01"], tune: "off", tuneSeconds: 1 };

beforeAll(async () => {
  await writeCohort(data, 3);
  const device = await defaultDevice();
  await train(device, { ...request, out: whole }, quiet);
  device.destroy();
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the device", () => {
  test("says that it is lost, and after what, instead of the error that follows from it", async () => {
    const device = await defaultDevice();
    const memory = new Memory(device);
    const buffer = memory.staging("read", 16);
    const encoder = device.device.createCommandEncoder();
    device.submit(encoder.finish(), "the last work");
    const waits = [buffer.mapAsync(GPUMapMode.READ), device.device.queue.onSubmittedWorkDone()];
    const waited = Promise.allSettled(waits.map((promise) => device.wait(promise)));
    device.device.destroy();
    for (const end of await waited) {
      expect(end.status === "rejected" && end.reason instanceof DeviceLost).toBe(true);
    }
    const { message, adapter } = await device.lost;
    expect(message).toMatch(/the device was lost after "the last work" \(.*\); start the command/);
    expect(adapter).toBe(device.info.name);
    expect(() => device.check()).toThrow(DeviceLost);
    device.destroy();
  });

  test("that was destroyed by its owner is not lost", async () => {
    const device = await defaultDevice();
    const waits = [device.idle(), device.idle()];
    device.destroy();
    await Promise.all(waits);
    await Bun.sleep(200);
    device.check();
  });
});

describe("the functions", () => {
  test("a run says how to go on, gives its folder back, and ends as if nothing had been", async () => {
    const device = await defaultDevice();
    const out = join(folder, "run");
    const observer = {
      ...quiet,
      onMetrics: ({ iteration }: { readonly iteration: number }) => {
        if (iteration === 24) device.device.destroy();
      },
    };
    const lost = await train(device, { ...request, out }, observer).catch((error) => error);
    expect(lost).toBeInstanceOf(RunLost);
    expect(lost).toMatchObject({ path: out, began: 0, saved: savedIteration({ path: out }) });
    expect([16, 24]).toContain(lost.saved);
    expect(lost.message).toContain(
      `; go on from iteration ${lost.saved} with: bun run train --resume ${out}`,
    );
    expect(isLocked(out)).toBe(false);
    device.destroy();
    const another = await defaultDevice();
    await train(another, { ...request, resumed: openRunFolder(out) }, quiet);
    another.destroy();
    expect(differences(whole, out)).toEqual([]);
  });

  test("a prediction ends with one line", async () => {
    const device = await defaultDevice();
    const weights = join(folder, "weights.safetensors");
    writeSafetensors({ path: weights, ...weightsContents() });
    const [, t1, , t2] = await writeVisits(folder);
    const models = loadModels([weights], { stride: 1 });
    const given = { t1: t1!, t2: t2!, models, precision: "f32", batch: 1 } as const;
    const observer = { ...quiet, onWindows: () => device.device.destroy() };
    const how = { tune: "off", tuneSeconds: 1, register: "off" } as const;
    const answer = predictFiles({ ...given, ...how }, async () => device, observer);
    await expect(answer).rejects.toThrow(DeviceLost);
    device.destroy();
  });
});

describe("the command train", () => {
  const settings = {
    ...{ data, val: "p01", preset: "small", filters: "4,8,8", groups: 4, patch: 16, stride: 12 },
    ...{ pool: 4, batch: 2, iterations: 40, "report-every": 6, "validate-every": 0.2, tune: "off" },
  };

  /** Trains in a new folder; the processes lose their devices at these moments (lose_device.ts). */
  async function trainLosing(name: string, moments: string) {
    const out = join(folder, name);
    const preload = join(import.meta.dir, "faults", "lose_device.ts");
    const env = { LOSE: moments, LOSE_IN: out, BUN_OPTIONS: `--preload ${preload}` };
    const words = Object.entries({ ...settings, out }).flatMap(([key, value]) => [
      ...[`--${key}`, `${value}`],
    ]);
    Object.assign(process.env, env);
    const ended = run("train", ...words);
    for (const variable of Object.keys(env)) delete process.env[variable];
    const { err, code } = await ended;
    const said = err.split("\n").filter((line) => /lost|going on|go on|^\s+at /.test(line));
    return { out, said, code };
  }

  test("goes on by itself in a new process, twice where there was progress, to the same files", async () => {
    const { out, said, code } = await trainLosing("again", "checkpoint,checkpoint,never");
    expect({ said, code }).toEqual({
      said: [
        expect.stringMatching(/: the device was lost after ".*" \(device was destroyed\)$/),
        expect.stringMatching(/^going on from iteration \d+ in a new process$/),
        expect.stringMatching(/: the device was lost after ".*" \(device was destroyed\)$/),
        expect.stringMatching(/^going on from iteration \d+ in a new process$/),
      ],
      code: 0,
    });
    expect(said[3]).not.toBe(said[1]);
    expect(differences(whole, out)).toEqual([]);
  });

  test("does not go on without progress, and says how to", async () => {
    const { out, said, code } = await trainLosing("twice", "checkpoint,begin,never");
    expect(code).toBe(2);
    expect(said.slice(2)).toEqual([
      expect.stringMatching(/: the device was lost after "nothing"/),
      "voxgrad: the device was lost again before the next checkpoint: look into the log of its driver, " +
        `then go on with: bun run train --resume ${out}`,
    ]);
  });

  test("nor before the first checkpoint", async () => {
    const { out, said, code } = await trainLosing("first", "begin");
    expect(code).toBe(2);
    expect(said).toEqual([
      expect.stringMatching(
        /^voxgrad: .*; go on, from its beginning, with: bun run train --resume /,
      ),
    ]);
    expect(said[0]).toEndWith(out);
  });
});
