/** `bun run selftest`: lesions of known size are planted and looked for; detectors that are wrong are told. */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Philox } from "../src/core/random";
import { voxelVolume } from "../src/data/affine";
import { writeVolume } from "../src/data/nifti_write";
import { makePatient } from "../src/data/phantom/patient";
import { writeSafetensors } from "../src/data/safetensors_file";
import type { Mask, Volume } from "../src/data/volume";
import { wilson } from "../src/eval/statistics";
import { weightsMetadata } from "../src/infer/model_info";
import { selftestHtml } from "../src/selftest/page";
import { plant } from "../src/selftest/plant";
import type { Measured, SelftestRecord } from "../src/selftest/record";
import { type Detector, runTrials } from "../src/selftest/trials";
import { smallestFound, verdictOf } from "../src/selftest/verdict";
import { tissueOf } from "../src/synthesis/tissue";
import { expectRefusal, succeed } from "./cli_rig";
import { MODEL, weightsContents } from "./weights_rig";

const folder = mkdtempSync(join(tmpdir(), "voxgrad-selftest-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The range of a whole head, so that a brain is found in it. */
const visit2 = makePatient({ seed: 3, spacing: 2, fieldOfView: [160, 190, 160] }, 0).visits[0];
const tissue = tissueOf("phantom", visit2);
const free = new Uint8Array(visit2.data.length);

function again(seed: number): Volume {
  const random = new Philox(seed, 8);
  const noise = 0.01 * Math.max(...tissue.level);
  return { ...visit2, data: visit2.data.map((v) => v + noise * random.normal()) };
}
const visit1 = again(1);
const moved = again(2);
const pair = { visit1, visit2, moved, tissue };

test("Wilson's interval, by hand", () => {
  const close = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 4));
  expect([...wilson(8, 10)]).toEqual(close([0.4902, 0.9433]));
  expect([...wilson(0, 10)]).toEqual(close([0, 0.2775]));
  expect([...wilson(10, 10)]).toEqual(close([0.7225, 1]));
  expect([...wilson(1, 1)]).toEqual(close([0.2065, 1]));
});

test("planted lesions: of the size that is asked for, in white matter, far apart, only brighter", () => {
  const sizes = [6, 8, 10, 8, 6];
  const { image, lesions } = plant(visit2, tissue, free, { sizes, contrast: 0.5 }, new Philox(4));
  expect(lesions.map(({ sizeMm }) => sizeMm)).toEqual([10, 8, 8, 6, 6]);
  for (const { sizeMm, voxels, touched, centreMm } of lesions) {
    const mm3 = voxels.length * voxelVolume(image.affine);
    expect(mm3 / ((Math.PI / 6) * sizeMm ** 3)).toBeWithin(0.6, 1.4); // voxels of 8 mm³
    expect(voxels.every((i) => tissue.brain[i] === 1)).toBe(true);
    expect(voxels.every((i) => touched.includes(i))).toBe(true);
    for (const other of lesions) {
      const far = Math.hypot(...centreMm.map((v, k) => v - other.centreMm[k]!));
      expect(other.centreMm === centreMm || far > 16).toBe(true);
    }
  }
  const changed = new Set(lesions.flatMap(({ touched }) => [...touched]));
  const isRight = (v: number, i: number) =>
    changed.has(i) ? v >= visit2.data[i]! : v === visit2.data[i]!;
  expect(image.data.every(isRight)).toBe(true);
  const lift = (i: number) => (image.data[i]! - visit2.data[i]!) / (tissue.level[i]! - tissue.air);
  const inside = [...lesions[0]!.voxels].map(lift).sort((a, b) => a - b);
  expect(inside.at(-1)!).toBeWithin(0.4, 0.6);
  const same = plant(visit2, tissue, free, { sizes, contrast: 0.5 }, new Philox(4));
  expect(same.lesions).toEqual(lesions);
});

test("nothing is planted where something is taken", () => {
  const all = free.map(() => 1);
  expect(plant(visit2, tissue, all, { sizes: [6], contrast: 0.5 }, new Philox(4)).lesions).toEqual(
    [],
  );
});

