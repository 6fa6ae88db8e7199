/** The quality of a pair: what it measures, when it has reservations, and what `predict` makes of them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrain } from "../src/brain/brain_mask";
import { Philox } from "../src/core/random";
import { writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { writeSafetensors } from "../src/data/safetensors_file";
import { shownImage, shownPart } from "../src/data/shown_part";
import type { Size3, Volume } from "../src/data/volume";
import { inOrder, orderTo } from "../src/data/voxel_order";
import { weightsMetadata } from "../src/infer/model_info";
import type { PairQuality } from "../src/quality/pair_quality";
import { qualityLines } from "../src/quality/quality_text";
import { identityReservations, LEAST_CONTRAST, MOST_NOISE } from "../src/quality/reservations";
import { noiseOf, visitQuality } from "../src/quality/visit_quality";
import { type MatchOptions, matchPair, qualityOf } from "../src/run/matched_pair";
import type { ReadImage } from "../src/run/placed_pair";
import { run, succeed } from "./cli_rig";
import { MODEL, weightsContents } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-quality-"));
afterAll(() => rmSync(folder, { recursive: true }));

const SETTINGS = { seed: 3, spacing: 3, fieldOfView: [160, 190, 160] as const };
const [image, stranger] = [0, 1].map((index) => makePatient(SETTINGS, index).visits[0]) as [
  Volume,
  Volume,
];
const bright = image.data.toSorted()[Math.floor(0.8 * image.data.length)]!;

const noisy = (amount: number, from = image): Volume => {
  const random = new Philox(7, 1);
  return { ...from, data: from.data.map((v) => v + amount * bright * random.normal()) };
};
const map = (rule: (v: number) => number): Volume => ({ ...image, data: image.data.map(rule) });
/** The lower part of the image, of so many planes. */
function lower(planes: number, from = image): Volume {
  const [nx, ny] = from.size;
  return { ...from, size: [nx, ny, planes], data: from.data.slice(0, nx * ny * planes) };
}
/** In slices of 6 mm, each the mean of two. */
function thick(): Volume {
  const [nx, ny, nz] = image.size;
  const [plane, slices] = [nx * ny, Math.floor(nz / 2)];
  const data = new Float32Array(plane * slices);
  for (let i = 0; i < data.length; i++) {
    const at = 2 * plane * Math.floor(i / plane) + (i % plane);
    data[i] = (image.data[at]! + image.data[at + plane]!) / 2;
  }
  const affine = image.affine.map((v, i) => {
    if (i % 4 === 2 && i < 12) return 2 * v;
    return i === 11 ? v + SETTINGS.spacing / 2 : v;
  });
  return { size: [nx, ny, slices], affine, data };
}

/** As the headers say: without a device. */
async function qualityBetween(one: Volume, two: Volume, options: MatchOptions = {}) {
  const visit = (path: string, volume: Volume): ReadImage => ({
    path,
    image: { ...volume, info: { geometry: "sform" } as ReadImage["image"]["info"], notes: [] },
  });
  const memory = undefined as never; // Nothing is registered.
  const visits = [visit("one.nii", one), visit("two.nii", two)] as const;
  return qualityOf(await matchPair(memory, ...visits, { register: "off", ...options }));
}

let same: PairQuality;
beforeAll(async () => {
  same = await qualityBetween(image, noisy(0.01));
});

test("a good pair has no reservation, and its lines say what was measured", () => {
  const { visits, alignment, coverage, drift, reservations } = same;
  expect(reservations).toEqual([]);
  expect(visits[0].voxelMm.map((edge) => Math.round(edge))).toEqual([3, 3, 3]);
  expect(visits[0].brainMl).toBeWithin(600, 2200);
  expect(visits[0].contrast).toBeWithin(0.4, 1);
  expect(alignment.similarity).toBeGreaterThan(0.9);
  expect([alignment.movedMm, coverage.of]).toEqual([undefined, ["brain", "brain"]]);
  expect(coverage.shares).toEqual([1, 1]);
  expect(drift.brightness).toBeCloseTo(1, 2);
  expect(drift.contrast).toBeCloseTo(1, 1);
  const lines = qualityLines(same);
  expect(lines[0]).toMatch(/^visit 1: voxels of 3 × 3 × 3 mm, slices of 3 mm, brain \d+ ml, fluid/);
  expect(lines[2]).toMatch(
    /similarity (0.9\d|1.00) .*visit 2 covers 100 % of the brain of visit 1, visit 1/,
  );
  expect(lines[3]).toMatch(/^drift: visit 2 is 1\.00 times as bright/);
});

