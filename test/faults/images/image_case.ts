/** Bad images: files that must be refused, or be used by a rule that a note tells. */
import { gzipSync } from "node:zlib";
import { fixture, ramp, SFORM } from "../../nifti_fixture";

export interface ImageCase {
  readonly id: string;
  /** The bytes of the file, or a function that puts something at the path. */
  readonly file: Uint8Array | string | ((path: string) => void | Promise<void>);
  /** The name of the file; `image.nii` if absent. */
  readonly name?: string;
  /** The file lies there already, and its name is this. */
  readonly path?: string;
  /** The refusal says this. */
  readonly refused?: RegExp;
  /** It is used, and a note says this. */
  readonly note?: RegExp;
  /** It is used, with these voxels; checked beside a note too. */
  readonly voxels?: readonly number[];
  /** It is read as a mask. */
  readonly mask?: boolean;
}

/** A whole image of 2×3×4 voxels, and one of NIfTI-2. */
export const IMAGE = fixture({ sform: SFORM });
export const IMAGE2 = fixture({ sform: SFORM, version: 2 });
export const VOXELS = ramp(24);
export const PACKED = gzipSync(IMAGE);
