/**
 * A second reader of NIfTI, from the standard's text (nifti1.h, nifti2.h) and without a line of src/: it
 * says what a file holds that voxgrad takes. Only single uncompressed files.
 */

export interface Read {
  readonly size: readonly number[];
  /** Scaled; values that float32 cannot hold are infinite. */
  readonly voxels: readonly number[];
  /** Row-major, mm. */
  readonly affine: readonly number[];
}

type Field = readonly [at: number, type: "i16" | "i32" | "i64" | "f32" | "f64", count?: number];

/** Places of the fields. */
const FIELDS = {
  1: {
    dim: [40, "i16", 8],
    ...{ datatype: [70, "i16"], pixdim: [76, "f32", 8], offset: [108, "f32"] },
    ...{ slope: [112, "f32"], intercept: [116, "f32"], qformCode: [252, "i16"] },
    ...{ sformCode: [254, "i16"], qform: [256, "f32", 6], sform: [280, "f32", 12] },
  },
  2: {
    dim: [16, "i64", 8],
    ...{ datatype: [12, "i16"], pixdim: [104, "f64", 8], offset: [168, "i64"] },
    ...{ slope: [176, "f64"], intercept: [184, "f64"], qformCode: [344, "i32"] },
    ...{ sformCode: [348, "i32"], qform: [352, "f64", 6], sform: [400, "f64", 12] },
  },
} as const satisfies Record<1 | 2, Readonly<Record<string, Field>>>;

const BYTES = { i16: 2, i32: 4, i64: 8, f32: 4, f64: 8 } as const;

type Get = (view: DataView, at: number, little: boolean) => number;
const TYPES: Readonly<Record<number, readonly [bytes: number, get: Get]>> = {
  2: [1, (v, at) => v.getUint8(at)],
  256: [1, (v, at) => v.getInt8(at)],
  4: [2, (v, at, little) => v.getInt16(at, little)],
  512: [2, (v, at, little) => v.getUint16(at, little)],
  8: [4, (v, at, little) => v.getInt32(at, little)],
  768: [4, (v, at, little) => v.getUint32(at, little)],
  1024: [8, (v, at, little) => Number(v.getBigInt64(at, little))],
  1280: [8, (v, at, little) => Number(v.getBigUint64(at, little))],
  16: [4, (v, at, little) => v.getFloat32(at, little)],
  64: [8, (v, at, little) => v.getFloat64(at, little)],
};

function fieldsOf(view: DataView, version: 1 | 2, little: boolean) {
  return (name: keyof (typeof FIELDS)[1]): number[] => {
    const [at, type, count = 1] = FIELDS[version][name] as Field;
    return Array.from({ length: count }, (_, i) => {
      const place = at + i * BYTES[type];
      if (type === "i16") return view.getInt16(place, little);
      if (type === "i32") return view.getInt32(place, little);
      if (type === "i64") return Number(view.getBigInt64(place, little));
      return type === "f32" ? view.getFloat32(place, little) : view.getFloat64(place, little);
    });
  };
}

/** @throws RangeError where a place lies beyond the file, TypeError for what the standard has not */
export function readIndependently(bytes: Uint8Array): Read {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = [348, 540].includes(view.getInt32(0, true));
  const version = view.getInt32(0, little) === 348 ? 1 : 2;
  const field = fieldsOf(view, version, little);
  const [ndim = 0, ...dims] = field("dim");
  const size = dims.slice(0, 3);
  if (!(ndim >= 3 && ndim <= 7) || dims.slice(3, ndim).some((n) => n > 1)) throw TypeError("dim");
  const [bytesEach, get] = TYPES[field("datatype")[0]!]!;
  const [slope, intercept] = [field("slope")[0]!, field("intercept")[0]!];
  const isScaled = Number.isFinite(slope) && slope !== 0;
  const first = field("offset")[0]! || (version === 1 ? 352 : 544);
  const voxels = Array.from({ length: size[0]! * size[1]! * size[2]! }, (_, i) => {
    const stored = get(view, first + i * bytesEach, little);
    return Math.fround(isScaled ? stored * slope + intercept : stored);
  });
  const units = version === 1 ? view.getUint8(123) : view.getInt32(500, little);
  const mm = { 1: 1000, 3: 0.001 }[units & 7] ?? 1;
  const affine = affineOf(field).map((value, i) => (i < 12 ? value * mm : value));
  return { size, voxels, affine };
}

/** Method 3, else 2, else 1 of the standard; 3 is left out where its matrix has no inverse. */
function affineOf(field: ReturnType<typeof fieldsOf>): number[] {
  const sform = [...field("sform"), 0, 0, 0, 1];
  if (field("sformCode")[0]! > 0 && isUsable(sform)) return sform;
  const [qfac = 0, ...edges] = field("pixdim");
  const [dx = 0, dy = 0, dz = 0] = edges.map(Math.abs);
  if (field("qformCode")[0]! <= 0) return [dx, 0, 0, 0, 0, dy, 0, 0, 0, 0, dz, 0, 0, 0, 0, 1];
  let [b = 0, c = 0, d = 0, x = 0, y = 0, z = 0] = field("qform");
  let a = 1 - (b * b + c * c + d * d);
  if (a < 1e-7) {
    const length = Math.hypot(b, c, d);
    [a, b, c, d] = [0, b / length, c / length, d / length];
  } else a = Math.sqrt(a);
  const k = qfac < 0 ? -dz : dz;
  return [
    ...[(a * a + b * b - c * c - d * d) * dx, 2 * (b * c - a * d) * dy, 2 * (b * d + a * c) * k, x],
    ...[2 * (b * c + a * d) * dx, (a * a + c * c - b * b - d * d) * dy, 2 * (c * d - a * b) * k, y],
    ...[2 * (b * d - a * c) * dx, 2 * (c * d + a * b) * dy, (a * a + d * d - b * b - c * c) * k, z],
    ...[0, 0, 0, 1],
  ];
}

/** Finite, and the parallelepiped of a voxel is not flat. */
function isUsable(m: readonly number[]): boolean {
  const edge = (c: number) => Math.hypot(m[c]!, m[4 + c]!, m[8 + c]!);
  const box = edge(0) * edge(1) * edge(2);
  return m.every(Number.isFinite) && Math.abs(determinant(m)) > 1e-6 * box;
}

function determinant(m: readonly number[]): number {
  const at = (r: number, c: number) => m[4 * r + c]!;
  return (
    at(0, 0) * (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) -
    at(0, 1) * (at(1, 0) * at(2, 2) - at(1, 2) * at(2, 0)) +
    at(0, 2) * (at(1, 0) * at(2, 1) - at(1, 1) * at(2, 0))
  );
}