const options = { sizes: [5, 10], lesions: 3, contrast: 0.5, seed: 1 };
const brightness = Math.max(...tissue.level);
/** Voxels that are brighter at the second visit, by so much of white matter. */
const brighter =
  (by: number): Detector =>
  async (one, two): Promise<Mask> => ({
    ...two,
    data: Uint8Array.from(two.data, (v, i) => Number(v - one.data[i]! > by * brightness)),
  });

test("a detector that sees differences finds what is planted, and nothing else", async () => {
  const steps: number[] = [];
  const onProgress = (done: number, total: number) => steps.push(done / total);
  const { measured, shown } = await runTrials(pair, brighter(0.15), { ...options, onProgress });
  expect(measured.sizes.map(({ sizeMm, of }) => [sizeMm, of])).toEqual([
    [5, 3],
    [10, 3],
  ]);
  expect(measured.sizes[1]!.found).toBe(3);
  expect(measured.sizes[1]!.interval).toEqual(wilson(3, 3));
  expect(measured.checks).toMatchObject({
    ...{ twice: { lesions: 0 }, moved: { lesions: 0 }, asGiven: { lesions: 0 } },
    plantedBefore: { calledNew: 0, of: 4 },
  });
  expect(measured.falseLesions).toBe(0);
  expect(shown.map(({ lesion }) => lesion.sizeMm)).toEqual([5, 10]);
  expect(steps.at(-1)).toBe(1);
  expect(verdictOf(measured, []).grade).toBe("good");
});

test("one that sees nothing, one that sees any difference, and one that always sees something", async () => {
  const blind = await runTrials(pair, brighter(9), options);
  expect(verdictOf(blind.measured, [])).toMatchObject({
    grade: "care",
    headline: expect.stringMatching(/Misses planted lesions of every size/),
  });
  const eitherWay: Detector = async (one, two) => ({
    ...two,
    data: two.data.map((v, i) => Number(Math.abs(v - one.data[i]!) > 0.15 * brightness)) as never,
  });
  const both = await runTrials(pair, eitherWay, options);
  expect(both.measured.checks.plantedBefore.calledNew).toBeGreaterThan(0);
  expect(verdictOf(both.measured, []).headline).toBe("Not to be trusted on these scans.");
  const stuck: Detector = async (_, two) => ({ ...two, data: free.with(9999, 1) });
  const always = verdictOf((await runTrials(pair, stuck, options)).measured, []);
  expect(always.grade).toBe("bad");
  expect(always.lines[0]).toBe(
    "Visit 2 against itself: 1 false lesion called new, where nothing can be.",
  );
});

test("Ctrl-C between two scans ends it", async () => {
  const controller = new AbortController();
  const onProgress = (done: number) => done >= 3 && controller.abort();
  const run = runTrials(pair, brighter(0.15), {
    ...options,
    onProgress,
    signal: controller.signal,
  });
  const ended = await run.catch((error: unknown) => error);
  expect(ended).toBe(controller.signal.reason);
});

const size = (sizeMm: number, found: number, of = 10) => ({
  ...{ sizeMm, found, of, interval: of > 0 ? wilson(found, of) : null, meanMm3: sizeMm ** 3 / 2 },
});
const nothing = { lesions: 0, mm3: 0 };
const measured: Measured = {
  sizes: [size(3, 1), size(5, 8), size(8, 10)],
  checks: {
    ...{ asGiven: { lesions: 2, mm3: 90 }, swapped: nothing, twice: nothing, moved: nothing },
    plantedBefore: { calledNew: 0, of: 3 },
  },
  ...{ falseLesions: 0, scans: 5 },
};

test("the verdict: the size from which all larger ones are found, and every doubt", () => {
  expect(smallestFound(measured.sizes)!.sizeMm).toBe(5);
  expect(smallestFound([size(3, 10), size(5, 1), size(8, 10)])!.sizeMm).toBe(8);
  expect(smallestFound([size(3, 10), size(8, 0, 0)])).toBeUndefined();
  const good = verdictOf(measured, []);
  expect(good.headline).toBe(
    "On these scans lesions of 5 mm and more are found, and nothing where nothing is.",
  );
  expect(good.lines[0]).toBe("Of the planted lesions of 5 mm and more 18 of 20 are found.");
  expect(good.lines[1]).toBe("Of smaller ones 1 of 10 at 3 mm.");
  const shaky = { ...measured.checks, moved: { lesions: 2, mm3: 60 } };
  const care = verdictOf({ ...measured, checks: shaky }, []);
  expect(care.grade).toBe("care");
  expect(care.lines).toContain(
    "A movement of half a millimetre between the visits makes 2 false lesions more.",
  );
  const doubt = verdictOf(measured, ["Two people."]);
  expect([doubt.grade, doubt.lines[0]]).toEqual(["bad", "Two people."]);
});

