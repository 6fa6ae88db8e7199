import { expect, test } from "bun:test";
import { Philox } from "../src/core/random";
import {
  AXIS_ORDERS,
  applyAffine,
  determinant,
  gridDistance,
  invertAffine,
  multiplyAffine,
  orientationCode,
  resampledGrid,
  sameGrid,
  voxelToVoxel,
} from "../src/data/affine";
import { parseNifti } from "../src/data/nifti_decode";
import { resampleMaskTo, resampleTo } from "../src/data/resample";
import { type Affine, type Grid, voxelSize } from "../src/data/volume";
import { fixture, SFORM } from "./nifti_fixture";

const IDENTITY: Affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

function expectClose(
  got: readonly number[],
  want: readonly number[],
  id: string,
  tolerance = 1e-5,
) {
  expect(got.length, id).toBe(want.length);
  got.forEach((value, i) => {
    expect(Math.abs(value - want[i]!), `${id}: [${i}] ${value}, not ${want[i]}`).toBeLessThan(
      tolerance,
    );
  });
}

/** A unit quaternion a, b, c, d with a ≥ 0. */
function randomQuaternion(random: Philox): number[] {
  const q = [random.normal(), random.normal(), random.normal(), random.normal()];
  const norm = Math.hypot(...q) * Math.sign(q[0]!);
  return q.map((value) => value / norm);
}

/** q · v · q*, by Hamilton's product: another way to the matrix than the standard's formula. */
function rotate(q: readonly number[], v: readonly number[]): number[] {
  const product = ([a, b, c, d]: readonly number[], [e, f, g, h]: readonly number[]) => [
    a! * e! - b! * f! - c! * g! - d! * h!,
    a! * f! + b! * e! + c! * h! - d! * g!,
    a! * g! - b! * h! + c! * e! + d! * f!,
    a! * h! + b! * g! - c! * f! + d! * e!,
  ];
  const conjugate = [q[0]!, -q[1]!, -q[2]!, -q[3]!];
  return product(product(q, [0, ...v]), conjugate).slice(1);
}

function randomAffine(random: Philox): Affine {
  const q = randomQuaternion(random);
  const edges = [0, 1, 2].map(() => random.uniform(0.4, 3) * (random.u32() & 1 ? 1 : -1));
  const columns = [
    rotate(q, [edges[0]!, 0, 0]),
    rotate(q, [0, edges[1]!, 0]),
    rotate(q, [0, 0, edges[2]!]),
    [random.uniform(-90, 90), random.uniform(-90, 90), random.uniform(-90, 90)],
  ];
  return [0, 1, 2].flatMap((r) => columns.map((column) => column[r]!)).concat([0, 0, 0, 1]);
}

test("qform: random rotations, both handednesses, both versions", () => {
  const random = new Philox(3);
  for (let trial = 0; trial < 40; trial++) {
    const version = trial % 2 === 0 ? 1 : 2;
    const qfac = [1, -1, 0][trial % 3]!;
    const q = randomQuaternion(random);
    const edges = [0.5 + random.uniform(), 0.5 + random.uniform(), 1 + random.uniform()];
    const offset = [random.uniform(-90, 90), 7, -120];
    const bytes = fixture({
      ...{ version, pixdim: [qfac, ...edges], qform: [...q.slice(1), ...offset] },
      little: trial % 4 < 2,
    });
    const { affine, info } = parseNifti(bytes, "q");
    const at = [1, 2, 3] as const;
    const signed = [at[0] * edges[0]!, at[1] * edges[1]!, at[2] * edges[2]! * (qfac || 1)];
    const want = rotate(q, signed).map((value, i) => value + offset[i]!);
    expectClose(applyAffine(affine, at), want, `trial ${trial}`, 1e-4);
    expect(info.geometry).toBe("qform");
  }
});

test("sform wins over qform, whatever the codes; a singular one yields to it with a note", () => {
  const qform = [0, 0, 1, 5, 6, 7];
  for (const version of [1, 2] as const) {
    const both = { version, sform: SFORM, qform, sformCode: 1, qformCode: 2 };
    const { affine, info, notes } = parseNifti(fixture(both), "both.nii");
    expectClose(affine, [...SFORM, 0, 0, 0, 1], `v${version}`, 1e-6);
    expect(info.geometry).toBe("sform");
    expect(notes).toEqual([
      "both.nii: its sform and its qform contradict each other (corners up to 47.6 mm apart); its " +
        "sform is used",
    ]);
    const flat = parseNifti(fixture({ ...both, sform: Array(12).fill(0) }), "flat.nii");
    expect(orientationCode(flat.affine)).toBe("LPS");
    expect(flat.notes).toEqual(["flat.nii: its sform is singular; its qform is used"]);
  }
});

