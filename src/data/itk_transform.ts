import { UserError } from "../core/errors";
import { isInvertible, multiplyAffine } from "./affine";
import type { Affine } from "./volume";

/** ITK's world axes point left, posterior, superior; NIfTI's right, anterior, superior. */
const LPS_TO_RAS: Affine = [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];

type Matrix3 = readonly number[];

/** Rotation and offset of a transform type from its parameters, before the centre is put in. */
interface TransformType {
  readonly parameters: number;
  /** The three coordinates of the centre, and for Euler angles whether they turn in order z, y, x. */
  readonly fixed: readonly number[];
  matrix(parameters: readonly number[], fixed: readonly number[]): Matrix3;
}

const AFFINE: TransformType = { parameters: 12, fixed: [3], matrix: (p) => p.slice(0, 9) };

const TYPES: Readonly<Record<string, TransformType>> = {
  MatrixOffsetTransformBase: AFFINE,
  AffineTransform: AFFINE,
  Euler3DTransform: {
    parameters: 6,
    fixed: [3, 4],
    matrix: ([x, y, z], fixed) => euler(x!, y!, z!, fixed[3] === 1),
  },
  VersorRigid3DTransform: {
    parameters: 6,
    fixed: [3],
    matrix: ([x, y, z]) => versor(x!, y!, z!),
  },
};

/**
 * An ITK text transform (`#Insight Transform File V1.0`) as a matrix in mm, RAS+. As ITK resamples,
 * it takes a point of the fixed image to the moving image: y = M (x − c) + t + c with the matrix M
 * by rows, translation t and centre c, in LPS coordinates.
 *
 * @param name stands for the file in messages
 * @throws UserError for another type, several transforms, or numbers that do not make one
 */
export function parseItkTransform(text: string, name: string): Affine {
  if (!text.startsWith("#Insight Transform File V1")) {
    const start = text.slice(0, 40).split("\n")[0];
    throw new UserError(
      `${name}: not an ITK text transform (it starts with "${start}"); expected a first line ` +
        '"#Insight Transform File V1.0"; copy the file again from its source',
    );
  }
  const names = fields(text, "Transform");
  if (names.length !== 1) {
    throw new UserError(
      `${name}: ${names.length} transforms; expected one; join them into one matrix first`,
    );
  }
  const [, kind = "", dimensions = ""] =
    /^([A-Za-z0-9]+?)_(?:double|float)_(\d_\d)$/.exec(names[0]!) ?? [];
  const type = TYPES[kind];
  if (!type || dimensions !== "3_3") {
    throw new UserError(
      `${name}: transform type ${names[0]} is not supported; ` +
        `expected one of ${Object.keys(TYPES).join(", ")} in 3 dimensions`,
    );
  }
  const parameters = numbers(text, "Parameters", [type.parameters], name);
  const centre = numbers(text, "FixedParameters", type.fixed, name);
  const matrix = type.matrix(parameters, centre);
  const affine = inRas(matrix, parameters.slice(-3), centre);
  if (!isInvertible(affine)) {
    throw new UserError(`${name}: its matrix is singular; copy the file again from its source`);
  }
  return affine;
}

function fields(text: string, key: string): string[] {
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith(`${key}:`));
  return lines.map((line) => line.slice(key.length + 1).trim());
}

function numbers(text: string, key: string, counts: readonly number[], name: string): number[] {
  const field = fields(text, key)[0] ?? "";
  const values = field === "" ? [] : field.split(/\s+/).map(Number);
  if (!counts.includes(values.length) || !values.every(Number.isFinite)) {
    throw new UserError(
      `${name}: "${key}: ${field}"; expected ${counts.join(" or ")} numbers; ` +
        "copy the file again from its source",
    );
  }
  return values;
}

function inRas(m: Matrix3, translation: readonly number[], centre: readonly number[]): Affine {
  const rows = [0, 1, 2].flatMap((r) => {
    const row = m.slice(3 * r, 3 * r + 3);
    const turned = row.reduce((sum, value, c) => sum + value * centre[c]!, 0);
    return [...row, translation[r]! + centre[r]! - turned];
  });
  return multiplyAffine(multiplyAffine(LPS_TO_RAS, [...rows, 0, 0, 0, 1]), LPS_TO_RAS);
}

/** Rotations by the angles (radians) about the axes: R_z R_x R_y, or R_z R_y R_x. */
function euler(x: number, y: number, z: number, zyx: boolean): Matrix3 {
  const [sx, sy, sz] = [Math.sin(x), Math.sin(y), Math.sin(z)];
  const [cx, cy, cz] = [Math.cos(x), Math.cos(y), Math.cos(z)];
  const rx: Affine = [1, 0, 0, 0, 0, cx, -sx, 0, 0, sx, cx, 0, 0, 0, 0, 1];
  const ry: Affine = [cy, 0, sy, 0, 0, 1, 0, 0, -sy, 0, cy, 0, 0, 0, 0, 1];
  const rz: Affine = [cz, -sz, 0, 0, sz, cz, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1];
  const [middle, last] = zyx ? [ry, rx] : [rx, ry];
  const product = multiplyAffine(rz, multiplyAffine(middle, last));
  return [0, 1, 2].flatMap((row) => product.slice(4 * row, 4 * row + 3));
}

/** Rotation of a unit quaternion from its vector part. */
function versor(x: number, y: number, z: number): Matrix3 {
  const w = Math.sqrt(Math.max(0, 1 - x * x - y * y - z * z));
  return [
    ...[1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
    ...[2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
    ...[2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
  ];
}

/**
 * An affine (mm, RAS+) as an ITK text transform of 3 × 4 numbers about the origin, in LPS coordinates,
 * with all digits of float64: what {@link parseItkTransform}, ITK and ANTs read.
 */
export function itkTransformText(affine: Affine): string {
  const m = multiplyAffine(multiplyAffine(LPS_TO_RAS, affine), LPS_TO_RAS);
  const linear = [0, 1, 2].flatMap((r) => m.slice(4 * r, 4 * r + 3));
  const offset = [m[3]!, m[7]!, m[11]!];
  return [
    "#Insight Transform File V1.0",
    "#Transform 0",
    "Transform: AffineTransform_double_3_3",
    `Parameters: ${[...linear, ...offset].join(" ")}`,
    "FixedParameters: 0 0 0",
    "",
  ].join("\n");
}