test("the page: names are text, and nothing comes from elsewhere", () => {
  const record: SelftestRecord = {
    ...{ format: 1, program: "voxgrad", created: "now", visits: ["<b>a</b>.nii", '"b".nii'] },
    detector: { kind: "network", rule: "a & b", weights: [{ name: "<i>w</i>", sha256: "0" }] },
    ...{ voxelMm: [1, 1, 3], contrast: 0.4, seed: 0, ...measured },
    quality: { fit: true, lines: ["<script>alert(1)</script>"] },
    verdict: verdictOf(measured, []),
  };
  const html = selftestHtml(record, [{ sizeMm: 5, found: true, png: "AAAA" }]);
  expect(html).not.toMatch(/<script|<b>a|<i>w|src="http|href=/);
  for (const text of [
    "&lt;b&gt;a&lt;/b&gt;.nii",
    "&lt;i&gt;w",
    "a &amp; b",
    "8 of 10",
    "5 mm, found",
  ]) {
    expect(html).toContain(text);
  }
  expect(html).toMatch(/Content-Security-Policy" content="default-src 'none'/);
  expect([...html.matchAll(/<circle /g)].length).toBe(3);
});

const [a, b] = ["a.nii.gz", "b.nii.gz"].map((name) => join(folder, name)) as [string, string];
const visits = ["-t1", a, "-t2", b];

test("bun run selftest, with the statistic and with a network", async () => {
  await writeVolume(a, visit1);
  await writeVolume(b, visit2);
  const few = ["--lesions", "2", "--sizes", "12,6", "--contrast", "0.6"];
  const out = join(folder, "change");
  const statistic = await succeed("selftest", ...visits, ...few, "--weights", "none", "--out", out);
  expect(statistic.out).toMatch(/self-test without a network: the statistic of change/);
  expect(statistic.out).toMatch(/12 mm +\d+ mm³ +2 of 2 +34 – 100 %/);
  expect(statistic.out).toMatch(/visit 2 twice +nothing +nothing/);
  expect(statistic.err).toMatch(/the page: .*selftest\.html/);
  const record: SelftestRecord = JSON.parse(readFileSync(join(out, "selftest.json"), "utf8"));
  expect(record).toMatchObject({
    format: 1,
    visits: ["a.nii.gz", "b.nii.gz"],
    seed: 0,
    contrast: 0.6,
  });
  expect(record.sizes.map(({ sizeMm }) => sizeMm)).toEqual([6, 12]);
  expect(readFileSync(join(out, "selftest.html"), "utf8")).toContain("data:image/png;base64,iVBOR");
  const weights = join(folder, "w.safetensors");
  const large = weightsMetadata({ ...MODEL, patch: 24, stride: 24 }); // fewer windows
  writeSafetensors({ path: weights, ...weightsContents(), metadata: large });
  const one = ["--lesions", "1", "--sizes", "10", "--weights", weights];
  const network = await succeed("selftest", ...visits, ...one, "--out", join(folder, "network"));
  expect(network.out).toMatch(/self-test with the network of w\.safetensors/);
});

test("what cannot be tested is refused in a line", async () => {
  const refused = (what: RegExp, ...args: string[]) => expectRefusal(what, "selftest", ...args);
  await refused(
    /--sizes 0\.2,5: expected diameters from 1 to 30 mm/,
    ...visits,
    "--sizes",
    "0.2,5",
  );
  await refused(/no\.nii: /, "-t1", join(folder, "no.nii"), "-t2", b, "--weights", "none");
  const small = join(folder, "small.nii.gz");
  await writeVolume(small, { ...visit2, size: [80, 20, 20], data: visit2.data.slice(0, 32000) });
  const out = join(folder, "never");
  await refused(/no brain is found/, "-t1", small, "-t2", small, "--weights", "none", "--out", out);
  expect(existsSync(out)).toBe(false);
});
