/** Augmentation: the parameters drawn, their effect on a patch, repeatability. */
import { afterAll, describe, expect, test } from "bun:test";
import { IDENTITY, packAugmentation, ROW_LAYOUT } from "../kernels/volume/augmentation";
import { gatherAugmented } from "../kernels/volume/gather_augmented";
import { gatherPatches } from "../kernels/volume/gather_patches";
import { Graph } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { state } from "../src/core/tensor";
import { mappedMoments, visitStatistics } from "../src/data/visit_statistics";
import { VolumeStore } from "../src/data/volume_store";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { noiseSources, tinyConfig, tinyStore } from "../src/portability/training_rig";
import { AUGMENTATIONS } from "../src/settings/names";
import { augmentedRows, CHANCES, drawAugmentation } from "../src/train/augment";
import { blurNarrowness, gammaOf, lineOf, rotation } from "../src/train/augment_maps";
import { drawPatches } from "../src/train/sampler";
import { Trainer } from "../src/train/trainer";
import { defaultDevice } from "./test_devices";

const device = await defaultDevice();
const memory = new Memory(device);
afterAll(() => device.destroy());

const PATCH = 8;
const sources = noiseSources();
const loaded = await Promise.all(sources.map((s) => s.load()));
const statistics = loaded.map(
  ({ visit1, visit2 }) => [visitStatistics(visit1), visitStatistics(visit2)] as const,
);
const options = {
  seed: 3,
  parts: AUGMENTATIONS,
  patch: PATCH,
  spacing: 1,
  statisticsOf: (row: number) => statistics[row]!,
};
const draws = (parts: readonly (typeof AUGMENTATIONS)[number][], count: number) =>
  Array.from({ length: count }, (_, n) =>
    drawAugmentation(new Philox(5, 2, 0, n), [1, 6, 3], statistics[0]!, { ...options, parts }),
  );

/** Patches of the tiny store on the device. */
async function cut(op: typeof gatherPatches, rows: Int32Array | Uint32Array, words: number) {
  const store = tinyStore(memory);
  await store.rotateTo(0);
  const coords = state("rows", [rows.length / words, words], "u32");
  memory.write(coords, rows);
  const g = new Graph(capabilities(device));
  const size = [PATCH, PATCH, PATCH] as const;
  const inputs = { ...store.bindings, coords };
  const { x, y } = g.apply(op, inputs, { size, half: store.half, label: true });
  const program = await Program.compile(memory, g, "cut", [x!, y!]);
  program.run();
  const values = {
    x: await memory.readF32(x!, program.bufferOf(x!)),
    y: await memory.readF32(y!, program.bufferOf(y!)),
  };
  store.release();
  return values;
}

async function drawn(positive: number, count: number) {
  const store = tinyStore(memory);
  await store.rotateTo(0);
  const patches = drawPatches(store.resident, 4, { seed: 1, patch: PATCH, count, positive });
  store.release();
  return patches;
}

describe("on the device", () => {
  test("patches that nothing varies are those of the plain gather, bit for bit", async () => {
    const { corners } = await drawn(0.5, 30);
    const words = new Uint32Array(30 * ROW_LAYOUT.ROW);
    for (let n = 0; n < 30; n++) {
      words.set(corners.subarray(4 * n, 4 * n + 4), n * ROW_LAYOUT.ROW);
      packAugmentation(words, n, IDENTITY);
    }
    const plain = await cut(gatherPatches, corners, 4);
    expect(await cut(gatherAugmented, words, ROW_LAYOUT.ROW)).toEqual(plain);
  });

  test("a positive patch stays one, however it is turned, scaled and bent", async () => {
    const { corners, anchors } = await drawn(1, 400);
    const rows = augmentedRows(corners, anchors, 7, options);
    const { y } = await cut(gatherAugmented, rows, ROW_LAYOUT.ROW);
    const S = PATCH ** 3;
    const empty = [...Array(400).keys()].filter((n) =>
      y.subarray(n * S, (n + 1) * S).every((v) => v === 0),
    );
    expect(empty).toEqual([]);
  });

  test("noise is standard normal by its first four moments, and white", async () => {
    const count = 40;
    const words = new Uint32Array(count * ROW_LAYOUT.ROW);
    const random = new Philox(8);
    for (let n = 0; n < count; n++) {
      const key = [random.u32(), random.u32()] as const;
      const flat = { factor: 0, offset: 0, least: -1, most: 1 };
      const visit = { line: flat, noise: 1 };
      packAugmentation(words, n, { ...IDENTITY, key, visits: [visit, visit] });
    }
    const { x } = await cut(gatherAugmented, words, ROW_LAYOUT.ROW);
    const moment = (k: number) => x.reduce((sum, v) => sum + v ** k, 0) / x.length;
    const within = 5 / Math.sqrt(x.length);
    expect(Math.abs(moment(1))).toBeLessThan(within);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(2 * within);
    expect(Math.abs(moment(3))).toBeLessThan(4 * within);
    // Eight bytes added have a fourth moment of 3 − 6 / (5 · 8).
    expect(Math.abs(moment(4) - 2.85)).toBeLessThan(10 * within);
    const S = PATCH ** 3;
    for (const lag of [1, PATCH, PATCH * PATCH, S, 2 * S]) {
      let sum = 0;
      for (let i = 0; i + lag < x.length; i++) sum += x[i]! * x[i + lag]!;
      expect(Math.abs(sum / x.length), `lag ${lag}`).toBeLessThan(within);
    }
  });
});

