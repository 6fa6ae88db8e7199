/** DICOM files made for tests: MR images, explicit VR, little-endian, plain or JPEG lossless. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jpegLossless } from "./jpeg_lossless_rig";

/** A series of slices; the patient's axes are left, posterior, superior, in mm. */
export interface MadeSeries {
  readonly number: number;
  readonly description: string;
  readonly patient?: string;
  /** Milliseconds. */
  readonly times: { readonly tr: number; readonly te: number; readonly ti?: number };
  readonly imageType?: string;
  readonly acquisition?: "2D" | "3D";
  /** YYYYMMDD */
  readonly date?: string;
  /** Columns, rows, slices. */
  readonly size: readonly [number, number, number];
  /** Distance of rows, of columns and of slices. */
  readonly spacing: readonly [number, number, number];
  /** Direction of a row, then of a column. */
  readonly orientation: readonly number[];
  /** Centre of the first voxel of the first slice. */
  readonly origin: readonly [number, number, number];
  /** Voxels as JPEG lossless. */
  readonly isCompressed?: boolean;
  /** Values by column, row and slice. */
  readonly value: (column: number, row: number, slice: number) => number;
}

type Value = string | number | Uint16Array;
type Element = readonly [tag: number, vr: string, value: Value];

const EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1";
const JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70";
const MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4";
const ROOT = "1.2.826.0.1.3680043.10.1";

