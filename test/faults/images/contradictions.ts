/** Headers that contradict themselves, their file or the size of a head. */
import { type Fixture, fixture, ramp, SFORM, TYPES, type TypeName } from "../../nifti_fixture";
import { type ImageCase, VOXELS } from "./image_case";

const refusal = (id: string, header: Fixture, refused: RegExp): ImageCase => ({
  ...{ id, refused },
  file: fixture({ sform: SFORM, ...header }),
});

const WRONG_BITS: Readonly<Record<TypeName, number>> = {
  ...{ uint8: 1, int8: 16, int16: 8, uint16: 32, int32: 64, uint32: 24, int64: 32, uint64: -64 },
  ...{ float32: 16, float64: 32 },
};
const bitpix = (Object.keys(TYPES) as TypeName[]).map((type) =>
  refusal(`bitpix of ${type}`, { type, bitpix: WRONG_BITS[type] }, /bitpix -?\d+, but datatype/),
);

const types = [0, 1, 3, 32, 77, 128, 255, 1536, 1792, 2048, 2304, -1].map((datatype) =>
  refusal(`datatype ${datatype}`, { datatype, bitpix: 0 }, /voxel type/),
);

const offsets = [Number.NaN, -1, 1, 347, 351, 352.5, 1e9, 3e38, Number.POSITIVE_INFINITY].map(
  (offset) => refusal(`vox_offset ${offset}`, { offset }, /vox_offset|cut off/),
);

const DIMS = /bad dimensions|-D image|take more than 4 GiB|cut off/;
const dims1 = [
  [0, 2, 3, 4],
  [-3, 2, 3, 4],
  [8, 2, 3, 4],
  [1, 24],
  [2, 4, 6],
  [3, 0, 3, 4],
  [3, -2, 3, 4],
  [3, 2, 3, -32768],
  [3, 2, 3, 5],
  [3, 32767, 32767, 32767],
  [3, 1200, 1200, 1200],
  [3, 900, 900, 900],
  [4, 2, 3, 2, 2],
  [5, 2, 3, 1, 1, 4],
  [7, 2, 3, 4, 0, 0, 0, -1],
];
const dims2 = [
  [3, 2 ** 40, 3, 4],
  [3, 2 ** 62, 2, 2],
  [3, 2 ** 21, 2 ** 21, 2 ** 21],
  [3, -(2 ** 53), 3, 4],
  [2 ** 40, 2, 3, 4],
];
const sizes = [
  ...dims1.map((dims) => refusal(`sizes ${dims}`, { dims }, DIMS)),
  ...dims2.map((dims) => refusal(`NIfTI-2 sizes ${dims}`, { dims, version: 2 }, DIMS)),
];

const shifted = SFORM.map((v, i) => (i === 3 ? v + 3 : v));
const sformWith = (at: number, value: number) => SFORM.map((v, i) => (i === at ? value : v));
const qform = [0, 0, 0, -10, -20, -30];
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
const NOWHERE = /no usable geometry|expected 0\.01 to 100 mm/;
const geometry: ImageCase[] = [
  refusal("magic of NIfTI-2", { magic: "n+2\0" }, /magic "n\+2" is not/),
  refusal("magic of NIfTI-1", { version: 2, magic: "n+1\0" }, /magic "n\+1" is not/),
  refusal("magic of a pair", { magic: "ni1\0" }, /pair is not supported/),
  refusal("no magic", { magic: "\0\0\0\0" }, /Analyze/),
  refusal("singular sform alone", { sform: Array(12).fill(1) }, NOWHERE),
  refusal("sform of NaN", { sform: Array(12).fill(nan) }, NOWHERE),
  refusal("sform with an infinity", { sform: sformWith(0, infinity) }, NOWHERE),
  refusal("an origin at infinity", { sform: sformWith(3, infinity) }, NOWHERE),
  refusal("an origin of NaN", { sform: sformWith(11, nan) }, NOWHERE),
  refusal("qform of NaN", { sform: undefined, qform: [nan, 0, 0, 0, 0, 0] }, NOWHERE),
  refusal("voxels of 0 mm", { sform: undefined, pixdim: [1, 0, 1, 1] }, NOWHERE),
  refusal("voxels of NaN mm", { sform: undefined, pixdim: [1, 1, nan, 1] }, NOWHERE),
  refusal("voxels of ∞ mm", { sform: undefined, pixdim: [1, 1, infinity, 1] }, NOWHERE),
  refusal("voxels of 1e-6 mm", { sform: SFORM.map((v) => v * 1e-6) }, NOWHERE),
  refusal("voxels of 720 mm", { units: 1 }, NOWHERE),
  refusal("intercept NaN", { slope: 2, intercept: nan }, /scl_inter is NaN/),
  refusal("intercept ∞", { slope: 2, intercept: infinity }, /scl_inter is Infinity/),
  refusal("slope 3e38", { slope: 3e38 }, /pass 3\.4e38/),
  {
    ...{ id: "sform and qform 3 mm apart", note: /sform and its qform contradict/, voxels: VOXELS },
    file: fixture({ sform: shifted, qform }),
  },
  {
    ...{ id: "singular sform, good qform", note: /sform is singular; its qform/, voxels: VOXELS },
    file: fixture({ sform: Array(12).fill(1), qform }),
  },
  {
    ...{ id: "no orientation", note: /no orientation in the header/, voxels: VOXELS },
    file: fixture({ pixdim: [1, 1, 1, 1] }),
  },
  { id: "slope NaN: no scaling", voxels: VOXELS, file: fixture({ sform: SFORM, slope: nan }) },
  {
    ...{ id: "extension of a negative size", voxels: VOXELS },
    file: fixture({ sform: SFORM, extension: [1, 0, 0, 0, 240, 255, 255, 255, 6, 0, 0, 0] }),
  },
  {
    ...{ id: "fourth dimension of 1 and voxels to spare", note: /12 bytes follow/, voxels: VOXELS },
    file: fixture({ sform: SFORM, dims: [4, 2, 3, 4, 1], values: ramp(30) }),
  },
];

export const CONTRADICTIONS: readonly ImageCase[] = [
  ...bitpix,
  ...types,
  ...offsets,
  ...sizes,
  ...geometry,
];
