/** Activations stored as f16: training near float32's, overflow, checkpoints, prediction. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FIRST_SCALE } from "../kernels/loss/loss_scale";
import { UserError } from "../src/core/errors";
import type { Precision } from "../src/core/tensor";
import { capabilities, checkPrecision } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { unetNetwork } from "../src/infer/model";
import { predictVolume } from "../src/infer/sliding_window";
import { noiseSources, tinyConfig, tinyStore } from "../src/portability/training_rig";
import { loadCheckpoint, saveCheckpoint } from "../src/run/checkpoint";
import { checkpointPaths } from "../src/run/run_folder";
import { modelInfo } from "../src/run/trained_weights";
import type { TrainConfig } from "../src/settings/config";
import { LOG_COLUMNS } from "../src/train/state";
import { Trainer } from "../src/train/trainer";
import { quickKernels } from "./adapters";
import { testDevice } from "./test_devices";

const swiftshader = await testDevice("swiftshader");

test.skipIf(!swiftshader)("an adapter without shader-f16 is refused in one line", () => {
  checkPrecision(swiftshader!, "f32");
  expect(() => checkPrecision(swiftshader!, "f16")).toThrow(UserError);
  expect(() => checkPrecision(swiftshader!, "f16")).toThrow(
    /^--precision f16: .*shader-f16[^\n]*$/,
  );
});

for (const adapter of ["lavapipe", "hardware"]) {
  const device = await testDevice(adapter);
  if (!device || !capabilities(device).shaderF16) continue;
  const memory = new Memory(device);

  const kernels = (precision: Precision) => quickKernels(capabilities(device).kind, precision);
  const trainer = (precision: Precision, changes: Partial<TrainConfig> = {}) => {
    const config = tinyConfig({ precision, ...changes });
    return Trainer.create(memory, tinyStore(memory), config, { kernels: kernels(precision) });
  };

  const steps = async (t: Trainer, count: number) => {
    for (let i = 0; i < count; i++) await t.step(0);
    await t.drain();
  };

  const lossesOf = async (t: Trainer) => {
    const log = await memory.readF32(t.state.log);
    return [...log.filter((_, i) => i % LOG_COLUMNS === 0 && i / LOG_COLUMNS < t.iteration)];
  };

  describe(adapter, () => {
    test("the loss curve stays near that of float32", async () => {
      const STEPS = 60;
      const curves: number[][] = [];
      for (const precision of ["f32", "f16"] as const) {
        const t = await trainer(precision, { sampler: "uniform", positive: 1 });
        await steps(t, STEPS);
        curves.push(await lossesOf(t));
      }
      const [full, half] = curves as [number[], number[]];
      const apart = full.map((loss, i) => Math.abs(loss - half[i]!));
      expect(Math.max(...apart.slice(0, 10))).toBeLessThan(2e-3);
      expect(Math.max(...apart)).toBeLessThan(5e-3);
      const mean = (losses: number[]) => losses.reduce((a, b) => a + b, 0) / losses.length;
      // It learns: what it may be off is little of what it gains.
      expect(mean(half.slice(0, 5)) - mean(half.slice(-5))).toBeGreaterThan(0.1);
    });

    test("deep supervision in f16 stays near float32 too", async () => {
      const curves: number[][] = [];
      for (const precision of ["f32", "f16"] as const) {
        const changes = { sampler: "uniform", positive: 1, deepSupervision: true } as const;
        const t = await trainer(precision, changes);
        await steps(t, 10);
        curves.push(await lossesOf(t));
      }
      const apart = curves[0]!.map((loss, i) => Math.abs(loss - curves[1]![i]!));
      expect(Math.max(...apart)).toBeLessThan(2e-3);
    });

    test("mining works alike, and the same seed gives the same bits", async () => {
      const runs: Float32Array[] = [];
      for (let run = 0; run < 2; run++) {
        const t = await trainer("f16");
        await steps(t, 5);
        runs.push(await memory.readF32(t.state.student.flat));
      }
      expect(runs[1]).toEqual(runs[0]!);
      expect(runs[0]!.every(Number.isFinite)).toBe(true);
    });

    test("an overflow skips the step and halves the loss scale", async () => {
      const t = await trainer("f16");
      const { student, momentum, m, v, scale } = t.state;
      const changing = [student.flat, momentum.flat, m, v];
      await steps(t, 1);
      expect([...(await memory.readF32(scale!))].slice(0, 3)).toEqual([
        FIRST_SCALE,
        1 / FIRST_SCALE,
        0,
      ]);
      const before = await Promise.all(changing.map((state) => memory.readF32(state)));
      memory.write(scale!, Float32Array.of(2 ** 120, 0, 0, 0));
      await steps(t, 2);
      expect([...(await memory.readF32(scale!))].slice(0, 3)).toEqual([2 ** 118, 0, 2]);
      const after = await Promise.all(changing.map((state) => memory.readF32(state)));
      expect(after).toEqual(before);
      memory.write(scale!, Float32Array.of(1024, 0, 2, 0));
      await steps(t, 1);
      expect(await memory.readF32(student.flat)).not.toEqual(before[0]!);
      const reported: unknown[] = [];
      await t.report((statistics) => reported.push(statistics));
      await t.drain();
      expect(reported).toMatchObject([{ lossScale: 1024, skippedSteps: 2 }]);
    });

    test("a checkpoint keeps the loss scale", async () => {
      const folder = mkdtempSync(join(tmpdir(), "voxgrad-f16-"));
      afterAll(() => rmSync(folder, { recursive: true }));
      const [saved, other] = [await trainer("f16"), await trainer("f16", { seed: 3 })];
      await steps(saved, 2);
      const kept = Float32Array.of(256, 1 / 256, 7, 0);
      memory.write(saved.state.scale!, kept);
      const paths = checkpointPaths({ path: folder }, "last");
      const progress = { iteration: 2, seconds: 1 };
      const info = modelInfo(saved.config);
      await saveCheckpoint(memory, saved.state, saved.specs, info, progress, paths);
      loadCheckpoint(memory, other.state, other.specs, paths);
      expect(await memory.readF32(other.state.scale!)).toEqual(kept);
      expect(await memory.readF32(other.state.student.flat)).toEqual(
        await memory.readF32(saved.state.student.flat),
      );
    });

    test("predictions are near those of float32", async () => {
      const t = await trainer("f32");
      await steps(t, 3);
      const { unet } = modelInfo(t.config);
      const network = unetNetwork(t.state.student.named, unet);
      const options = { patch: 8, stride: 6, batch: 3 };
      const source = noiseSources()[0]!;
      const [full, half] = await Promise.all(
        (["f32", "f16"] as const).map((precision) =>
          predictVolume(memory, network, source, {
            ...{ ...options, precision, kernels: kernels(precision) },
          }),
        ),
      );
      const apart = full!.map((p, i) => Math.abs(p - half![i]!));
      expect(Math.max(...apart)).toBeLessThan(5e-3);
      expect(Math.max(...apart)).toBeGreaterThan(0);
    });
  });
}