describe("what is drawn", () => {
  test("parts happen as often as they should, within their ranges", () => {
    const all = draws(AUGMENTATIONS, 4000);
    const share = (has: (a: (typeof all)[number]) => boolean) => all.filter(has).length / 4000;
    const near = (found: number, p: number) =>
      expect(Math.abs(found - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 4000));
    for (const axis of [0, 1, 2])
      near(
        share((a) => a.mirror[axis]!),
        0.5,
      );
    near(
      share((a) => a.affine !== undefined),
      1 - 0.8 ** 3,
    );
    near(
      share((a) => a.elastic !== undefined),
      CHANCES.elastic.p,
    );
    near(
      share(({ visits: [v] }) => v.noise !== undefined),
      CHANCES.noise.p,
    );
    near(
      share(({ visits: [, v] }) => v.low !== undefined),
      CHANCES.lowres.p / 2,
    );
    near(
      share(({ visits: [, v] }) => v.blur !== undefined),
      0.1 * (1 - CHANCES.lowres.p / 2),
    );
    near(
      share(({ visits: [v] }) => v.bias !== undefined),
      CHANCES.bias.p,
    );
    near(
      share(({ visits: [v] }) => v.line !== undefined),
      1 - 0.85 ** 2,
    );
    near(
      share(({ visits: [v] }) => v.gamma !== undefined),
      1 - 0.9 * 0.7,
    );
    for (const { visits, elastic } of all) {
      for (const { low, noise, gamma } of visits) {
        if (low) expect(low.cell).toBeWithin(1, 2.0001);
        if (noise !== undefined) expect(noise).toBeWithin(0, 0.1001);
        if (gamma) expect(gamma.gamma).toBeWithin(0.7, 1.5001);
      }
      const slope = (elastic ?? []).map(({ k, by }) => 8 * Math.hypot(...k) * Math.hypot(...by));
      expect(slope.reduce((a, b) => a + b, 0)).toBeLessThan(1);
    }
  });

  test("a part draws the same with and without the others", () => {
    const all = draws(AUGMENTATIONS, 50);
    const noise = draws(["noise"], 50);
    const bias = draws(["bias", "noise"], 50);
    for (const [n, a] of all.entries()) {
      expect(noise[n]!.visits.map((v) => v.noise)).toEqual(a.visits.map((v) => v.noise));
      expect(bias[n]!.visits.map((v) => v.bias)).toEqual(a.visits.map((v) => v.bias));
      expect(noise[n]!.key).toEqual(a.key);
      expect(noise[n]!.affine).toBeUndefined();
    }
  });

  test("the anchor's voxel is where the mirror puts it", () => {
    const wave = (t: number) => {
      const u = 2 * (t - Math.round(t));
      return 4 * u * (1 - Math.abs(u));
    };
    for (const { mirror, affine, elastic } of draws(["flip", "rotate", "scale", "elastic"], 200)) {
      if (!affine) continue;
      const anchor = [1, 6, 3];
      const o = anchor.map((a, axis) => (mirror[axis] ? PATCH - 1 - a : a));
      for (const row of [0, 1, 2]) {
        let at = affine[4 * row + 3]!;
        for (const c of [0, 1, 2]) at += affine[4 * row + c]! * o[c]!;
        for (const { k, phase, by } of elastic ?? []) {
          at += by[row]! * wave(k.reduce((sum, v, i) => sum + v * o[i]!, phase));
        }
        expect(at).toBeCloseTo(anchor[row]!, 9);
      }
    }
  });

  test("rotations keep lengths and handedness", () => {
    const m = rotation([0.3, -0.5, 0.2]);
    const column = (c: number) => [m[c]!, m[3 + c]!, m[6 + c]!];
    const dot = (a: number[], b: number[]) => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    for (const a of [0, 1, 2]) {
      for (const b of [0, 1, 2]) expect(dot(column(a), column(b))).toBeCloseTo(a === b ? 1 : 0, 12);
    }
    const [[a, b, c], [d, e, f], [g, h, i]] = [column(0), column(1), column(2)] as [
      [number, number, number],
      [number, number, number],
      [number, number, number],
    ];
    expect(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)).toBeCloseTo(1, 12);
  });
});