test("noise is measured in itself and on top of an image; much of it is a reservation", async () => {
  const random = new Philox(1);
  const size: Size3 = [40, 41, 9];
  const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1];
  const ramp = Float32Array.from({ length: 40 * 41 * 9 }, (_, i) => (i % 40) + 7 * random.normal());
  expect(noiseOf({ size, affine, data: ramp }, new Uint8Array(ramp.length).fill(1))).toBeCloseTo(
    7,
    0,
  );
  const { visits, reservations } = await qualityBetween(noisy(0.2), image);
  const [before, after] = [same, { visits }].map(({ visits: [{ noise }] }) => noise!);
  expect(after! ** 2 - before! ** 2).toBeWithin(0.14 ** 2, 0.26 ** 2);
  expect(before).toBeLessThan(MOST_NOISE);
  expect(reservations).toContainEqual(
    expect.stringMatching(/^noise of \d\d % .*the first visit: faint/),
  );
});

test("a gain is drift of brightness alone, a stretch of the values drift of contrast", async () => {
  const gain = await qualityBetween(
    image,
    map((v) => 1.3 * v),
  );
  expect(gain.drift.brightness).toBeCloseTo(1.3, 2);
  expect(gain.drift.contrast).toBeCloseTo(1, 2);
  expect(gain.reservations).toEqual([]);
  const stretched = (by: number) => map((v) => (v > 0.6 * bright ? bright + by * (v - bright) : v));
  const told = async (one: Volume, two: Volume) => {
    const { drift, reservations } = await qualityBetween(one, two);
    return { contrast: drift.contrast!, text: reservations.find((t) => t.startsWith("tissues")) };
  };
  const flat = await told(image, stretched(0.4));
  expect(flat.contrast).toBeLessThan(0.5);
  expect(flat.text).toMatch(/^tissues differ 0\.\d\d times .*: what is new may not stand out$/);
  const steep = await told(stretched(0.4), image);
  expect(steep.contrast).toBeWithin(2, 3);
  expect(steep.text).toMatch(
    /^tissues differ 2\.\d\d times .*: what was there before may look new$/,
  );
  const little = await told(stretched(0.6), image);
  expect(little.contrast).toBeWithin(1.2, 2);
  expect(little.text).toBeUndefined();
});

test("half of the head, thick slices, another person: each is said in a sentence", async () => {
  const { coverage, reservations } = await qualityBetween(lower(20), image);
  expect([coverage.shares[0], coverage.of]).toEqual([1, ["head", "brain"]]);
  expect(coverage.shares[1]).toBeWithin(0.2, 0.7);
  expect(reservations).toContainEqual(
    `the first visit covers ${(100 * coverage.shares[1]).toFixed(0)} % of the brain`,
  );
  expect((await qualityBetween(image, thick())).reservations).toEqual([
    "slices of 6 mm at the second visit: lesions under 3 mm lose half of their contrast and more, " +
      "and cannot be seen",
  ]);
  const person = await qualityBetween(image, stranger);
  expect(person.reservations).toContainEqual(
    expect.stringMatching(/do not lie on each other as one head/),
  );
});

test("planes of one value around an image are no field of view", async () => {
  const [nx, ny, nz] = image.size;
  const top = Math.round(0.6 * nz);
  const padded = map((v) => v + 1).data.map((v, i) => (i < top * nx * ny ? v : 0));
  const outer = image.data.map((v) => v + 1);
  outer.fill(0, 0, 2 * nx * ny);
  const shown = shownPart({ ...image, data: outer });
  expect([shown.size, shown.affine[11]! - image.affine[11]!]).toEqual([[nx, ny, nz - 2], 6]);
  const inner = shownImage({ ...image, data: outer });
  expect(inner).toEqual({ ...shown, data: outer.slice(2 * nx * ny) });
  expect(shownImage(inner)).toBe(inner);
  expect(findBrain({ ...image, data: outer })).toEqual(findBrain(inner));
  expect(shownPart(map(() => 5))).toEqual({ size: image.size, affine: image.affine });
  const { reservations } = await qualityBetween(image, { ...image, data: padded });
  expect(reservations).toContainEqual(
    expect.stringMatching(/^the second visit covers \d\d % of the brain$/),
  );
});

