/** The change statistic: what it finds, what it leaves alone, and how `predict` says that it is one. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrain } from "../src/brain/brain_mask";
import { dilated, eroded } from "../src/brain/morphology";
import { movedMask } from "../src/brain/pair_brain";
import { brighterBrain } from "../src/change/brighter_brain";
import { changeStatistic, clustersOf } from "../src/change/change_statistic";
import { biasBetween, biasText, withoutBias } from "../src/change/differential_bias";
import { Philox } from "../src/core/random";
import { applyAffine, IDENTITY } from "../src/data/affine";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { resampleMaskTo } from "../src/data/resample";
import { type Mask, type Volume, voxelAt } from "../src/data/volume";
import { filesBeside } from "../src/run/change_pair";
import { NO_WEIGHTS } from "./cli_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-change-"));
afterAll(() => rmSync(folder, { recursive: true }));

const image = makePatient({ seed: 3, spacing: 2, fieldOfView: [160, 190, 160] }, 0).visits[0];
const found = findBrain(image);
const brain: Mask = { ...resampleMaskTo(found.mask, image) };
const bright = image.data.filter((_, i) => brain.data[i]).toSorted()[50_000]!;
/** A place deep in the brain, voxels. */
const PLACE = [40, 55, 48] as const;

/** Another scan of the same head: gain, a smooth field, noise, and perhaps a lesion of a radius in voxels. */
function again(seed: number, lesion: number, radius = 2.2): Volume {
  const random = new Philox(seed, 3);
  const data = image.data.map((v, i) => {
    const at = voxelAt(i, image.size);
    const field = 1.2 * Math.exp(0.1 * Math.sin(at[0]! / 25) + 0.08 * Math.cos(at[1]! / 30));
    const distance = Math.hypot(...at.map((c, axis) => c - PLACE[axis]!));
    return (
      (v + (distance <= radius ? lesion * bright : 0)) * field + 0.03 * bright * random.normal()
    );
  });
  return { ...image, data };
}

test("a new lesion is the one cluster, where it lies; swapped it is darker", () => {
  expect(found.doubt).toBeUndefined();
  for (const [one, two, sign] of [
    [image, again(1, 0.8), 1],
    [again(1, 0.8), image, -1],
  ] as const) {
    const bias = biasBetween(one, two, brain)!;
    const { z } = changeStatistic(...withoutBias(one, two, bias), brain);
    const { mask, clusters } = clustersOf(z, sign);
    expect(clusters.length).toBe(1);
    expect(clustersOf(z, sign === 1 ? -1 : 1).clusters).toEqual([]);
    const centre = applyAffine(image.affine, PLACE);
    expect(Math.hypot(...clusters[0]!.centreMm.map((v, k) => v - centre[k]!))).toBeLessThan(2);
    expect(clusters[0]!.volumeMm3).toBe(8 * mask.data.reduce((sum, v) => sum + v, 0));
    expect(clusters[0]!.sign).toBe(sign);
  }
});

test("no change is no cluster, and one image twice has none", () => {
  for (const two of [again(2, 0), image]) {
    const bias = biasBetween(image, two, brain)!;
    const { z } = changeStatistic(...withoutBias(image, two, bias), brain);
    expect([...clustersOf(z, 1).clusters, ...clustersOf(z, -1).clusters]).toEqual([]);
    expect(z.data.every(Number.isFinite)).toBe(true);
  }
});

/** Where lesions may lie, on the grid of the image. */
function allowedOf(one: Volume, two: Volume): Mask {
  const bias = biasBetween(one, two, brain)!;
  return movedMask(brighterBrain(...withoutBias(one, two, bias), brain), IDENTITY, image);
}

/** Of the lesion of `again`, as findings ask it: the share of its voxels where lesions may lie. */
function shareAllowed(one: Volume, two: Volume, radius = 2.2): number {
  const allowed = allowedOf(one, two);
  const own = [...image.data.keys()].filter((i) => {
    const at = voxelAt(i, image.size);
    return brain.data[i] === 1 && Math.hypot(...at.map((c, k) => c - PLACE[k]!)) <= radius;
  });
  return own.filter((i) => allowed.data[i] === 1).length / own.length;
}

test("lesions may lie where the brain is brighter at visit 2, also large ones, and not where it is darker", () => {
  for (const radius of [1.5, 2.2, 4, 8, 10]) {
    const two = again(1, 0.4, radius);
    expect(shareAllowed(image, two, radius)).toBeGreaterThan(0.5);
    expect(shareAllowed(two, image, radius)).toBeLessThan(0.05);
  }
  expect(shareAllowed(image, again(2, 0))).toBeLessThan(0.15);
});

test("a band along the ventricles may be a lesion: their fluid counts as brain", () => {
  const fluid = eroded(dilated(brain, 6), 6).data.map((v, i) => v & (1 - brain.data[i]!));
  const beside = dilated({ ...brain, data: fluid }, 4);
  const own = [...image.data.keys()].filter((i) => {
    const at = voxelAt(i, image.size);
    const isDeep = at.every((c, k) => Math.abs(c - image.size[k]! / 2) < 10); // no sulci there
    return isDeep && beside.data[i] === 1 && brain.data[i] === 1;
  });
  expect(own.length).toBeGreaterThan(50);
  const two = again(1, 0);
  for (const i of own) two.data[i]! += 0.5 * bright;
  const allowed = allowedOf(image, two);
  expect(own.filter((i) => allowed.data[i] === 1).length / own.length).toBeGreaterThan(0.6);
});