function bytesOf(vr: string, value: Value): Buffer {
  if (value instanceof Uint16Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
  if (typeof value === "number") {
    const bytes = Buffer.alloc(vr === "UL" ? 4 : 2);
    bytes.writeUIntLE(value, 0, bytes.length);
    return bytes;
  }
  const text = Buffer.from(value, "latin1");
  const padding = Buffer.from(vr === "UI" ? "\0" : " ").subarray(0, text.length % 2);
  return Buffer.concat([text, padding]);
}

/** An element as PS3.5, 7.1.2 lays it out. */
function encoded([tag, vr, value]: Element): Buffer {
  const bytes = bytesOf(vr, value);
  const long = vr === "OW" || vr === "OB";
  const head = Buffer.alloc(long ? 12 : 8);
  head.writeUInt16LE(tag >>> 16, 0);
  head.writeUInt16LE(tag & 0xffff, 2);
  head.write(vr, 4, "latin1");
  if (long) head.writeUInt32LE(bytes.length, 8);
  else head.writeUInt16LE(bytes.length, 6);
  return Buffer.concat([head, bytes]);
}

function file(
  elements: readonly Element[],
  instance: string,
  syntax: string,
  voxels: Buffer,
): Buffer {
  const meta = Buffer.concat(
    (
      [
        [0x00020002, "UI", MR_IMAGE],
        [0x00020003, "UI", instance],
        [0x00020010, "UI", syntax],
      ] as const
    ).map(encoded),
  );
  const preamble = Buffer.concat([Buffer.alloc(128), Buffer.from("DICM")]);
  const length = encoded([0x00020000, "UL", meta.length]);
  return Buffer.concat([preamble, length, meta, ...elements.map(encoded), voxels]);
}

/** Compressed voxels in one fragment (PS3.5, A.4), after an empty table of offsets. */
function encapsulated(fragment: Buffer): Buffer {
  const item = (tag: number, length: number) => {
    const head = Buffer.alloc(8);
    head.writeUInt16LE(0xfffe, 0);
    head.writeUInt16LE(tag, 2);
    head.writeUInt32LE(length, 4);
    return head;
  };
  const even = Buffer.concat([fragment, Buffer.alloc(fragment.length % 2)]);
  const start = Buffer.from([0xe0, 0x7f, 0x10, 0, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  const items = [item(0xe000, 0), item(0xe000, even.length), even, item(0xe0dd, 0)];
  return Buffer.concat([start, ...items]);
}

const cross = (o: readonly number[]) => [
  o[1]! * o[5]! - o[2]! * o[4]!,
  o[2]! * o[3]! - o[0]! * o[5]!,
  o[0]! * o[4]! - o[1]! * o[3]!,
];

/** The affine of the voxels (column, row, slice), row-major, in NIfTI's world: right, anterior, superior. */
export function affineOf({ spacing, orientation, origin }: MadeSeries): number[] {
  const normal = cross(orientation);
  return [0, 1, 2].flatMap((axis) => {
    const sign = axis < 2 ? -1 : 1;
    return [
      sign * orientation[axis]! * spacing[1],
      sign * orientation[3 + axis]! * spacing[0],
      sign * normal[axis]! * spacing[2],
      sign * origin[axis]!,
    ];
  });
}

function pixels({ size: [columns, rows], value }: MadeSeries, slice: number): Uint16Array {
  return Uint16Array.from({ length: columns * rows }, (_, i) =>
    value(i % columns, Math.floor(i / columns), slice),
  );
}

/** The bytes of one slice's file. */
export function sliceFile(series: MadeSeries, slice: number): Buffer {
  const { number, times, size, spacing, orientation, origin } = series;
  const patient = series.patient ?? "P1";
  const date = series.date ?? "20150302";
  const study = `${ROOT}.${date}`;
  const instance = `${study}.${number}.${slice + 1}`;
  const normal = cross(orientation);
  const position = origin.map((at, i) => at + slice * spacing[2] * normal[i]!);
  const list = (values: readonly number[]) => values.map((v) => v.toFixed(6)).join("\\");
  const elements: Element[] = [
    [0x00080008, "CS", series.imageType ?? "ORIGINAL\\PRIMARY\\M\\ND"],
    [0x00080016, "UI", MR_IMAGE],
    [0x00080018, "UI", instance],
    [0x00080020, "DA", date],
    [0x00080021, "DA", date],
    [0x00080022, "DA", date],
    [0x00080030, "TM", "101500"],
    [0x00080031, "TM", `10${10 + number}00`],
    [0x00080032, "TM", `10${10 + number}00`],
    [0x00080060, "CS", "MR"],
    [0x00080070, "LO", "SIEMENS"],
    [0x0008103e, "LO", series.description],
    [0x00081090, "LO", "Skyra"],
    [0x00100010, "PN", `Doe^${patient}`],
    [0x00100020, "LO", patient],
    [0x00180020, "CS", times.ti === undefined ? "GR" : "SE\\IR"],
    [0x00180023, "CS", series.acquisition ?? "2D"],
    [0x00180050, "DS", spacing[2].toFixed(3)],
    [0x00180080, "DS", String(times.tr)],
    [0x00180081, "DS", String(times.te)],
    ...(times.ti === undefined ? [] : [[0x00180082, "DS", String(times.ti)] as const]),
    [0x00180087, "DS", "3"],
    [0x00180088, "DS", spacing[2].toFixed(3)],
    [0x00181030, "LO", series.description],
    [0x0020000d, "UI", study],
    [0x0020000e, "UI", `${study}.${number}`],
    [0x00200010, "SH", "1"],
    [0x00200011, "IS", String(number)],
    [0x00200012, "IS", "1"],
    [0x00200013, "IS", String(slice + 1)],
    [0x00200032, "DS", list(position)],
    [0x00200037, "DS", list(orientation)],
    [0x00200052, "UI", `${study}.0`],
    [0x00280002, "US", 1],
    [0x00280004, "CS", "MONOCHROME2"],
    [0x00280010, "US", size[1]],
    [0x00280011, "US", size[0]],
    [0x00280030, "DS", list(spacing.slice(0, 2))],
    [0x00280100, "US", 16],
    [0x00280101, "US", 16],
    [0x00280102, "US", 15],
    [0x00280103, "US", 0],
  ];
  const values = pixels(series, slice);
  return series.isCompressed
    ? file(elements, instance, JPEG_LOSSLESS, encapsulated(jpegLossless(values, size[0], size[1])))
    : file(elements, instance, EXPLICIT_LITTLE_ENDIAN, encoded([0x7fe00010, "OW", values]));
}

/** Writes a series into a folder, a file for each slice. @returns their paths */
export function writeSeries(folder: string, series: MadeSeries): string[] {
  mkdirSync(folder, { recursive: true });
  return Array.from({ length: series.size[2] }, (_, slice) => {
    const path = join(folder, `s${series.number}_${String(slice).padStart(3, "0")}.dcm`);
    writeFileSync(path, sliceFile(series, slice));
    return path;
  });
}
