/** Synthetic pairs: what is in them, where, how often; that they repeat; cohorts of them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Philox } from "../src/core/random";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { DEFAULT_PHANTOM } from "../src/data/phantom/cohort";
import { lattice } from "../src/data/phantom/fields";
import { makePatient } from "../src/data/phantom/patient";
import { gaussian } from "../src/data/smooth";
import type { Mask, Volume } from "../src/data/volume";
import { inOrder, orderTo } from "../src/data/voxel_order";
import { connectedComponents } from "../src/eval/components";
import { ACQUISITION, drawAcquisition } from "../src/synthesis/acquisition";
import type { Background } from "../src/synthesis/background";
import { ORIGIN, originOf, writeSynthetic } from "../src/synthesis/cohort";
import { drawContrast, toned } from "../src/synthesis/contrast";
import { evolved, type MadeLesion } from "../src/synthesis/evolution";
import { EVOLUTION } from "../src/synthesis/fates";
import { fill } from "../src/synthesis/fill";
import { blurred, fromSlices, intoSlices, planeSums, sliceGrid } from "../src/synthesis/filters";
import { generatePair } from "../src/synthesis/generate";
import { drawBody, footprint } from "../src/synthesis/lesion";
import { appearsAt, type Motion, moved, turn } from "../src/synthesis/motion";
import { NoiseStream } from "../src/synthesis/noise";
import { findSources, readBackground } from "../src/synthesis/sources";
import { tissueOf } from "../src/synthesis/tissue";
import { expectRefusal, run } from "./cli_rig";
import { once } from "./once";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-synthesis-"));
const pairs = join(folder, "pairs");
const singles = join(folder, "singles");
const settings = { ...DEFAULT_PHANTOM, spacing: 2, fieldOfView: [104, 128, 80] as const, seed: 3 };
afterAll(() => rmSync(folder, { recursive: true }));

let background: Background;
let withLesions: Background;

/** Three pairs, and two single scans whose lesions are those that are new in a phantom. */
beforeAll(async () => {
  for (const index of [0, 1, 2]) {
    const { visits, truth } = makePatient(settings, index);
    const at = join(pairs, `p${index}`);
    mkdirSync(at, { recursive: true });
    await writeVolume(join(at, "flair_time01_on_middle_space.nii.gz"), visits[0]);
    await writeVolume(join(at, "flair_time02_on_middle_space.nii.gz"), visits[1]);
    await writeMask(join(at, "ground_truth.nii.gz"), truth);
    const gone = truth.data.map((_, i) => (i === 60_000 ? 1 : 0));
    await writeMask(join(at, "resolved.nii.gz"), { ...truth, data: gone });
    if (index === 2) continue;
    const alone = join(singles, `s${index}`);
    mkdirSync(alone, { recursive: true });
    await writeVolume(join(alone, "flair.nii.gz"), visits[1]);
    await writeMask(join(alone, "lesions.nii.gz"), truth);
  }
  background = await readBackground(findSources([pairs])[0]!);
  withLesions = await readBackground(findSources([singles])[0]!);
});

const sum = (of: ArrayLike<number>) =>
  Array.prototype.reduce.call(of, (a, b) => a + b, 0) as number;
const volumeMm3 = (image: Volume | Mask) =>
  Math.abs(image.affine[0]! * image.affine[5]! * image.affine[10]!);

