/** Paths at which no ordinary file lies, and small files that would become large. */
import { execFileSync } from "node:child_process";
import { mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { constants, createGzip, gzipSync } from "node:zlib";
import { fixture, SFORM } from "../../nifti_fixture";
import { IMAGE, type ImageCase, PACKED, VOXELS } from "./image_case";

const KIND = (kind: string) => new RegExp(`is ${kind}; expected a \\.nii or \\.nii\\.gz file`);
const fifo = (path: string) => void execFileSync("mkfifo", [path]);
const nothing = () => {};

const places: ImageCase[] = [
  { id: "nothing", file: nothing, refused: /no such file/ },
  { id: "a named pipe", file: fifo, refused: KIND("a named pipe") },
  {
    id: "a named pipe called .nii.gz",
    name: "p.nii.gz",
    file: fifo,
    refused: KIND("a named pipe"),
  },
  { id: "a folder", file: (path) => mkdirSync(path), refused: KIND("a folder") },
  { id: "a link to nothing", file: (path) => symlinkSync("none", path), refused: /no such file/ },
  { id: "a link to itself", file: (path) => symlinkSync(path, path), refused: /ELOOP|symbolic/ },
  { id: "a link to a pipe", file: linkToPipe, refused: KIND("a named pipe") },
  { id: "/dev/zero", path: "/dev/zero", file: nothing, refused: KIND("a device") },
  { id: "/dev/random", path: "/dev/random", file: nothing, refused: KIND("a device") },
  { id: "/dev/null", path: "/dev/null", file: nothing, refused: KIND("a device") },
  { id: "/dev/full", path: "/dev/full", file: nothing, refused: KIND("a device") },
  { id: "/proc/self/mem", path: "/proc/self/mem", file: nothing, refused: /EIO|I\/O error/ },
  { id: "a file as a folder", path: "/etc/passwd/x.nii", file: nothing, refused: /is a file/ },
  {
    id: "a name of 300 letters",
    name: `${"n".repeat(300)}.nii`,
    file: nothing,
    refused: /ENAMETOO/,
  },
  {
    id: "a name with a zero byte",
    path: "/tmp/a\0b.nii",
    file: nothing,
    refused: /null byte|ENOENT/,
  },
];

function linkToPipe(path: string): void {
  fifo(`${path}.pipe`);
  symlinkSync(`${path}.pipe`, path);
}

const MIB = 2 ** 20;

/** A gzip file of `start`, then so many MiB of zeros. */
const zerosAfter = (start: Uint8Array, mib: number) => async (path: string) => {
  const gzip = createGzip({ level: 9, chunkSize: MIB });
  const written = Bun.write(path, new Response(gzip as unknown as ReadableStream));
  gzip.write(start);
  const zeros = Buffer.alloc(16 * MIB);
  for (let done = 0; done < mib; done += 16) {
    if (!gzip.write(zeros)) await new Promise((resolve) => gzip.once("drain", resolve));
  }
  gzip.end();
  await written;
};

function sparse(path: string): void {
  const file = openSync(path, "w");
  writeSync(file, IMAGE);
  writeSync(file, new Uint8Array(1), 0, 1, 64 * 2 ** 30);
}

/** The header of a gzip member with a name or an extra field of so many bytes. */
function longField(flag: 4 | 8, length: number): Uint8Array {
  const head = Uint8Array.from([...PACKED.slice(0, 3), flag, ...PACKED.slice(4, 10)]);
  const size = flag === 4 ? Uint8Array.of(length & 255, length >> 8) : new Uint8Array();
  const field = new Uint8Array(length).fill(65);
  if (flag === 8) field[length - 1] = 0;
  return Buffer.concat([head, size, field, PACKED.slice(10)]);
}

const emptyMembers = () => {
  const empty = gzipSync(new Uint8Array());
  return Buffer.concat([...Array(20_000).fill(empty), PACKED]);
};

const gz = "image.nii.gz";
const huge = fixture({ sform: SFORM, dims: [3, 1000, 1000, 1000] });
const far = fixture({ sform: SFORM, offset: 2 ** 28 });
const surplus = /more than 1048576 bytes follow its last voxel/;
const bombs = (mib: number): ImageCase[] => [
  { id: "zeros in gzip", name: gz, file: zerosAfter(new Uint8Array(), mib), refused: /no.*NIfTI/ },
  {
    id: "an image, then zeros",
    name: gz,
    file: zerosAfter(IMAGE, mib),
    note: surplus,
    voxels: VOXELS,
  },
  { id: "an image, then a hole of 64 GiB", file: sparse, note: surplus, voxels: VOXELS },
  { id: "a promise of 2 GB", name: gz, file: gzipSync(huge), refused: /cut off: 48 bytes/ },
  { id: "a promise of 2 GB, and zeros", name: gz, file: zerosAfter(huge, 64), refused: /cut off/ },
  {
    id: "voxels after 256 MiB",
    name: gz,
    file: zerosAfter(far, 64),
    refused: /cut off|vox_offset/,
  },
  { id: "gzip with a name of 4 MiB", name: gz, file: longField(8, 4 * MIB), voxels: VOXELS },
  { id: "gzip with an extra field", name: gz, file: longField(4, 65_535), voxels: VOXELS },
  { id: "gzip of 20,000 empty members", name: gz, file: emptyMembers(), voxels: VOXELS },
  {
    ...{ id: "gzip, stored and not compressed", name: gz, voxels: VOXELS },
    file: gzipSync(IMAGE, { level: constants.Z_NO_COMPRESSION }),
  },
  {
    ...{ id: "a header alone, many times", refused: /cut off|follow its last voxel/ },
    file: (path) => writeFileSync(path, Buffer.concat(Array(50).fill(huge.slice(0, 352)))),
  },
];

/** @param mib of zeros in a bomb */
export const placesAndBombs = (mib: number): readonly ImageCase[] => [
  ...(process.platform === "win32" ? [] : places),
  ...bombs(mib),
];

/** The path of a case in a folder. */
export const pathOf = ({ path, name = "image.nii" }: ImageCase, folder: string): string =>
  path ?? join(folder, name);
