/** Synthetic new lesions: their places, their effect, no sign of the pasting, repeatability. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Philox } from "../src/core/random";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeMask, writeVolume } from "../src/data/nifti_write";
import { DEFAULT_PHANTOM } from "../src/data/phantom/cohort";
import { makePatient } from "../src/data/phantom/patient";
import { gaussian } from "../src/data/smooth";
import type { Mask, Volume } from "../src/data/volume";
import { inOrder, orderTo } from "../src/data/voxel_order";
import { connectedComponents } from "../src/eval/components";
import { ORIGIN, originOf, writeSynthetic } from "../src/synthesis/cohort";
import { makeSyntheticPair } from "../src/synthesis/pair";
import { drawTurn, fill, fits, footprint, paint } from "../src/synthesis/paste";
import type { LesionShape } from "../src/synthesis/shape";
import { findSources, type Recipient, readRecipient } from "../src/synthesis/sources";
import { tissueOf } from "../src/synthesis/tissue";
import { expectRefusal, run } from "./cli_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-synthesis-"));
const pairs = join(folder, "pairs");
const singles = join(folder, "singles");
const settings = { ...DEFAULT_PHANTOM, spacing: 2, fieldOfView: [104, 128, 80] as const, seed: 3 };
afterAll(() => rmSync(folder, { recursive: true }));

let recipients: Recipient[] = [];
let single: Recipient;

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
  recipients = await Promise.all(findSources(pairs).map((source) => readRecipient(source)));
  single = await readRecipient(findSources(singles)[0]!);
});

const shapesOf = (id: string) =>
  recipients.filter(({ source }) => source.id !== id).flatMap(({ shapes }) => shapes);
const volumeMm3 = (image: Volume | Mask) =>
  Math.abs(image.affine[0]! * image.affine[5]! * image.affine[10]!);

/** A ball of 5 mm radius on 1 mm voxels. */
function ball(): LesionShape {
  const size = [15, 15, 15] as const;
  const hard = Float32Array.from({ length: 15 ** 3 }, (_, i) => {
    const [x, y, z] = [i % 15, Math.floor(i / 15) % 15, Math.floor(i / 225)];
    return Math.hypot(x - 7, y - 7, z - 7) <= 5 ? 1 : 0;
  });
  const count = hard.reduce((a, b) => a + b, 0);
  const soft = gaussian(hard, size, [0.7, 0.7, 0.7]);
  const border = soft.toSorted().at(-count)!;
  const toCentre = [1, 0, 0, -7, 0, 1, 0, -7, 0, 0, 1, -7, 0, 0, 0, 1];
  const texture = new Float32Array(hard.length).fill(1);
  const place = [0.5, 0.5, 0.5] as const;
  return { donor: "ball", size, toCentre, soft, border, texture, place, volume: count };
}

