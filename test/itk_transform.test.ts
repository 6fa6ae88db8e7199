import { expect, test } from "bun:test";
import { applyAffine, type Point3 } from "../src/data/affine";
import { parseItkTransform } from "../src/data/itk_transform";
import { expectUserError } from "./nifti_fixture";

function file(kind: string, parameters: readonly number[], fixed: readonly number[]): string {
  return (
    `#Insight Transform File V1.0\n#Transform 0\nTransform: ${kind}\n` +
    `Parameters: ${parameters.join(" ")}\nFixedParameters: ${fixed.join(" ")}\n`
  );
}

const TURN = Math.PI / 2;
const IDENTITY = [1, 0, 0, 0, 1, 0, 0, 0, 1];

/** In LPS, as ITK's manual has it; points below are RAS. */
const CASES: [string, string, Point3, Point3][] = [
  [
    "translation: left and behind are minus",
    file("AffineTransform_double_3_3", [...IDENTITY, 1, 2, 3], [0, 0, 0]),
    [10, 20, 30],
    [9, 18, 33],
  ],
  // LPS (−10, −20, 30) → 2·(−11, −20, 30) + (1, 0, 0).
  [
    "scale about a centre",
    file("MatrixOffsetTransformBase_double_3_3", [2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0], [1, 0, 0]),
    [10, 20, 30],
    [21, 40, 60],
  ],
  // A quarter turn about z takes left to posterior: LPS (1, 0, 0) → (0, 1, 0).
  [
    "matrix by rows",
    file("AffineTransform_double_3_3", [0, -1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0], [0, 0, 0]),
    [-1, 0, 0],
    [0, -1, 0],
  ],
  [
    "Euler about z",
    file("Euler3DTransform_double_3_3", [0, 0, TURN, 0, 0, 0], [0, 0, 0]),
    [-1, 0, 0],
    [0, -1, 0],
  ],
  [
    "Euler about z, centre and translation",
    file("Euler3DTransform_double_3_3", [0, 0, TURN, 5, 0, 0], [1, 0, 0, 0]),
    [-2, 0, 0],
    [-6, -1, 0],
  ],
  // R_z R_x R_y: y first takes z to x, x does nothing to it, z takes x to y.
  [
    "Euler z x y",
    file("Euler3DTransform_double_3_3", [TURN, TURN, TURN, 0, 0, 0], [0, 0, 0]),
    [0, 0, 1],
    [0, -1, 0],
  ],
  // R_z R_y R_x: x first takes z to −y, y does nothing to it, z takes −y to x.
  [
    "Euler z y x",
    file("Euler3DTransform_double_3_3", [TURN, TURN, TURN, 0, 0, 0], [0, 0, 0, 1]),
    [0, 0, 1],
    [-1, 0, 0],
  ],
  [
    "versor about z",
    file("VersorRigid3DTransform_double_3_3", [0, 0, Math.SQRT1_2, 0, 0, 0], [0, 0, 0]),
    [-1, 0, 0],
    [0, -1, 0],
  ],
];
for (const [name, text, from, to] of CASES) {
  test(`ITK transform: ${name}`, () => {
    const got = applyAffine(parseItkTransform(text, "t.txt"), from);
    got.forEach((mm, axis) => {
      expect(mm).toBeCloseTo(to[axis]!, 12);
    });
  });
}

test("ITK transform: what is wrong is named", async () => {
  const affine = (parameters: readonly number[], fixed = [0, 0, 0]) =>
    file("AffineTransform_double_3_3", parameters, fixed);
  const bad: [string, string, string][] = [
    ["a matrix of another program", "1 0 0 0\n0 1 0 0\n", 'starts with "1 0 0 0"'],
    ["two dimensions", file("AffineTransform_double_2_2", [1], [0]), "AffineTransform_double_2_2"],
    ["a field", file("DisplacementFieldTransform_double_3_3", [1], [0]), "not supported"],
    [
      "two transforms",
      file("A_double_3_3", [1], [0]) + file("B_double_3_3", [1], [0]),
      "2 transforms",
    ],
    ["too few numbers", affine([1, 0, 0]), "expected 12 numbers"],
    ["no number", affine([...IDENTITY, Number.NaN, 0, 0]), "expected 12 numbers"],
    ["no centre", affine([...IDENTITY, 0, 0, 0], []), "expected 3 numbers"],
    ["flat", affine([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]), "singular"],
  ];
  for (const [id, text, part] of bad) {
    await expectUserError(id, () => parseItkTransform(text, "t.txt"), "t.txt: ", part);
  }
});
