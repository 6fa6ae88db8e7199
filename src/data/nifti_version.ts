/** Tells a NIfTI file by its first bytes, and what a file is that is none. */
import { UserError } from "../core/errors";

/** Bytes of the header, by version. */
export const NIFTI_HEADER = { 1: 348, 2: 540 } as const;

/**
 * The version of a single-file NIfTI image, by its size of the header and its magic.
 * @throws UserError that says what the file is instead, and what to do
 */
export function niftiVersion(bytes: Uint8Array, name: string): 1 | 2 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizes = bytes.length < 4 ? [] : [view.getInt32(0, true), view.getInt32(0, false)];
  const version = ([1, 2] as const).find((v) => sizes.includes(NIFTI_HEADER[v]));
  if (version === undefined) throw new UserError(`${name}: not a NIfTI file (${fileKind(bytes)})`);
  const headerSize = NIFTI_HEADER[version];
  if (bytes.length < headerSize) {
    throw new UserError(
      `${name}: the file ends inside its NIfTI header (${bytes.length} of ${headerSize} bytes); ` +
        "copy it again from its source",
    );
  }
  const magic = version === 1 ? latin1(bytes, 344, 347) : latin1(bytes, 4, 7);
  if (magic === `n+${version}`) return version;
  if (magic === `ni${version}`) {
    throw new UserError(
      `${name}: a NIfTI .hdr/.img pair is not supported; ` +
        "convert it to one .nii.gz file, e.g. with fslchfiletype NIFTI_GZ",
    );
  }
  if (/^n[+i][12]$/.test(magic)) {
    throw new UserError(
      `${name}: its header of ${headerSize} bytes is NIfTI-${version}'s, its magic "${magic}" is ` +
        "not; the header is damaged, export the image again",
    );
  }
  throw new UserError(`${name}: not a NIfTI file (${version === 1 ? ANALYZE : fileKind(bytes)})`);
}

const ANALYZE = "it looks like Analyze 7.5; convert it to .nii.gz";

/** Kinds of file that get a NIfTI name by mistake: how they start, and what to do. */
const KINDS: readonly (readonly [start: string | RegExp, kind: string])[] = [
  [/^$/, "the file is empty; copy it again from its source"],
  [
    /^[\s\S]{128}DICM/,
    "it is DICOM; convert its series, e.g. with dcm2niix (predict and register take its folder)",
  ],
  ["version https://git-lfs", "it is a pointer of git-lfs; fetch the image by git lfs pull"],
  ["/annex/objects/", "it is a pointer of git-annex; fetch the image by git annex get"],
  [/^\s*<(!doctype html|html|head)/i, "it is a web page; download the image again"],
  [/^\s*<\?xml/, "it is XML; give the image itself"],
  ["NRRD", "it is NRRD; convert it to .nii.gz, e.g. with 3D Slicer"],
  [/^(ObjectType|NDims)\s*=/, "it is MetaImage; convert it to .nii.gz, e.g. with 3D Slicer"],
  ["\0\0\0\x01\0\0", "it looks like FreeSurfer's .mgh or .mgz; convert it by mri_convert"],
  ["\x89HDF", "it looks like MINC; convert it, e.g. with mnc2nii"],
  ["BZh", "it is compressed by bzip2; unpack it, e.g. with bunzip2"],
  ["\xfd7zXZ", "it is compressed by xz; unpack it, e.g. with unxz"],
  ["\x28\xb5\x2f\xfd", "it is compressed by zstd; unpack it, e.g. with unzstd"],
  ["PK\x03\x04", "it is a zip archive; unpack it"],
  ["\x1f\x8b", "it is gzip data in gzip data; unpack it once, e.g. with gunzip"],
];

function fileKind(bytes: Uint8Array): string {
  const start = latin1(bytes, 0, 256);
  const known = KINDS.find(([like]) =>
    typeof like === "string" ? start.startsWith(like) : like.test(start),
  );
  if (known) return known[1];
  const first = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `it starts with bytes ${first.join(" ")}; expected a .nii or .nii.gz image`;
}

const latin1 = (bytes: Uint8Array, from: number, to: number) =>
  String.fromCharCode(...bytes.subarray(from, to));