describe("maps of intensities", () => {
  const of = statistics[0]![0];

  test("a gain leaves air, a contrast leaves tissue where it is", () => {
    const gain = lineOf(of, 1.2);
    expect(gain.factor * of.air + gain.offset).toBeCloseTo(of.air, 9);
    expect(gain.factor).toBeCloseTo(1.2, 12);
    const contrast = lineOf(of, 1, 0.8);
    expect(contrast.factor * of.tissue + contrast.offset).toBeCloseTo(of.tissue, 9);
    expect([contrast.least, contrast.most]).toEqual([of.least, of.most]);
  });

  test("gamma keeps mean and deviation of the volume, and the order of intensities", () => {
    const line = lineOf(of, 0.9, 1.1);
    const g = gammaOf(of, line, 1.3, 0.8);
    const before = (v: number) =>
      Math.min(Math.max(line.factor * v + line.offset, line.least), line.most);
    const after = (v: number) => {
      const u = Math.min(1, Math.max(0, (before(v) - g.least) / g.range));
      return g.factor * (1 - (1 - u) ** g.inverted) ** g.gamma + g.offset;
    };
    const [kept, bent] = [mappedMoments(of, before), mappedMoments(of, after)];
    expect(bent.mean).toBeCloseTo(kept.mean, 9);
    expect(bent.deviation).toBeCloseTo(kept.deviation, 9);
    expect(after(of.tissue + 0.1)).toBeGreaterThan(after(of.tissue));
  });

  test("the blur's kernel has the deviation that was asked for, between voxels too", () => {
    for (const sigma of [0.5, 0.7, 1]) {
      for (const shift of [0, 0.25, 0.5]) {
        let [w, first, second] = [0, 0, 0];
        for (let tap = -2; tap <= 2; tap++) {
          const d = tap - shift;
          const value = Math.exp(-d * d * blurNarrowness(sigma)) * Math.max(0, 1 - (d / 2.5) ** 2);
          w += value;
          first += value * d;
          second += value * d * d;
        }
        expect(Math.abs(first / w), `σ ${sigma}, ${shift}`).toBeLessThan(0.03);
        // Half a voxel wide, a kernel is too narrow for five taps to tell its width exactly.
        expect(Math.abs(Math.sqrt(second / w) - sigma)).toBeLessThan(0.06);
      }
    }
  });

  test("statistics of a volume", () => {
    const values = Float32Array.from({ length: 1000 }, (_, i) => (i < 600 ? 0 : 2));
    const s = visitStatistics(values);
    expect([s.least, s.most, s.tissue]).toEqual([0, 2, 2]);
    expect(s.mean).toBeCloseTo(0.8, 6);
    expect(s.deviation).toBeCloseTo(Math.sqrt(0.96), 6);
    expect(s.air).toBeLessThan(0.01);
  });
});

test("training with augmentation repeats bit for bit, and differs from training without", async () => {
  const config = tinyConfig({ augment: [...AUGMENTATIONS], difference: true });
  const trained = async (changes: Partial<typeof config> = {}) => {
    const stored = { half: false, budget: 2 ** 24, patch: PATCH, statistics: true };
    const store = VolumeStore.create(memory, noiseSources(), stored);
    const trainer = await Trainer.create(memory, store, { ...config, ...changes });
    for (let t = 0; t < 4; t++) await trainer.step(0);
    await trainer.drain();
    const weights = await memory.readF32(trainer.state.student.flat);
    store.release();
    return weights;
  };
  const first = await trained();
  expect(first.every(Number.isFinite)).toBe(true);
  expect(await trained()).toEqual(first);
  expect(await trained({ augment: [] })).not.toEqual(first);
});