describe("filters", () => {
  test("smoothing keeps the sum and has the deviation asked for, by taps and by running means", () => {
    for (const sigma of [0.6, 1.4, 3.7, 8.2]) {
      const point = new Float32Array(121);
      point[60] = 1;
      const even = gaussian(point, [121, 1, 1], [sigma, 0, 0]);
      const square = even.reduce((total, v, i) => total + v * (i - 60) ** 2, 0);
      expect(even.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      expect(Math.abs(Math.sqrt(square) / sigma - 1), `σ ${sigma}`).toBeLessThan(0.05);
    }
  });

  test("blurring has the deviation asked for along each axis", () => {
    const size = [15, 17, 19] as const;
    const point = new Float32Array(15 * 17 * 19);
    point[(9 * 17 + 8) * 15 + 7] = 1;
    const sigma = [0.3, 0.9, 1.4];
    const even = blurred(
      point,
      size,
      sigma.map((s) => s * s),
    );
    expect(sum(even)).toBeCloseTo(1, 5);
    for (const axis of [0, 1, 2]) {
      let square = 0;
      for (const [i, v] of even.entries()) {
        const at = [i % 15, Math.floor(i / 15) % 17, Math.floor(i / 255)][axis]!;
        square += v * (at - [7, 8, 9][axis]!) ** 2;
      }
      expect(Math.sqrt(square)).toBeCloseTo(sigma[axis]!, 3);
    }
  });

  test("slices and back keep what is even and what rises evenly, along every axis", () => {
    const size = [20, 22, 24] as const;
    for (const axis of [0, 1, 2] as const) {
      for (const cubic of [false, true]) {
        const grid = sliceGrid(axis, size[axis], 3.3, 3, 0.37);
        const values = Float32Array.from({ length: 20 * 22 * 24 }, (_, i) => {
          return [i % 20, Math.floor(i / 20) % 22, Math.floor(i / 440)][axis]!;
        });
        const cut = planeSums(values, size, axis, intoSlices(size[axis], grid));
        const back = planeSums(cut.data, cut.size, axis, fromSlices(size[axis], grid, cubic));
        expect(back.size).toEqual(size);
        for (const [i, v] of back.data.entries()) {
          const at = values[i]!;
          if (at > 7 && at < size[axis] - 8) expect(Math.abs(v - at)).toBeLessThan(0.25);
        }
      }
    }
  });

  test("noise: mean, deviation and the magnitude's floor", () => {
    const stream = new NoiseStream(new Philox(3));
    const tissue = new Float32Array(200_000).fill(1);
    stream.addNormal(tissue, 0.1);
    const mean = sum(tissue) / tissue.length;
    expect(mean).toBeCloseTo(1, 2);
    expect(Math.sqrt(sum(tissue.map((v) => (v - mean) ** 2)) / tissue.length)).toBeCloseTo(0.1, 3);
    const air = new Float32Array(200_000);
    stream.addRician(air, 0.1);
    expect(sum(air) / air.length).toBeCloseTo(0.1 * Math.sqrt(Math.PI / 2), 3);
    expect(Math.min(...air.subarray(0, 1000))).toBeGreaterThan(0);
  });

  test("a motion reads where it says, and appearsAt is its inverse", () => {
    const size = [24, 26, 28] as const;
    const still = lattice([24, 26, 28], 8, () => 0);
    const motion: Motion = {
      linear: turn([0.1, -0.2, 0.15], [1.05, 0.95, 1]),
      shift: [0.4, -1.2, 0.7],
      bend: [still, still, still],
    };
    const values = new Float32Array(24 * 26 * 28);
    const [x, y, z] = [10, 14, 12];
    for (const d of [-1, 0, 1])
      for (const e of [-1, 0, 1])
        for (const f of [-1, 0, 1]) values[((z + d) * 26 + y + e) * 24 + x + f] = 1;
    const seen = moved(values, size, motion);
    const centre = [0, 0, 0];
    for (const [i, v] of seen.entries()) {
      for (const [axis, at] of [i % 24, Math.floor(i / 24) % 26, Math.floor(i / 624)].entries())
        centre[axis]! += (v * at) / sum(seen);
    }
    const expected = appearsAt(size, motion, [x, y, z]);
    for (const axis of [0, 1, 2])
      expect(Math.abs(centre[axis]! - expected[axis]!)).toBeLessThan(0.1);
  });
});

describe("backgrounds", () => {
  test("hold white matter of about 1, and places that are what they are called", () => {
    const { image, places, hull, fluid, size } = background;
    expect(image.length).toBe(size[0] * size[1] * size[2]);
    const white = places.deep;
    expect(sum(Array.from(white, (i) => image[i]!)) / white.length).toBeCloseTo(1, 1);
    for (const [region, voxels] of Object.entries(places)) {
      if (region !== "confluent") expect(voxels.length, region).toBeGreaterThan(100);
      for (const i of voxels) expect(hull[i]).toBeGreaterThan(80);
      if (region === "fluid") continue;
      expect(sum(Array.from(voxels, (i) => fluid[i]!)) / 255).toBeLessThan(0.2 * voxels.length + 1);
    }
  });

  test("filling makes white matter of lesions and leaves the rest", async () => {
    const image = await readVolume(join(singles, "s0", "flair.nii.gz"));
    const lesions = await readMask(join(singles, "s0", "lesions.nii.gz"));
    const tissue = tissueOf("s0", image, undefined, lesions);
    const data = image.data.slice();
    fill(data, tissue, lesions.data, lesions, new Philox(2));
    const { level, air } = tissue;
    const relative = (of: Float32Array, i: number) => (of[i]! - air) / (level[i]! - air);
    const inside = [...lesions.data.keys()].filter((i) => lesions.data[i]);
    const mean = (of: Float32Array) =>
      inside.reduce((total, i) => total + relative(of, i), 0) / inside.length;
    expect(mean(image.data)).toBeGreaterThan(1.2);
    expect(Math.abs(mean(data) - 1)).toBeLessThan(0.12);
    const far = gaussian(Float32Array.from(lesions.data), lesions.size, [1, 1, 1]);
    const changed = [...data.keys()].filter((i) => far[i] === 0 && data[i] !== image.data[i]);
    expect(changed).toEqual([]);
  });
});

test("a lesion's body has the volume that was asked for", () => {
  const random = new Philox(9);
  for (const volume of [10, 60, 300, 1500]) {
    let total = 0;
    for (let n = 0; n < 30; n++) {
      const body = drawBody(random, [40, 40, 40], volume, []);
      total += sum(footprint(body, [80, 80, 80]).share) / 30;
    }
    expect(total / volume, `${volume} mm³`).toBeWithin(0.75, 1.35);
  }
});

describe("pairs", () => {
  test("what is labelled is brighter at visit 2 than at visit 1, against its surroundings", () => {
    let [labelled, new1, empty] = [0, 0, 0];
    for (let k = 0; k < 10; k++) {
      const from = k % 2 ? background : withLesions;
      const { visit1, visit2, truth, resolved, made } = generatePair(from, [], 1, k);
      if (!truth.data.includes(1)) empty++;
      expect(
        made.some(({ fate }) => fate === "new") ||
          !truth.data.includes(1) ||
          made.some(({ fate }) => fate === "grown" || fate === "brighter"),
      ).toBe(true);
      for (const [mask, one, two] of [
        [truth, visit1, visit2],
        [resolved, visit2, visit1],
      ] as const) {
        const around = gaussian(Float32Array.from(mask.data), mask.size, [3, 3, 3]);
        const found = connectedComponents(mask.data, mask.size, 18);
        for (let c = 1; c <= found.count; c++) {
          const inside = found.voxels(c);
          if (inside.length < 8) continue;
          const near = [...around.keys()].filter((i) => around[i]! > 0.002 && !mask.data[i]);
          const rise = (of: Volume) => {
            const mean = (at: ArrayLike<number>) =>
              sum(Array.from(at, (i) => of.data[i]!)) / at.length;
            return mean(inside) / mean(near);
          };
          labelled++;
          if (rise(two) > rise(one)) new1++;
        }
      }
    }
    expect(labelled).toBeGreaterThan(12);
    expect(new1 / labelled).toBeGreaterThan(0.95);
    expect(empty).toBeWithin(1, 7);
  });

  test("the same number gives the same bits, another one another pair", () => {
    const [a, b, c] = [0, 0, 1].map((k) => generatePair(background, [], 5, k));
    expect(b!.visit1.data).toEqual(a!.visit1.data);
    expect(b!.visit2.data).toEqual(a!.visit2.data);
    expect(b!.truth.data).toEqual(a!.truth.data);
    expect(c!.visit2.data).not.toEqual(a!.visit2.data);
    expect(a!.visit1.data.every(Number.isFinite)).toBe(true);
  });
});

test("scans whose voxels are stored in another order give the same pairs, bit for bit", async () => {
  const stored = join(folder, "stored", "p0");
  mkdirSync(stored, { recursive: true });
  for (const name of readdirSync(join(singles, "s0"))) {
    const [from, to] = [join(singles, "s0", name), join(stored, name)];
    if (name.startsWith("flair")) {
      const image = await readVolume(from);
      await writeVolume(to, inOrder(image, orderTo(image.affine, "PIR")));
    } else {
      const mask = await readMask(from);
      await writeMask(to, inOrder(mask, orderTo(mask.affine, "PIR")));
    }
  }
  const other = await readBackground(findSources([dirname(stored)])[0]!);
  const [a, b] = [withLesions, other].map((of) => generatePair(of, [], 5, 3));
  expect(b!.made).toEqual(a!.made);
  for (const image of ["visit1", "visit2", "truth", "resolved"] as const) {
    expect(b![image].data, image).toEqual(a![image].data);
  }
});

test("every scan that is drawn is within its ranges, and they are used", () => {
  const random = new Philox(6);
  const scans = Array.from({ length: 300 }, () => drawAcquisition(background, random));
  const a = ACQUISITION;
  const within = (values: number[], [low, high]: readonly [number, number], about = 0.15) => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    expect(least).toBeWithin(low, low + about * (high - low));
    expect(most).toBeWithin(high - about * (high - low), high + 1e-9);
  };
  within(
    scans.map(({ noise }) => noise),
    a.noise,
  );
  within(
    scans.map(({ bias }) => bias.depth),
    a.biasDepth,
  );
  within(
    scans.map(({ slices }) => slices.mm),
    a.thickness,
  );
  within(
    scans.map(({ interpolation }) => interpolation),
    a.interpolation,
  );
  within(
    scans.map(({ gain }) => gain),
    a.gain,
  );
  expect(new Set(scans.map(({ slices }) => slices.axis)).size).toBe(3);
  expect(scans.filter(({ ghost }) => ghost).length / 300).toBeCloseTo(a.ghost, 1);
  for (const { contrast } of scans) {
    expect(toned(contrast.curve, 0)).toBeCloseTo(0, 5);
    expect(toned(contrast.curve, 1)).toBeCloseTo(1, 5);
    // A lesion is above the tissue around it, whatever the sequence.
    expect(toned(contrast.curve, 1.5)).toBeGreaterThan(toned(contrast.curve, 1.16));
    expect(toned(contrast.curve, 1.5)).toBeGreaterThan(1.05);
    expect(toned(contrast.curve, 0.35)).toBeLessThan(1);
  }
});

