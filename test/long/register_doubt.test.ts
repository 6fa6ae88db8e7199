/** Pairs that are no pair, or only in part: told from those that are. */
import { afterAll, describe, expect, test } from "bun:test";
import { applyAffine, invertAffine } from "../../src/data/affine";
import type { Affine, Volume } from "../../src/data/volume";
import { Memory } from "../../src/gpu/memory";
import { openDevice } from "../../src/hosts/bun";
import { align, LEAST_SIMILARITY } from "../../src/register/align";
import { errorOf, madeUp, motionOf, type Scanner, scannedAgain } from "../registration_rig";

const device = await openDevice({ quiet: true });
const memory = new Memory(device);
afterAll(() => device.destroy());

const [person, stranger] = [madeUp(0), madeUp(1)];
const { median } = person.head;
const motion = (degrees: number, mm: number) => motionOf(person, degrees, mm);
const scanned = (moved: Affine, scanner: Scanner) => scannedAgain(person, moved, scanner);
const look = (visit2: Volume, visit1 = person.image) =>
  align(memory, visit1, visit2, { mode: "auto" });

describe("aligned or not", () => {
  test("an aligned pair is left alone, a moved one is not", async () => {
    const still = await look(scanned(motion(0, 0), { slice: 1.5 }));
    expect([still.aligned, still.trusted]).toEqual([true, true]);
    const moved = await look(scanned(motion(0, 0.6), { slice: 1.5 }));
    expect([moved.aligned, moved.trusted]).toEqual([false, true]);
    expect(moved.registration!.moved).toBeCloseTo(0.6, 1);
  });
});

describe("no pair", () => {
  test("another person", async () => {
    const found = await look(scannedAgain(stranger, motion(5, 10), { slice: 1.5 }));
    expect([found.trusted, found.mirrored]).toEqual([false, false]);
    expect(found.registration!.similarity).toBeLessThan(LEAST_SIMILARITY);
  });

  test("left and right swapped", async () => {
    const visit2 = scanned(motion(5, 10), { slice: 1.5 });
    const affine = visit2.affine.map((v, i) => (i < 4 ? -v : v));
    expect((await look({ ...visit2, affine })).trusted).toBe(false);
  });

  /** Values of a visit in another contrast. */
  const contrasts: Record<string, (v: number) => number> = {
    "inverted in the head": (v) => (v > 0.3 * median ? Math.max(0, 2.5 * median - v) : v),
    // Grey matter, which is brighter than white in FLAIR, is darker there; fluid stays dark.
    "like T1": (v) => (v > 0.7 * median ? Math.max(0, 2 * median - v) : v),
  };
  for (const [name, contrast] of Object.entries(contrasts)) {
    test(`a contrast that is ${name}`, async () => {
      const visit2 = scanned(motion(5, 10), { slice: 1.5 });
      const found = await look({ ...visit2, data: visit2.data.map(contrast) });
      expect(found.trusted).toBe(false);
      expect(found.registration!.similarity).toBeLessThan(LEAST_SIMILARITY);
    });
  }

  test("an empty scan", async () => {
    const visit2 = scanned(motion(5, 10), { slice: 1.5 });
    const empty = await look({ ...visit2, data: visit2.data.map(() => 7) });
    expect([empty.trusted, empty.registration]).toEqual([false, undefined]);
    const dark = await look(visit2, { ...person.image, data: person.image.data.map(() => 0) });
    expect([dark.trusted, dark.registration]).toEqual([false, undefined]);
  });
});

describe("a part of a pair", () => {
  /** The height (mm) below which a share of the brain's voxels lies. */
  function heightOf(share: number): number {
    const { size, affine, data } = person.brain;
    const [nx, ny] = size;
    const heights = [...data.keys()]
      .filter((i) => data[i])
      .map((i) => applyAffine(affine, [0, 0, Math.floor(i / (nx * ny))])[2])
      .sort((a, b) => a - b);
    return heights[Math.floor(share * heights.length)]!;
  }

  /** Slices above the height cut off, as a field of view that is too small does. */
  function cutAbove(visit2: Volume, moved: Affine, height: number): Volume {
    const { size, affine, data } = visit2;
    const [nx, ny, nz] = size;
    const back = invertAffine(moved);
    const inside = (z: number) =>
      applyAffine(back, applyAffine(affine, [(nx - 1) / 2, (ny - 1) / 2, z]))[2] < height;
    const slices = Array.from({ length: nz }, (_, z) => z).filter(inside).length;
    return { size: [nx, ny, slices], affine, data: data.slice(0, nx * ny * slices) };
  }

  for (const [share, degrees, mm] of [
    [2 / 3, 4, 10],
    [2 / 3, 10, 30],
    [1 / 2, 6, 15],
  ] as const) {
    const cut = Math.round(100 * (1 - share));
    test(`the top ${cut} % of the brain cut off at visit 2, turned by ${degrees}°`, async () => {
      const moved = motion(degrees, mm);
      const whole = scanned(moved, { slice: 3 });
      const found = await look(cutAbove(whole, moved, heightOf(share)));
      expect(found.trusted).toBe(true);
      expect(errorOf(person, found.registration!.transform, moved)).toBeLessThan(0.1);
    });
  }

  test("the outer 38 % of visit 2's slices hold zeros", async () => {
    const moved = motion(4, 10);
    const whole = scanned(moved, { slice: 1.5 });
    const [nx, ny, nz] = whole.size;
    const shown = nx * ny * Math.round(0.62 * nz);
    const padded = { ...whole, data: whole.data.map((v, i) => (i < shown ? v : 0)) };
    const found = await look(padded);
    expect(found.trusted).toBe(true);
    expect(errorOf(person, found.registration!.transform, moved)).toBeLessThan(0.05);
  });
});