test("lesions may hardly lie at the border of the brain, or outside of it", () => {
  const two = again(1, 0);
  const allowed = brighterBrain(image, two, brain);
  const inside = movedMask(eroded(dilated(brain, 6), 6), IDENTITY, allowed);
  const rim = eroded(inside, 2);
  let [all, outer, outside] = [0, 0, 0];
  allowed.data.forEach((v, i) => {
    all += v;
    outer += v & (1 - rim.data[i]!);
    outside += v & (1 - inside.data[i]!);
  });
  expect(all).toBeGreaterThan(1000); // of noise alone 2 %
  expect(outside / all).toBeLessThan(0.005); // in fissures of a voxel
  expect(outer / all).toBeLessThan(0.05); // at the ends of fissures
});

test("where nothing can be said of brightness, lesions may lie in the whole brain", () => {
  expect(brighterBrain(image, image, brain)).toBe(brain);
  const dark = { ...image, data: new Float32Array(image.data.length) };
  expect(brighterBrain(image, dark, brain)).toBe(brain);
  const below = { ...image, data: image.data.map((v) => v - 10 * bright) };
  expect(brighterBrain(below, again(1, 1), brain)).toBe(brain);
  const middle = { ...image, data: image.data.map((v) => v - 0.99 * bright) };
  expect(brighterBrain(middle, again(1, 1), brain)).toBe(brain);
  const box = { ...brain, data: new Uint8Array(brain.data.length).fill(1) };
  expect(brighterBrain(image, again(1, 1), box)).toBe(box);
  const none = { ...brain, data: new Uint8Array(brain.data.length) };
  expect(brighterBrain(image, again(1, 1), none)).toBe(none);
});

test("the field between two visits is found and taken out, half at each", () => {
  const two = again(2, 0);
  const bias = biasBetween(image, two, brain)!;
  // The field of again(): 1.2 · exp(0.1 sin + 0.08 cos), of which a Gaussian of 25 mm keeps a part.
  expect(bias.brightness).toBeWithin(1.2, 1.2 * Math.exp(0.18));
  expect(bias.range[0]).toBeWithin(0.8, 0.97);
  expect(bias.range[1]).toBeWithin(1.03, 1.25);
  expect(bias.spread[1]).toBeLessThan(0.75 * bias.spread[0]);
  const [free1, free2] = withoutBias(image, two, bias);
  const left = biasBetween(free1, free2, brain)!;
  expect(Math.max(...left.range.map((factor) => Math.abs(factor - 1)))).toBeLessThan(0.04);
  const product = image.data.map((v, i) => v * two.data[i]!);
  free1.data.forEach((v, i) => {
    if (i % 1009 === 0)
      expect(v * free2.data[i]!).toBeCloseTo(product[i]!, -Math.log10(1e-4 * bright ** 2));
  });
  expect(biasText(bias)).toMatch(
    /^bias: visit 2 is 1\.\d\d times as bright as visit 1, by place −\d+ to \+\d+ %/,
  );
});

test("one image twice has no bias, and a change has no part in it", () => {
  const { brightness, range, spread } = biasBetween(image, image, brain)!;
  expect([brightness, ...range, ...spread]).toEqual([1, 1, 1, 0, 0]);
  const [without, withOne] = [again(1, 0), again(1, 5)].map(
    (two) => biasBetween(image, two, brain)!,
  );
  const apart = without!.field.data.map((v, i) => Math.abs(v - withOne!.field.data[i]!));
  expect(Math.max(...apart)).toBeLessThan(0.001);
});

test("files beside the mask keep its ending", () => {
  expect(filesBeside("a/b.nii.gz").change).toBe("a/b_change.nii.gz");
  expect(filesBeside("a.b/c.NII").visit2).toBe("a.b/c_visit2.NII");
});

async function predict(...args: string[]) {
  const script = join(import.meta.dir, "../src/cli/predict.ts");
  // In a folder without runs/, so that nothing is trained.
  const child = Bun.spawn([process.execPath, script, ...args], {
    ...{ cwd: folder, stdout: "pipe", stderr: "pipe" },
    env: { ...process.env, ...NO_WEIGHTS },
  });
  const texts = [new Response(child.stdout).text(), new Response(child.stderr).text()] as const;
  const [out, err] = await Promise.all(texts);
  return { out, err, code: await child.exited };
}

test("predict without weights writes the statistic and says that it is one", async () => {
  const [a, b, o] = ["a.nii.gz", "b.nii.gz", "o.nii.gz"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeVolume(a, image);
  await writeVolume(b, again(1, 0.8));
  const { out, code } = await predict("-t1", a, "-t2", b, "-o", o, "--register", "off");
  expect(code).toBe(0);
  expect(out).toMatch(/^NO NETWORK: .*a statistic of change, not a segmentation/);
  expect(out).toMatch(/clusters brighter at visit 2: 1, darker: 0/);
  expect((await readMask(o)).size).toEqual(image.size);
  expect(Math.max(...(await readVolume(filesBeside(o).change)).data)).toBeGreaterThan(6);
  for (const path of Object.values(filesBeside(o))) expect(existsSync(path), path).toBe(true);
  const refused = await predict(
    "-t1",
    a,
    "-t2",
    b,
    "-o",
    o,
    "--probability",
    join(folder, "p.nii"),
  );
  expect(refused.err).toMatch(/--probability is of a network's prediction: name weights/);
  expect(refused.code).toBe(2);
});