test("three pairs in ten have nothing new; volumes and regions are spread as they are meant to be", () => {
  const curve = drawContrast(new Philox(1)).curve;
  const sight = { mm: 1, noise: 0.02, curve };
  const all: MadeLesion[] = [];
  let unchanged = 0;
  for (let k = 0; k < 60; k++) {
    const { made, appeared } = evolved(background, [], new Philox(8, k), [sight, sight]);
    const isNew = made.some(({ fate }) => ["new", "grown", "brighter"].includes(fate));
    if (!isNew) unchanged++;
    expect(appeared.some((share) => share >= 0.5)).toBe(isNew);
    all.push(...made);
  }
  expect(unchanged / 60).toBeWithin(0.15, 0.47);
  expect(sum(Object.values(EVOLUTION.regions))).toBeCloseTo(1, 6);
  const volumes = all.map(({ volume }) => volume).sort((a, b) => a - b);
  expect(volumes[0]!).toBeGreaterThanOrEqual(EVOLUTION.volume.least);
  expect(volumes[volumes.length >> 1]!).toBeWithin(25, 100);
  expect(volumes.at(-1)!).toBeGreaterThan(250);
  const regions = new Set(all.map(({ region }) => region));
  for (const region of ["periventricular", "juxtacortical", "deep", "infratentorial"] as const) {
    expect(regions.has(region), region).toBe(true);
  }
  const fates = new Set(all.map(({ fate }) => fate));
  for (const fate of ["new", "same", "changed", "gone", "shrunk", "grown"] as const) {
    expect(fates.has(fate), fate).toBe(true);
  }
});

