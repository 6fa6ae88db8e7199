/** The change statistic: what it finds, what it leaves alone, and how `predict` says that it is one. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrain } from "../src/brain/brain_mask";
import { changeStatistic, clustersOf } from "../src/change/change_statistic";
import { biasBetween, biasText, withoutBias } from "../src/change/differential_bias";
import { Philox } from "../src/core/random";
import { applyAffine } from "../src/data/affine";
import { readMask, readVolume } from "../src/data/nifti_read";
import { writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { resampleMaskTo } from "../src/data/resample";
import type { Mask, Volume } from "../src/data/volume";
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

/** Another scan of the same head: gain, a smooth field, noise, and perhaps a lesion. */
function again(seed: number, lesion: number): Volume {
  const random = new Philox(seed, 3);
  const [nx, ny] = image.size;
  const data = image.data.map((v, i) => {
    const at = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
    const field = 1.2 * Math.exp(0.1 * Math.sin(at[0]! / 25) + 0.08 * Math.cos(at[1]! / 30));
    const near = Math.hypot(...at.map((c, axis) => c - PLACE[axis]!)) <= 2.2 ? lesion * bright : 0;
    return (v + near) * field + 0.03 * bright * random.normal();
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
