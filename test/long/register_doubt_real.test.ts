/**
 * Real scans that are no pair, or only in part: the similarity that tells them. Prints a row for each,
 * as docs/guides/registration.md has it. Skipped without the shared data.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { applyAffine, invertAffine, multiplyAffine } from "../../src/data/affine";
import { readVolume } from "../../src/data/nifti_read";
import { resampleMaskTo } from "../../src/data/resample";
import type { Volume } from "../../src/data/volume";
import { Memory } from "../../src/gpu/memory";
import { openDevice } from "../../src/hosts/bun";
import { type Alignment, align, LEAST_SIMILARITY } from "../../src/register/align";
import { rmsDistance } from "../../src/register/register";
import { once } from "../once";
import {
  errorOf,
  motionOf,
  publishedPair,
  SHARED_DATA,
  type Subject,
  scannedAgain,
  subjectOf,
} from "../registration_rig";

const device = await openDevice({ quiet: true });
const memory = new Memory(device);
afterAll(() => device.destroy());

const raw = (patient: string, study: number) =>
  `ljubljana_raw/raw/patient${patient}/study${study}_FLAIR.nii.gz`;
const PATIENTS = ["01", "03", "19"];
/** One scan of each of six patients. */
const PEOPLE = [
  ...PATIENTS.map((patient) => raw(patient, 1)),
  ...["04_study1", "09_study2", "20_study2"].map((name) => `singles/patient${name}_FLAIR.nii.gz`),
];

const subjects = new Map<string, () => Promise<Subject>>();
function subject(path: string): Promise<Subject> {
  const make = async () => subjectOf(await readVolume(`${SHARED_DATA}/${path}`));
  const one = subjects.get(path) ?? once(make);
  subjects.set(path, one);
  return one();
}
const read = async (path: string) => (await subject(path)).image;

const look = (visit1: Volume, visit2: Volume) => align(memory, visit1, visit2, { mode: "auto" });

function row(name: string, { registration, trusted, mirrored }: Alignment, more = ""): void {
  const told = trusted ? "trusted" : mirrored ? "told as mirrored" : "not trusted";
  console.log(`| ${name} | ${registration?.similarity.toFixed(2) ?? "–"} | ${told}${more} |`);
}

describe.skipIf(!SHARED_DATA)("real scans that are no pair", () => {
  for (const [i, first] of PEOPLE.entries()) {
    for (const second of PEOPLE.slice(i + 1)) {
      const names = [first, second].map((path) => path.match(/patient(\d+)/)![1]).join(" and ");
      test(`patients ${names}`, async () => {
        const [one, two] = [await subject(first), await subject(second)];
        const brains = [one.brain, two.brain] as const;
        const found = await align(memory, one.image, two.image, { mode: "auto", brains });
        row(`patients ${names}`, found);
        expect(found.trusted).toBe(false);
      });
    }
  }

  for (const patient of PATIENTS) {
    test(`patient ${patient}, left and right of visit 2 swapped`, async () => {
      const [one, two] = [await read(raw(patient, 1)), await read(raw(patient, 2))];
      const affine = two.affine.map((v, i) => (i < 4 ? -v : v));
      const found = await look(one, { ...two, affine });
      row(`patient ${patient}, left and right swapped`, found);
      expect([found.trusted, found.mirrored]).toEqual([false, true]);
    });
  }

  /** Values of visit 2 in another contrast, by the median of its head. */
  const contrasts: Record<string, (v: number, median: number) => number> = {
    inverted: (v, median) => (v > 0.3 * median ? Math.max(0, 2.5 * median - v) : v),
    // Grey matter, which is brighter than white in FLAIR, is darker there; fluid stays dark.
    "like T1": (v, median) => (v > 0.7 * median ? Math.max(0, 2 * median - v) : v),
  };
  for (const [name, contrast] of Object.entries(contrasts)) {
    test(`patient 01, visit 2 ${name}`, async () => {
      const [one, two] = [await read(raw("01", 1)), await read(raw("01", 2))];
      const { median } = (await subject(raw("01", 2))).head;
      const found = await look(one, { ...two, data: two.data.map((v) => contrast(v, median)) });
      row(`patient 01, visit 2 ${name}`, found);
      expect(found.trusted).toBe(false);
      expect(found.registration?.similarity ?? 0).toBeLessThan(LEAST_SIMILARITY);
    });
  }
});