test("one image twice is no pair, in whatever order or place its voxels are stored", () => {
  const turned = inOrder(image, orderTo(image.affine, "PIR"));
  const elsewhere = image.affine.map((v, i) => (i === 3 ? v + 2 : v));
  for (const other of [image, turned, { ...image, affine: elsewhere }]) {
    expect(identityReservations([image, other])).toEqual([
      "both visits hold the same voxels: they are one image, and nothing can be new in it",
    ]);
  }
  const changed = image.data.with(image.data.length >> 1, -1);
  for (const other of [lower(20), { ...image, data: changed }]) {
    expect(identityReservations([image, other])).toEqual([]);
  }
});

test("fluid that is no darker than the brain is seen", () => {
  const { mask } = findBrain(image);
  expect(visitQuality(image, mask).contrast).toBeWithin(0.4, 1);
  const { contrast } = visitQuality(
    map((v) => (v < 0.7 * bright ? bright : v)),
    mask,
  );
  expect(contrast).toBeLessThan(LEAST_CONTRAST);
});

test("without a mask the head stands for the brain; what is too small for a head has no reservation", async () => {
  const off = await qualityBetween(image, lower(20), { brain: "off" });
  expect([off.coverage.of, off.visits[0].contrast]).toEqual([["head", "head"], undefined]);
  expect(off.reservations).toContainEqual(
    expect.stringMatching(/^the second visit covers \d\d % of the head/),
  );
  const small = makePatient({ ...SETTINGS, fieldOfView: [60, 60, 60] }, 0).visits;
  const { reservations, coverage } = await qualityBetween(...small);
  expect([reservations, coverage.shares]).toEqual([[], [1, 1]]);
});

describe("bun run predict", () => {
  const path = (name: string) => join(folder, name);
  const args = (two: string, ...more: string[]) => [
    ...["-t1", path("one.nii"), "-t2", path(two), "-o", path("o.nii"), "--register", "off"],
    ...["--tune", "off", ...more],
  ];
  const network = ["--weights", path("w.safetensors")];

  beforeAll(async () => {
    await writeVolume(path("one.nii"), image);
    await writeVolume(path("two.nii"), noisy(0.01));
    await writeVolume(path("half.nii"), lower(20, noisy(0.01)));
    // A network that finds nothing.
    const { tensors } = weightsContents((named) => {
      for (const [name, { shape }] of named) {
        if (shape.length === 1 && shape[0] === 1)
          named.set(name, { shape, data: new Float32Array([-9]) });
      }
    });
    const model = { ...MODEL, spacing: 8, stride: 8 };
    writeSafetensors({ path: path("w.safetensors"), tensors, metadata: weightsMetadata(model) });
  });

  test("a pair that is not fit has no plain no: reservation, report, and exit code 3 with --strict", async () => {
    const report = path("r.json");
    const { out, err, code } = await run(
      "predict",
      ...args("half.nii", ...network, "--strict", "--report", report),
    );
    expect(code).toBe(3);
    expect(out).toMatch(/^NOT FIT: the second visit covers \d\d % of the brain$/m);
    expect(out).toMatch(
      /^any new lesion: none was found, which does not mean that there is none;/m,
    );
    expect(err).toMatch(/^visit 2: voxels of 3 × 3 × 3 mm/m);
    const { fit, quality, newLesions } = JSON.parse(readFileSync(report, "utf8"));
    expect([fit, newLesions, quality.reservations.length > 0]).toEqual([false, false, true]);
    expect(quality.coverage.shares[0]).toBeLessThan(0.7);
  });

  test("a fit pair has a plain no and exit code 0 with --strict", async () => {
    const report = path("fit.json");
    const { out } = await succeed(
      "predict",
      ...args("two.nii", ...network, "--strict", "--report", report),
    );
    expect(out).toMatch(/^any new lesion: no$/m);
    expect(out).not.toMatch(/NOT FIT/);
    expect(JSON.parse(readFileSync(report, "utf8")).fit).toBe(true);
  });

  test("without a network too", async () => {
    const left = await run("predict", ...args("half.nii", "--weights", "none", "--strict"));
    expect([left.code, left.out]).toEqual([
      3,
      expect.stringMatching(/^NOT FIT: the second visit covers/),
    ]);
    await succeed("predict", ...args("two.nii", "--weights", "none", "--strict"));
  });

  test("a visit without anything in it has no statistic", async () => {
    await writeVolume(
      path("dark.nii"),
      map(() => 0),
    );
    const mask = ["-o", path("of_dark.nii")];
    const { code, out, err } = await run(
      "predict",
      ...args("dark.nii", "--weights", "none", ...mask),
    );
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(/dark\.nii: half of the brain or more is 0 or less at one of the visits/);
    expect(existsSync(path("of_dark_change.nii"))).toBe(false);
  });
});
