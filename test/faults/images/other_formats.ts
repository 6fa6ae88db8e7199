/** Files of other formats under the name of an image, as they are and compressed. */
import { gzipSync } from "node:zlib";
import { IMAGE, type ImageCase, PACKED } from "./image_case";

const text = (value: string) => new TextEncoder().encode(value);
const padded = (start: Uint8Array | string, length = 400) => {
  const bytes = new Uint8Array(length).fill(7);
  bytes.set(typeof start === "string" ? Uint8Array.from(start, (c) => c.charCodeAt(0)) : start);
  return bytes;
};
const dicom = padded(new Uint8Array(128));
dicom.set(text("DICM"), 128);
const swapped = Uint8Array.from(IMAGE);
swapped.set(swapped.slice(0, 2).reverse());

const kinds: readonly (readonly [id: string, file: Uint8Array, says: RegExp])[] = [
  ["DICOM", dicom, /dcm2niix/],
  ["FreeSurfer", padded("\0\0\0\x01\0\0\x01\0"), /mri_convert/],
  ["git-lfs", text("version https://git-lfs.github.com/spec/v1\noid sha256:4d\n"), /git lfs pull/],
  ["git-annex", text("/annex/objects/MD5E-s1234--4d.nii.gz\n"), /git annex get/],
  ["web page", text("<!DOCTYPE html><html><title>404</title>"), /web page/],
  ["XML", text('<?xml version="1.0"?><CIFTI/>'), /XML/],
  ["NRRD", text("NRRD0004\ntype: short\n"), /NRRD/],
  ["MetaImage", text("ObjectType = Image\nNDims = 3\n"), /MetaImage/],
  ["HDF5", padded("\x89HDF\r\n\x1a\n"), /MINC/],
  ["bzip2", padded("BZh91AY&SY"), /bunzip2/],
  ["xz", padded("\xfd7zXZ\0"), /unxz/],
  ["zstd", padded("\x28\xb5\x2f\xfd"), /unzstd/],
  ["zip", padded("PK\x03\x04"), /zip archive/],
  ["PNG", padded("\x89PNG\r\n\x1a\n"), /not a NIfTI file/],
  ["PDF", padded("%PDF-1.7\n"), /not a NIfTI file/],
  ["ELF", padded("\x7fELF\x02\x01"), /not a NIfTI file/],
  ["NumPy", padded("\x93NUMPY\x01\0"), /not a NIfTI file/],
  ["JSON", text('{"dim": [3, 2, 3, 4]}'), /not a NIfTI file/],
  ["UTF-16", padded("\xff\xfet\0e\0x\0t\0"), /not a NIfTI file/],
  ["zeros", new Uint8Array(4000), /not a NIfTI file/],
  ["a header of swapped halves", swapped, /not a NIfTI file/],
];

export const OTHER_FORMATS: readonly ImageCase[] = [
  ...kinds.map(([id, file, refused]) => ({ id, file, refused })),
  ...kinds.map(([id, file, refused]) => ({
    ...{ id: `${id}, in gzip`, name: "image.nii.gz", refused },
    file: gzipSync(file),
  })),
  {
    ...{ id: "gzip twice", name: "image.nii.gz" },
    ...{ file: gzipSync(PACKED), refused: /gunzip/ },
  },
];
