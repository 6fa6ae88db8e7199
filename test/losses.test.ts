/** Training with every loss, the loss over a batch that is trained in chunks. */
import { afterAll, describe, expect, test } from "bun:test";
import { dice, type PatchLossAttrs } from "../kernels/loss/patch_loss";
import { UserError } from "../src/core/errors";
import { Philox } from "../src/core/random";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { relativeL2, tinyConfig, tinyStore } from "../src/portability/training_rig";
import { patchLossReference } from "../src/reference/patch_loss";
import { checkUse, type TrainSettings } from "../src/settings/config";
import { LOSSES } from "../src/settings/loss";
import { LOG_COLUMNS } from "../src/train/state";
import { Trainer } from "../src/train/trainer";
import { quickKernels } from "./adapters";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

async function trained(changes: Partial<TrainSettings>, steps: number) {
  const config = tinyConfig(changes);
  const kernels = quickKernels(capabilities(device).kind, config.precision);
  const trainer = await Trainer.create(memory, tinyStore(memory), config, { kernels });
  for (let i = 0; i < steps; i++) await trainer.step(0);
  await trainer.drain();
  const student = await memory.readF32(trainer.state.student.flat);
  const log = await memory.readF32(trainer.state.log);
  const losses = Array.from({ length: steps }, (_, i) => log[i * LOG_COLUMNS]!);
  return { student, losses };
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe("the loss falls", () => {
  const uniform = { sampler: "uniform", positive: 0.6, batch: 6, learningRate: 1e-2 } as const;
  const precisions = capabilities(device).shaderF16 ? (["f32", "f16"] as const) : ["f32" as const];
  for (const loss of LOSSES) {
    for (const precision of precisions) {
      test(`${loss} ${precision}`, async () => {
        const { losses, student } = await trained({ ...uniform, loss, precision }, 14);
        expect(student.every(Number.isFinite)).toBe(true);
        expect(mean(losses.slice(-4))).toBeLessThan(0.95 * mean(losses.slice(0, 3)));
      });
    }
  }
});

describe("a loss over the batch does not depend on how the batch is cut into dispatches", () => {
  for (const changes of [{}, { deepSupervision: true }]) {
    test(JSON.stringify(changes), async () => {
      const settings = { ...changes, loss: "batch-dice-ce", positive: 0.6 } as const;
      const whole = await trained({ ...settings, chunk: 16 }, 3);
      const cut = await trained({ ...settings, chunk: 2 }, 3);
      cut.losses.forEach((loss, i) => {
        expect(Math.abs(loss - whole.losses[i]!)).toBeLessThan(1e-4);
      });
      const apart = relativeL2(cut.student, whole.student);
      expect(apart).toBeLessThan(1e-3);
      const patchwise = await trained({ ...settings, loss: "dice-ce", chunk: 16 }, 3);
      expect(relativeL2(patchwise.student, whole.student)).toBeGreaterThan(10 * apart);
    });
  }
});

test("the patches' shares of a loss over the batch have its mean and its gradient, in float64", () => {
  const [N, S] = [5, 12];
  const random = new Philox(4, 1);
  const logits = Float64Array.from({ length: N * S }, () => 2 * random.normal());
  const target = Float64Array.from({ length: N * S }, (_, i) =>
    i < 2 * S ? 0 : Number(random.uniform() < 0.3),
  );
  const tversky = { ...dice(0.5).region, falsePositive: 0.6, falseNegative: 1.4, power: 0.75 };
  const attrs: PatchLossAttrs = { region: tversky };
  const { forward, backward } = patchLossReference;
  /** The batch as one patch: what the loss over it is. */
  const whole = { logits: [1, 1, N * S], target: [1, 1, N * S] };
  const own = forward({ logits, target }, whole, attrs);
  const shapes = { logits: [N, 1, S], target: [N, 1, S], totals: [4] };
  const inputs = { logits, target, totals: own.terms! };
  const parts = { ...attrs, batch: N };
  const shares = forward(inputs, shapes, parts).loss!;
  expect(mean([...shares])).toBeCloseTo(own.loss![0]!, 12);
  const seeds = { loss: new Float64Array(N).fill(1 / N) };
  const dx = backward!(inputs, shapes, parts, seeds).logits!;
  const expected = backward!({ logits, target }, whole, attrs, { loss: Float64Array.of(1) });
  dx.forEach((d, i) => {
    expect(d).toBeCloseTo(expected.logits![i]!, 12);
  });
});

test("weights that leave nothing of a loss are refused in one line", () => {
  const config = () => tinyConfig({ loss: "tversky", tverskyAlpha: 0, tverskyBeta: 0 });
  expect(config).toThrow(/^--tversky-alpha 0 and --tversky-beta 0 leave nothing [^\n]*$/);
  tinyConfig({ loss: "blob", diceWeight: 0, ceWeight: 0, blobAlpha: 0 });
});

test("a setting of another loss is refused in one line", () => {
  checkUse({ loss: "tversky" }, ["tverskyAlpha", "diceEpsilon", "batch"]);
  expect(() => checkUse({ loss: "dice" }, ["tverskyAlpha"])).toThrow(UserError);
  expect(() => checkUse({ loss: "dice" }, ["tverskyAlpha"])).toThrow(
    /^--tversky-alpha does nothing with --loss dice: it is for tversky, focal-tversky;[^\n]*$/,
  );
});