describe("cohorts", () => {
  const out = join(folder, "out");
  const bytes = (root: string, id: string) =>
    readdirSync(join(root, id))
      .sort()
      .map((name) => Bun.hash(readFileSync(join(root, id, name))));

  const picture = join(folder, "pairs.png");
  /** Four pairs in `out`. */
  const madeByCommand = once(async () => {
    const args = ["--pairs", "4", "--seed", "2", "--picture", picture];
    const { code, err } = await run("synthesise", pairs, out, ...args);
    expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
  });

  test("an interrupted command goes on to the same files; other settings are refused", async () => {
    await madeByCommand();
    expect(readFileSync(picture).subarray(1, 4).toString()).toBe("PNG");
    const ids = ["synthetic001", "synthetic002", "synthetic003", "synthetic004"];
    const first = ids.map((id) => bytes(out, id));
    rmSync(join(out, "synthetic002", ORIGIN));
    rmSync(join(out, "synthetic004"), { recursive: true });
    const options = { sources: findSources([pairs]), phantoms: 0, masks: [], pairs: 4, seed: 2 };
    await writeSynthetic(out, options);
    expect(ids.map((id) => bytes(out, id))).toEqual(first);
    expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);
    await expectRefusal(/another seed/, "synthesise", pairs, out, "--seed", "3");
    await expectRefusal(/holds other files already/, "synthesise", pairs, singles);
    await expectRefusal(/no patient px .*p0, p1, p2/, "synthesise", pairs, out, "--patients", "px");
    const empty = join(folder, "empty");
    mkdirSync(empty);
    await expectRefusal(/no scan found.*MSSEG-2/, "synthesise", empty, `${out}2`);
    const image = await readVolume(
      join(out, "synthetic001", "flair_time02_on_middle_space.nii.gz"),
    );
    const truth = await readMask(join(out, "synthetic001", "ground_truth.nii.gz"));
    expect(truth.size).toEqual(image.size);
    expect(volumeMm3(truth)).toBeCloseTo(1, 3);
  });

  test("several writers of one folder share the pairs", async () => {
    await madeByCommand();
    const shared = join(folder, "shared");
    const options = { sources: findSources([pairs]), phantoms: 0, masks: [], pairs: 2, seed: 2 };
    await Promise.all([writeSynthetic(shared, options), writeSynthetic(shared, options)]);
    const ids = ["synthetic001", "synthetic002"];
    expect(readdirSync(shared).sort()).toEqual(["synthesis.json", ...ids]);
    expect(ids.map((id) => bytes(shared, id))).toEqual(ids.map((id) => bytes(out, id)));
    const part = join(folder, "part");
    await writeSynthetic(part, { ...options, part: { index: 2, of: 2 } });
    expect(readdirSync(part).sort()).toEqual(["synthesis.json", "synthetic002"]);
    expect(bytes(part, "synthetic002")).toEqual(bytes(shared, "synthetic002"));
  });

  test("in training: made of the training arm alone; of folders, what validation touches is left out", async () => {
    await madeByCommand();
    const sizes = ["--filters", "8,8,8", "--patch", "16", "--stride", "12", "--spacing", "4"];
    const short = ["--batch", "2", "--pool", "4", "--iterations", "2", "--validate-every", "0.9"];
    const data = ["--data", pairs, "--val", "p0", "--train-data", out, "--synthetic", "0.5"];
    const all = ["--augment", "all", "--difference", "--time-reversal", "--loss", "batch-dice-ce"];
    const runFolder = join(folder, "run");
    const { code, err } = await run(
      "train",
      ...data,
      ...sizes,
      ...short,
      ...all,
      "--out",
      runFolder,
    );
    expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
    const untouched = ["synthetic001", "synthetic002", "synthetic003", "synthetic004"].filter(
      (id) => {
        return originOf(join(out, id))!.patient !== "p0";
      },
    );
    expect(err).toContain(`${untouched.length} more pairs that only train`);
    expect(err).toContain("2 synthetic pairs, made of the 2 that train");
    const split = JSON.parse(readFileSync(join(runFolder, "split.json"), "utf8"));
    expect(split).toMatchObject({ train: ["p1", "p2"], val: ["p0"], trainData: [out] });
  });
});

const REAL = [process.env.VOXGRAD_DATA, join(dirname(import.meta.dir), "..", "shared", "data")]
  .flatMap((root) => (root === undefined ? [] : [join(root, "longitudinal", "patient01")]))
  .find((path) => existsSync(path));
if (!REAL) console.log("synthesis: no real scan here (set VOXGRAD_DATA); its test is skipped");

test.skipIf(!REAL)(
  "in a real scan without a mask: the brain is found, places are inside it",
  async () => {
    const image = await readVolume(join(REAL!, "flair_time02_on_middle_space.nii.gz"));
    const mask = await readMask(join(REAL!, "brain_mask.nii.gz"));
    const { brain, plausible } = tissueOf("patient01", image);
    let [both, either, outside, places] = [0, 0, 0, 0];
    for (const [i, published] of mask.data.entries()) {
      both += 2 * (brain[i]! & published);
      either += brain[i]! + published;
      places += plausible[i]!;
      outside += plausible[i]! & (1 - published);
    }
    expect(both / either).toBeGreaterThan(0.93);
    expect(places).toBeGreaterThan(100_000);
    expect(outside / places).toBeLessThan(0.001);
  },
);
