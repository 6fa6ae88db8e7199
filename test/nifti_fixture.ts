import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../src/core/errors";

/** The storage of each voxel type: its NIfTI code, its size in bytes, and a setter for one value. */
export const TYPES = {
  uint8: [2, 1, "setUint8"],
  int8: [256, 1, "setInt8"],
  int16: [4, 2, "setInt16"],
  uint16: [512, 2, "setUint16"],
  int32: [8, 4, "setInt32"],
  uint32: [768, 4, "setUint32"],
  int64: [1024, 8, "setBigInt64"],
  uint64: [1280, 8, "setBigUint64"],
  float32: [16, 4, "setFloat32"],
  float64: [64, 8, "setFloat64"],
} as const;

export type TypeName = keyof typeof TYPES;

export interface Fixture {
  version?: 1 | 2;
  little?: boolean;
  type?: TypeName;
  /** dim[0] and the sizes. */
  dims?: readonly number[];
  values?: readonly number[];
  slope?: number;
  intercept?: number;
  /** pixdim[0] (qfac) and the voxel edges. */
  pixdim?: readonly number[];
  /** b, c, d, and the three offsets; given, qform_code is 1. */
  qform?: readonly number[];
  /** Twelve numbers; given, sform_code is `sformCode`. */
  sform?: readonly number[];
  sformCode?: number;
  qformCode?: number;
  units?: number;
  datatype?: number;
  bitpix?: number;
  offset?: number;
  magic?: string;
  /** Bytes between header and voxels, from the extension flag on. */
  extension?: readonly number[];
}

export const SFORM = [0.72, 0, 0, -10, 0, 0.72, 0, -20, 0, 0, 3, -30] as const;

/** Values small enough for every type, all different. */
export const ramp = (count: number) => Array.from({ length: count }, (_, i) => (i * 7) % 120);

/** A NIfTI file in memory, written field by field from the standard, independent of src/. */
export function fixture(options: Fixture = {}): Uint8Array {
  const { version = 1, little = true, type = "int16", dims = [3, 2, 3, 4] } = options;
  const { values = ramp(24), extension = [0, 0, 0, 0], slope = 0, intercept = 0 } = options;
  const { pixdim = [1, 0.72, 0.72, 3], sform, qform, units = 2 } = options;
  const headerSize = version === 1 ? 348 : 540;
  const offset = headerSize + extension.length;
  const [code, width, set] = TYPES[type];
  const bytes = new Uint8Array(offset + values.length * width);
  const view = new DataView(bytes.buffer);
  const i16 = (at: number, v: number) => view.setInt16(at, v, little);
  const i32 = (at: number, v: number) => view.setInt32(at, v, little);
  const i64 = (at: number, v: number) => view.setBigInt64(at, BigInt(v), little);
  const f32 = (at: number, v: number) => view.setFloat32(at, v, little);
  const f64 = (at: number, v: number) => view.setFloat64(at, v, little);
  const one = version === 1;
  const integer = one ? i16 : i64;
  const real = one ? f32 : f64;
  const row = (at: number, list: readonly number[], put: typeof f32, step: number) => {
    list.forEach((v, i) => {
      put(at + i * step, v);
    });
  };
  i32(0, headerSize);
  row(one ? 40 : 16, dims, integer, one ? 2 : 8);
  i16(one ? 70 : 12, options.datatype ?? code);
  i16(one ? 72 : 14, options.bitpix ?? width * 8);
  row(one ? 76 : 104, pixdim, real, one ? 4 : 8);
  (one ? f32 : i64)(one ? 108 : 168, options.offset ?? offset);
  real(one ? 112 : 176, slope);
  real(one ? 116 : 184, intercept);
  if (one) view.setUint8(123, units);
  else i32(500, units);
  (one ? i16 : i32)(one ? 252 : 344, options.qformCode ?? (qform ? 1 : 0));
  (one ? i16 : i32)(one ? 254 : 348, options.sformCode ?? (sform ? 1 : 0));
  row(one ? 256 : 352, qform ?? [], real, one ? 4 : 8);
  row(one ? 280 : 400, sform ?? [], real, one ? 4 : 8);
  const magic = options.magic ?? (one ? "n+1\0" : "n+2\0\r\n\x1a\n");
  bytes.set(new TextEncoder().encode(magic), one ? 344 : 4);
  bytes.set(extension, headerSize);
  values.forEach((v, i) => {
    const at = offset + i * width;
    if (set === "setBigInt64" || set === "setBigUint64") view[set](at, BigInt(v), little);
    else view[set](at, v, little);
  });
  return bytes;
}

/** Runs `body` with a folder that is gone afterwards. */
export async function inTemporaryFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "voxgrad-test-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The call fails with a UserError of one line that holds every part. */
export async function expectUserError(
  caseId: string,
  call: () => unknown,
  ...parts: readonly string[]
): Promise<void> {
  let error: unknown;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  expect(error, `${caseId}: expected a UserError`).toBeInstanceOf(UserError);
  const { message } = error as UserError;
  expect(message.includes("\n"), `${caseId}: one line`).toBe(false);
  for (const part of parts) expect(message, caseId).toContain(part);
}