test("sform and qform are compared in mm, to the tolerance of grids", () => {
  const sform = [1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7];
  const notes = (x: number, units = 2) => {
    const [mm, scale] = units === 2 ? [1, 1] : [1000, 1000];
    const qform = [0, 0, 0, (5 + x) * mm, 6 * mm, 7 * mm];
    const pixdim = [1, mm, mm, mm];
    const bytes = fixture({ sform: sform.map((v) => v * scale), qform, pixdim, units });
    return parseNifti(bytes, "a.nii").notes.filter((note) => note.includes("contradict"));
  };
  expect(notes(0.04)).toEqual([]);
  expect(notes(3)[0]).toContain("corners up to 3 mm apart");
  expect(notes(0.04, 3)).toEqual([]);
  expect(notes(3, 3)[0]).toContain("corners up to 3 mm apart");
});

test("a negative voxel size counts without its sign", () => {
  for (const version of [1, 2] as const) {
    const forms = [{ qform: [0, 0, 0, 5, 6, 7] }, {}];
    for (const form of forms) {
      const affine = (edge: number) =>
        parseNifti(fixture({ version, pixdim: [1, edge, 0.72, 3], ...form }), "n.nii").affine;
      expect(affine(-0.72)).toEqual(affine(0.72));
    }
  }
});

test("without sform and qform: voxel size only, with a note", () => {
  for (const version of [1, 2] as const) {
    const { affine, info, notes } = parseNifti(fixture({ version }), "none.nii");
    expectClose(affine, [0.72, 0, 0, 0, 0, 0.72, 0, 0, 0, 0, 3, 0, 0, 0, 0, 1], "pixdim", 1e-6);
    expect(info.geometry).toBe("pixdim");
    expect(notes[0]).toContain("none.nii: no orientation in the header");
  }
});

test("micrometres are converted, with a note; unknown units are mm", () => {
  const sform = SFORM.map((value) => value * 1000);
  const micro = parseNifti(fixture({ sform, units: 3 + 8 }), "u.nii");
  expectClose(micro.affine, [...SFORM, 0, 0, 0, 1], "micrometres", 1e-5);
  expect(micro.notes).toEqual(["u.nii: its geometry is in micrometres, converted to mm"]);
  const unknown = parseNifti(fixture({ sform: SFORM, units: 0 }), "unknown");
  expectClose(unknown.affine, [...SFORM, 0, 0, 0, 1], "unknown", 1e-6);
});

test("affine arithmetic: inverse, determinant, voxel to voxel", () => {
  const random = new Philox(5);
  for (let trial = 0; trial < 30; trial++) {
    const a = randomAffine(random);
    const b = randomAffine(random);
    expectClose(multiplyAffine(a, invertAffine(a)), IDENTITY, `a·a⁻¹, trial ${trial}`, 1e-9);
    const product = determinant(multiplyAffine(a, b));
    expectClose([product], [determinant(a) * determinant(b)], `det, trial ${trial}`, 1e-8);
    const from: Grid = { size: [4, 5, 6], affine: a };
    const to: Grid = { size: [3, 3, 3], affine: b };
    const index = applyAffine(voxelToVoxel(from, to), [1, 2, 2]);
    expectClose(applyAffine(a, index), applyAffine(b, [1, 2, 2]), `v2v, trial ${trial}`, 1e-9);
  }
  expect(() => invertAffine([...Array(15).fill(1), 1])).toThrow("singular");
});

test("orientation codes of all 48 axis-aligned grids, and of oblique ones", () => {
  const letters = [
    ["R", "L"],
    ["A", "P"],
    ["S", "I"],
  ] as const;
  for (const order of AXIS_ORDERS) {
    for (let flips = 0; flips < 8; flips++) {
      const affine = Array(16).fill(0);
      const code = order.map((world, axis) => {
        const flip = (flips >> axis) & 1;
        // A tilt of some degrees must not change the letter.
        affine[4 * ((world + 1) % 3) + axis] = 0.2;
        affine[4 * world + axis] = flip ? -1 : 1;
        return letters[world]![flip];
      });
      expect(orientationCode(affine)).toBe(code.join(""));
    }
  }
});

test("sameGrid: corners within the tolerance, and equal sizes", () => {
  const grid: Grid = { size: [200, 200, 50], affine: IDENTITY };
  const moved = (mm: number) => ({ ...grid, affine: IDENTITY.with(3, mm) });
  expect(sameGrid(grid, moved(0.04))).toBe(true);
  expect(sameGrid(grid, moved(0.06))).toBe(false);
  expect(sameGrid(grid, moved(0.06), 0.1)).toBe(true);
  expect(sameGrid(grid, { ...grid, size: [200, 200, 51] })).toBe(false);
  // A voxel size that is off by 0.001 mm adds up to 0.2 mm at the far corner.
  expect(sameGrid(grid, { ...grid, affine: IDENTITY.with(0, 1.001) })).toBe(false);
  expect(sameGrid(grid, { ...grid, affine: IDENTITY.with(5, 1.001) })).toBe(false);
  expect(sameGrid(grid, { ...grid, affine: IDENTITY.with(10, 1.002) })).toBe(false);
  // Cancels in the corner opposite to the origin, not in those beside it.
  expect(sameGrid(grid, { ...grid, affine: IDENTITY.with(0, 1.001).with(1, -0.001) })).toBe(false);
  expectClose([gridDistance(grid, { ...grid, affine: IDENTITY.with(0, 1.001) })], [0.199], "far");
});