/** Without the top third of the brain, as a field of view that is too small cuts it. */
function withoutTop({ image, brain }: Subject): Volume {
  const [nx, ny, nz] = image.size;
  const inside = resampleMaskTo(brain, image).data;
  const counts = Array.from({ length: nz }, (_, z) =>
    inside.subarray(z * nx * ny, (z + 1) * nx * ny).reduce((sum, v) => sum + v, 0),
  );
  const total = counts.reduce((sum, n) => sum + n, 0);
  let [slices, below] = [0, 0];
  while (below < (2 / 3) * total) below += counts[slices++]!;
  return {
    size: [nx, ny, slices],
    affine: image.affine,
    data: image.data.slice(0, nx * ny * slices),
  };
}

/** The outer slices set to zero, as files are padded, or left out. */
function withoutOuter({ size, affine, data }: Volume, share: number, padded: boolean): Volume {
  const [nx, ny, nz] = size;
  const slices = Math.round((1 - share) * nz);
  const kept = data.slice(0, nx * ny * (padded ? nz : slices)).fill(0, nx * ny * slices);
  return { size: [nx, ny, padded ? nz : slices], affine, data: kept };
}

describe.skipIf(!SHARED_DATA)("real scans whose outer 38 % of the slices show nothing", () => {
  test("patient 01: slices of zeros are as good as none", async () => {
    const [one, two] = [await read(raw("01", 1)), await read(raw("01", 2))];
    const [padded, none] = [true, false].map((zeros) => look(one, withoutOuter(two, 0.38, zeros)));
    const [found, cut] = [await padded!, await none!];
    row("patient 01, outer slices of zeros", found);
    expect(found.trusted).toBe(true);
    const { points } = (await subject(raw("01", 1))).head;
    const [a, b] = [found, cut].map((each) => each.registration!.transform);
    expect(rmsDistance(a!, b!, points)).toBeLessThan(0.05);
  });
});

const cells = (...distances: number[]) => `, ${distances.map((v) => v.toFixed(2)).join(", ")} mm`;

describe.skipIf(!SHARED_DATA)("real scans without the top third of the brain at visit 2", () => {
  for (const path of PEOPLE.slice(3)) {
    const name = path.match(/patient(\d+)/)![1];
    test(`patient ${name}, a known motion`, async () => {
      const one = await subject(path);
      const wanted = motionOf(one, 10, 30);
      const two = subjectOf(scannedAgain(one, wanted, { slice: 3, edge: 1 }));
      const cut = await look(one.image, withoutTop(two));
      const error = errorOf(one, cut.registration!.transform, wanted);
      row(`patient ${name} moved, cut`, cut, cells(error));
      expect(cut.trusted).toBe(true);
      expect(error).toBeLessThan(0.3);
    });
  }

  // Their two scanners draw one head differently by some tenths of a millimetre, here other than there.
  for (const patient of PATIENTS) {
    test(`patient ${patient}, near the published transform where both visits show the brain`, async () => {
      const [one, two] = [await subject(raw(patient, 1)), await subject(raw(patient, 2))];
      const lower = withoutTop(two);
      const cut = await look(one.image, lower);
      const { transform, points } = await publishedPair(patient);
      const toVoxel = multiplyAffine(invertAffine(lower.affine), transform);
      const shown = points.filter((p) => applyAffine(toVoxel, p)[2] < lower.size[2]);
      const error = rmsDistance(cut.registration!.transform, transform, shown);
      row(`patient ${patient}, cut`, cut, cells(error));
      expect(cut.trusted).toBe(true);
      expect(error).toBeLessThan(0.75);
    });
  }
});