describe("smoothing", () => {
  test("keeps the sum and has the deviation asked for, by taps and by running means", () => {
    for (const sigma of [0.6, 1.4, 3.7, 8.2]) {
      const point = new Float32Array(121);
      point[60] = 1;
      const even = gaussian(point, [121, 1, 1], [sigma, 0, 0]);
      const square = even.reduce((total, v, i) => total + v * (i - 60) ** 2, 0);
      expect(even.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
      expect(Math.abs(Math.sqrt(square) / sigma - 1), `σ ${sigma}`).toBeLessThan(0.05);
    }
  });
});

describe("places", () => {
  test("plausible places are white matter: neither air, nor fluid, nor an old lesion", () => {
    for (const { tissues, lesions } of recipients) {
      const { plausible, relative, fluid, brain } = tissues[1]!;
      const places = [...plausible.keys()].filter((i) => plausible[i]);
      expect(places.length).toBeGreaterThan(3000);
      for (const i of places) {
        if (!brain[i] || lesions.data[i] || fluid[i]! > 0.5 || Math.abs(relative[i]! - 1) > 0.13) {
          throw new Error(`voxel ${i} is no place for a lesion`);
        }
      }
    }
  });

  test("a footprint has the shape's volume on any grid, with partial volume at its border", () => {
    const shape = ball();
    const turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    for (const edges of [
      [1, 1, 1],
      [0.7, 0.7, 3],
      [2, 1.3, 0.9],
    ] as const) {
      const size = edges.map((mm) => Math.ceil(40 / mm)) as [number, number, number];
      const affine = [edges[0], 0, 0, -20, 0, edges[1], 0, -20, 0, 0, edges[2], -20, 0, 0, 0, 1];
      const image = { size, affine, data: new Float32Array(size[0] * size[1] * size[2]) };
      const { share } = footprint(image, shape, { centre: [0.3, -0.2, 0.4], turn });
      const volume = share.reduce((sum, s) => sum + s, 0) * edges[0] * edges[1] * edges[2];
      expect(Math.abs(volume / shape.volume - 1), `${edges}`).toBeLessThan(0.06);
      expect(share.some((s) => s > 0.2 && s < 0.8)).toBe(true);
      expect(share.some((s) => s > 0.999)).toBe(true);
    }
  });

  test("turns keep the volume up to their size, mirrored or not", () => {
    const random = new Philox(4);
    for (const mirrored of [false, true]) {
      const [a, b, c, d, e, f, g, h, i] = drawTurn(random, mirrored) as [
        ...[number, number, number],
        ...[number, number, number],
        ...[number, number, number],
      ];
      const volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
      expect(mirrored ? -volume : volume).toBeWithin(1.2 ** -3, 0.85 ** -3);
    }
  });

  test("fluid, the border of the brain and other lesions are refused", () => {
    const { images, tissues } = recipients[0]!;
    const tissue = tissues[1]!;
    const none = new Uint8Array(tissue.plausible.length);
    const turn = [2, 0, 0, 0, 2, 0, 0, 0, 2];
    const found = [...tissue.plausible.keys()].map((i) => {
      const [nx, ny] = tissue.size;
      const at = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
      return at.map(
        (v, axis) => images[0]!.affine[5 * axis]! * v + images[0]!.affine[4 * axis + 3]!,
      );
    });
    const fit = [...found.keys()]
      .filter((i) => i % 211 === 0)
      .filter((i) => {
        const print = footprint(images[0]!, ball(), {
          centre: found[i] as [number, number, number],
          turn,
        });
        if (!fits(print, tissue, none)) return false;
        expect(
          fits(
            print,
            tissue,
            none.map(() => 1),
          ),
        ).toBe(false);
        const fluid = print.voxels.reduce((s, v, k) => s + print.share[k]! * tissue.fluid[v]!, 0);
        expect(fluid).toBeLessThan(0.15 * print.share.reduce((a, b) => a + b, 0));
        return true;
      });
    expect(fit.length).toBeGreaterThan(3);
  });
});

describe("lesions", () => {
  test("painting lifts what is covered, keeps its noise, and touches nothing else", () => {
    const { images, tissues } = recipients[0]!;
    const tissue = tissues[1]!;
    const [nx, ny] = tissue.size;
    const centre = tissue.plausible.findLastIndex(
      (v, i) => v === 1 && tissue.plausible[i + 1] === 1,
    );
    const at = [centre % nx, Math.floor(centre / nx) % ny, Math.floor(centre / (nx * ny))].map(
      (v, axis) => images[1]!.affine[5 * axis]! * v + images[1]!.affine[4 * axis + 3]!,
    ) as [number, number, number];
    const print = footprint(images[1]!, ball(), { centre: at, turn: [2, 0, 0, 0, 2, 0, 0, 0, 2] });
    const data = images[1]!.data.slice();
    const labels = paint(data, tissue, print, 0.5);
    const inside = new Map([...print.voxels].map((v, k) => [v, print.share[k]!]));
    for (const [i, v] of data.entries()) {
      if (!inside.has(i)) expect(v).toBe(images[1]!.data[i]!);
      else expect(v).toBeGreaterThanOrEqual(images[1]!.data[i]!);
    }
    expect(labels.length).toBeGreaterThan(0);
    for (const i of labels) expect(inside.get(i)).toBeGreaterThanOrEqual(0.5);
    expect(connectedComponents(mask(labels, data.length), tissue.size).count).toBe(1);
  });

  test("filling makes white matter of lesions and leaves the rest", () => {
    const { images, tissues, lesions } = single;
    const data = images[0]!.data.slice();
    fill(data, tissues[0]!, lesions.data, lesions, new Philox(2));
    const { level, air } = tissues[0]!;
    const relative = (of: Float32Array, i: number) => (of[i]! - air) / (level[i]! - air);
    const inside = [...lesions.data.keys()].filter((i) => lesions.data[i]);
    const mean = (of: Float32Array) =>
      inside.reduce((sum, i) => sum + relative(of, i), 0) / inside.length;
    expect(mean(images[0]!.data)).toBeGreaterThan(1.2);
    expect(Math.abs(mean(data) - 1)).toBeLessThan(0.12);
    const far = gaussian(Float32Array.from(lesions.data), lesions.size, [1, 1, 1]);
    const changed = [...data.keys()].filter((i) => far[i] === 0 && data[i] !== images[0]!.data[i]);
    expect(changed).toEqual([]);
  });
});

const mask = (voxels: Iterable<number>, length: number) => {
  const set = new Uint8Array(length);
  for (const i of voxels) set[i] = 1;
  return set;
};

describe("pairs", () => {
  test("of a pair: the own truth stays, what is new is brighter at visit 2 alone", () => {
    const recipient = recipients[1]!;
    const shapes = shapesOf("p1");
    let pasted = 0;
    for (let k = 0; k < 4; k++) {
      const { visit1, visit2, truth, made } = makeSyntheticPair(recipient, shapes, [7, k]);
      const old = made.some(({ kind }) => kind === "old");
      const added = [...truth.data.keys()].filter(
        (i) => truth.data[i] && !recipient.lesions.data[i],
      );
      pasted += added.length;
      for (const i of recipient.lesions.data.keys()) {
        if (recipient.lesions.data[i]) expect(truth.data[i]).toBe(1);
      }
      for (const i of added) {
        expect(visit2.data[i]!).toBeGreaterThan(recipient.images[1]!.data[i]!);
        expect(visit1.data[i]!).toBe(recipient.images[0]!.data[i]!);
      }
      if (!old) expect(visit1.data).toEqual(recipient.images[0]!.data);
      for (const { donor } of made) expect(donor).not.toBe("p1");
    }
    expect(pasted).toBeGreaterThan(0);
  });

  test("of a single scan: no lesion is left unlabelled, nothing else differs but by the scanner", () => {
    let [filled, pasted] = [0, 0];
    for (let k = 0; k < 6; k++) {
      const { visit1, visit2, truth, made } = makeSyntheticPair(single, shapesOf("none"), [1, k]);
      filled += made.filter(({ kind }) => kind === "filled").length;
      pasted += made.filter(({ kind }) => kind === "pasted").length;
      // Where nothing is new the visits differ all the same: no voxel tells by being equal.
      const { brain } = single.tissues[0]!;
      const inBrain = [...brain.keys()].filter((i) => brain[i] && !truth.data[i]);
      const same = inBrain.filter((i) => visit1.data[i] === visit2.data[i]).length;
      expect(same / inBrain.length).toBeLessThan(0.001);
      const found = connectedComponents(truth.data, truth.size, 18);
      for (let c = 1; c <= found.count; c++) {
        const mean = (of: Float32Array) =>
          found.voxels(c).reduce((sum, i) => sum + of[i]!, 0) / found.voxels(c).length;
        const whole = (of: Float32Array) =>
          inBrain.reduce((sum, i) => sum + of[i]!, 0) / inBrain.length;
        const ratio =
          mean(visit2.data) / whole(visit2.data) / (mean(visit1.data) / whole(visit1.data));
        expect(ratio).toBeGreaterThan(1.03);
      }
    }
    expect(filled).toBeGreaterThan(0);
    expect(pasted).toBeGreaterThan(0);
  });

  test("the same key gives the same bits, another one another pair", () => {
    const [a, b, c] = [
      [5, 0],
      [5, 0],
      [5, 1],
    ].map(([seed, k]) => makeSyntheticPair(single, shapesOf("none"), [seed!, k!]));
    expect(b!.visit1.data).toEqual(a!.visit1.data);
    expect(b!.visit2.data).toEqual(a!.visit2.data);
    expect(b!.truth.data).toEqual(a!.truth.data);
    expect(c!.visit2.data).not.toEqual(a!.visit2.data);
  });
});

test("scans whose voxels are stored in another order give the same pairs, bit for bit", async () => {
  const stored = join(folder, "stored");
  for (const [from, code] of [
    [join(pairs, "p0"), "LAI"],
    [join(singles, "s0"), "PIR"],
  ] as const) {
    const to = join(stored, basename(from));
    mkdirSync(to, { recursive: true });
    for (const name of readdirSync(from)) {
      if (name.startsWith("flair")) {
        const image = await readVolume(join(from, name));
        await writeVolume(join(to, name), inOrder(image, orderTo(image.affine, code)));
      } else {
        const mask = await readMask(join(from, name));
        await writeMask(join(to, name), inOrder(mask, orderTo(mask.affine, code)));
      }
    }
  }
  const [pair, scan] = await Promise.all(
    findSources(stored).map((source) => readRecipient(source)),
  );
  for (const [got, want] of [
    [pair!, recipients[0]!],
    [scan!, single],
  ]) {
    expect(got!.shapes.length).toBe(want!.shapes.length);
    for (const key of [0, 1]) {
      const [a, b] = [got!, want!].map((r) => makeSyntheticPair(r, shapesOf("p0"), [5, key]));
      expect(a!.made).toEqual(b!.made);
      for (const image of ["visit1", "visit2", "truth", "resolved"] as const) {
        expect(a![image]?.data, image).toEqual(b![image]!.data);
        expect(a![image]?.affine, image).toEqual(b![image]!.affine);
      }
    }
  }
});

describe("cohorts", () => {
  const out = join(folder, "out");
  const bytes = (root: string, id: string) =>
    readdirSync(join(root, id))
      .sort()
      .map((name) => Bun.hash(readFileSync(join(root, id, name))));

  test("an interrupted command goes on to the same files; other settings are refused", async () => {
    const picture = join(folder, "pairs.png");
    const args = ["--pairs", "4", "--seed", "2", "--picture", picture];
    const { code, err } = await run("synthesise", pairs, out, ...args);
    expect({ err: code === 0 ? "" : err, code }).toEqual({ err: "", code: 0 });
    expect(readFileSync(picture).subarray(1, 4).toString()).toBe("PNG");
    const ids = ["synthetic001", "synthetic002", "synthetic003", "synthetic004"];
    const first = ids.map((id) => bytes(out, id));
    rmSync(join(out, "synthetic002", ORIGIN));
    rmSync(join(out, "synthetic004"), { recursive: true });
    const options = { sources: findSources(pairs), masks: [], pairs: 4, seed: 2 };
    await writeSynthetic(out, options);
    expect(ids.map((id) => bytes(out, id))).toEqual(first);
    expect(readdirSync(out).filter((name) => name.startsWith("."))).toEqual([]);
    await expectRefusal(/another seed/, "synthesise", pairs, out, "--seed", "3");
    await expectRefusal(/holds other files already/, "synthesise", pairs, singles);
    await expectRefusal(/no patient px .*p0, p1, p2/, "synthesise", pairs, out, "--patients", "px");
    await expectRefusal(/one patient alone/, "synthesise", pairs, `${out}1`, "--patients", "p0");
    await expectRefusal(/no patient found.*MSSEG-2/, "synthesise", folder, `${out}2`);
    const image = await readVolume(
      join(out, "synthetic001", "flair_time02_on_middle_space.nii.gz"),
    );
    const truth = await readMask(join(out, "synthetic001", "ground_truth.nii.gz"));
    expect(truth.size).toEqual(image.size);
    expect(volumeMm3(truth)).toBeCloseTo(8, 3);
  });

  test("several writers of one folder share the pairs", async () => {
    const shared = join(folder, "shared");
    const options = { sources: findSources(pairs), masks: [], pairs: 2, seed: 2 };
    await Promise.all([writeSynthetic(shared, options), writeSynthetic(shared, options)]);
    const ids = ["synthetic001", "synthetic002"];
    expect(readdirSync(shared).sort()).toEqual(["synthesis.json", ...ids]);
    expect(ids.map((id) => bytes(shared, id))).toEqual(ids.map((id) => bytes(out, id)));
  });

  test("in training: made of the training arm alone; of folders, what validation touches is left out", async () => {
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
        const { recipient, donors } = originOf(join(out, id))!;
        return recipient !== "p0" && !donors.includes("p0");
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