test("resampledGrid: exact spacing, same centre and directions, field of view covered", () => {
  const random = new Philox(8);
  for (let trial = 0; trial < 50; trial++) {
    const grid: Grid = {
      size: [1 + random.int(40), 1 + random.int(40), 9],
      affine: randomAffine(random),
    };
    const spacing = [0.5, 1, 0.7][trial % 3]!;
    const fine = resampledGrid(grid, spacing);
    expectClose(voxelSize(fine.affine), [spacing, spacing, spacing], `spacing ${trial}`, 1e-9);
    const middle = (g: Grid) => {
      const [x, y, z] = g.size.map((n) => (n - 1) / 2);
      return applyAffine(g.affine, [x!, y!, z!]);
    };
    expectClose(middle(fine), middle(grid), `centre ${trial}`, 1e-9);
    expect(orientationCode(fine.affine)).toBe(orientationCode(grid.affine));
    voxelSize(grid.affine).forEach((edge, axis) => {
      const excess = fine.size[axis]! * spacing - grid.size[axis]! * edge;
      expect(excess, `excess ${trial}`).toBeGreaterThan(-0.002 * spacing);
      expect(excess, `excess ${trial}`).toBeLessThanOrEqual(spacing);
    });
  }
  const halved = resampledGrid({ size: [4, 4, 4], affine: IDENTITY }, 0.5);
  expect([...halved.size]).toEqual([8, 8, 8]);
  expectClose(applyAffine(halved.affine, [0, 0, 0]), [-0.25, -0.25, -0.25], "half", 1e-12);
  const rounded = resampledGrid({ size: [4, 4, 4], affine: IDENTITY.with(0, 1 + 1e-6) }, 1);
  expect([...rounded.size]).toEqual([4, 4, 4]);
});

test("trilinear resampling reproduces what is linear in space, between any two grids", () => {
  const random = new Philox(21);
  const linear = ([x, y, z]: readonly [number, number, number]) => 3 * x - 2 * y + 0.5 * z + 10;
  for (let trial = 0; trial < 10; trial++) {
    const from: Grid = { size: [23, 19, 17], affine: randomAffine(random) };
    const data = new Float32Array(23 * 19 * 17);
    for (let i = 0; i < data.length; i++) {
      data[i] = linear(
        applyAffine(from.affine, [i % 23, Math.floor(i / 23) % 19, Math.floor(i / 437)]),
      );
    }
    // A small oblique grid around the centre of the source lies inside it.
    const turned = randomAffine(random).map((value, i) => (i % 4 === 3 ? value : value / 3));
    const centre = applyAffine(from.affine, [11, 9, 8]);
    const affine = turned.with(3, centre[0]).with(7, centre[1]).with(11, centre[2]).with(15, 1);
    const to: Grid = { size: [3, 2, 2], affine };
    const { data: got, outside } = resampleTo({ ...from, data }, to);
    expect(outside, `trial ${trial}`).toBe(0);
    got.forEach((value, i) => {
      const want = linear(applyAffine(affine, [i % 3, Math.floor(i / 3) % 2, Math.floor(i / 6)]));
      expect(Math.abs(value - want), `trial ${trial}, voxel ${i}`).toBeLessThan(1e-3);
    });
  }
});

test("resampling: the same grid, a mirrored one, the edge, and outside", () => {
  const random = new Philox(2);
  const grid: Grid = { size: [5, 4, 3], affine: IDENTITY };
  const data = Float32Array.from({ length: 60 }, () => random.normal());
  const bits = Uint8Array.from({ length: 60 }, () => random.int(2));
  expect(resampleTo({ ...grid, data }, grid).data).toEqual(data);
  expect(resampleMaskTo({ ...grid, data: bits }, grid).data).toEqual(bits);
  const mirrored: Grid = { ...grid, affine: IDENTITY.with(0, -1).with(3, 4) };
  const back = resampleTo({ ...grid, data }, mirrored).data;
  for (let i = 0; i < 60; i++) expect(back[i]).toBe(data[i - (i % 5) + 4 - (i % 5)]!);
  // New centres at −1, −0.4, 0.2 …: the first is beyond the face, the second takes the edge's value.
  const shifted: Grid = { size: [3, 1, 1], affine: IDENTITY.with(0, 0.6).with(3, -1) };
  const image = resampleTo({ ...grid, data }, shifted);
  expect(image.outside).toBe(1);
  expectClose([...image.data], [0, data[0]!, data[0]! + 0.2 * (data[1]! - data[0]!)], "edge", 1e-6);
  const upper: Grid = { ...shifted, affine: IDENTITY.with(0, 0.6).with(3, 3.8) };
  const far = resampleTo({ ...grid, data }, upper);
  expectClose([...far.data], [data[3]! + 0.8 * (data[4]! - data[3]!), data[4]!, 0], "far", 1e-6);
  const mask = resampleMaskTo({ ...grid, data: bits.fill(1) }, shifted);
  expect([[...mask.data], mask.outside]).toEqual([[0, 1, 1], 1]);
});
