/** Files that are cut off, and damaged gzip data. */
import { gzipSync } from "node:zlib";
import { IMAGE, IMAGE2, type ImageCase, PACKED, VOXELS } from "./image_case";

const CUT = /not a NIfTI file|ends inside its NIfTI header|cut off/;
const GZIP = /damaged or cut-off gzip data|not a NIfTI file|ends inside its NIfTI header|cut off/;
const join = (...parts: Uint8Array[]) => Buffer.concat(parts);

const lengths1 = [0, 1, 2, 3, 4, 40, 100, 344, 347, 348, 350, 352, 353, 376, IMAGE.length - 1];
const lengths2 = [4, 12, 100, 348, 539, 540, 543, 544, IMAGE2.length - 1];
const lengthsGzip = [1, 2, 3, 9, 10, 11, 18, 60].concat(
  [9, 8, 7, 4, 1].map((missing) => PACKED.length - missing),
);

const cuts: ImageCase[] = [
  ...lengths1.map((n) => ({ id: `NIfTI-1 cut to ${n}`, file: IMAGE.slice(0, n), refused: CUT })),
  ...lengths2.map((n) => ({ id: `NIfTI-2 cut to ${n}`, file: IMAGE2.slice(0, n), refused: CUT })),
  ...lengthsGzip.map((n) => ({
    ...{ id: `gzip cut to ${n}`, name: "image.nii.gz" },
    ...{ file: PACKED.slice(0, n), refused: GZIP },
  })),
];

function changed(at: number, xor: number): Uint8Array {
  const bytes = Uint8Array.from(PACKED);
  bytes.set([bytes.at(at)! ^ xor], at < 0 ? bytes.length + at : at);
  return bytes;
}

const halves = [IMAGE.slice(0, 200), IMAGE.slice(200)].map((part) => gzipSync(part));
const cutMember = halves[1]!.slice(0, halves[1]!.length - 5);
const damaged: readonly (readonly [string, Uint8Array])[] = [
  ["magic", changed(1, 1)],
  ["method", changed(2, 1)],
  ["reserved flags", changed(3, 0xe0)],
  ["deflate data, start", changed(12, 0xff)],
  ["deflate data, middle", changed(PACKED.length >> 1, 0x10)],
  ["checksum", changed(-6, 1)],
  ["length", changed(-2, 1)],
  ["second member cut", join(halves[0]!, cutMember)],
  ["second member missing", halves[0]!],
  ["second member no gzip", join(halves[0]!, new TextEncoder().encode("no gzip data"))],
];

export const CUT_OFF: readonly ImageCase[] = [
  ...cuts,
  ...damaged.map(([id, file]) => ({
    ...{ id: `gzip: ${id}`, name: "image.nii.gz", file },
    refused: GZIP,
  })),
  {
    ...{ id: "bytes after the voxels", file: join(IMAGE, new Uint8Array(70)) },
    ...{ note: /70 bytes follow its last voxel/, voxels: VOXELS },
  },
  {
    ...{ id: "gzip: bytes after the voxels", file: gzipSync(join(IMAGE, new Uint8Array(70))) },
    ...{ name: "image.nii.gz", note: /70 bytes follow its last voxel/, voxels: VOXELS },
  },
];
