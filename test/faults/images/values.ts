/** Voxels that are no numbers, too large, hot, or no mask. */
import { fixture, ramp, SFORM } from "../../nifti_fixture";
import type { ImageCase } from "./image_case";

const COUNT = 300;
const float64 = (values: readonly number[]) =>
  fixture({ type: "float64", values, dims: [3, 6, 5, 10], sform: SFORM });
const float32 = (values: readonly number[]) =>
  fixture({ type: "float32", values, dims: [3, 6, 5, 10], sform: SFORM });
const plain = ramp(COUNT);
const some = (count: number, value: number) => plain.map((v, i) => (i < count ? value : v));
const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;

const NOT_FINITE = /NaN or infinite, set to 0/;
const HOT = /hot voxels? of up to/;
const images: ImageCase[] = [
  { id: "all NaN", file: float32(some(COUNT, nan)), refused: /not one of its 300 voxels/ },
  { id: "all infinite", file: float32(some(COUNT, infinity)), refused: /not one of its 300/ },
  { id: "all −∞", file: float32(some(COUNT, -infinity)), refused: /not one of its 300/ },
  { id: "4 infinite of 300", file: float32(some(4, infinity)), refused: /pass 3\.4e38/ },
  { id: "beyond float32", file: float64(plain.map((v) => v * 1e37)), refused: /pass 3\.4e38/ },
  { id: "1 NaN", file: float32(some(1, nan)), note: NOT_FINITE, voxels: some(1, 0) },
  { id: "299 NaN", file: float32(some(299, nan)), note: NOT_FINITE, voxels: some(299, 0) },
  { id: "2 infinite", file: float32(some(2, infinity)), note: NOT_FINITE, voxels: some(2, 0) },
  { id: "1 of 1e300", file: float64(some(1, 1e300)), note: NOT_FINITE, voxels: some(1, 0) },
  { id: "1 of 3e38", file: float32(some(1, 3e38)), note: HOT },
  { id: "1 of −3e38", file: float32(some(1, -3e38)), note: HOT },
  { id: "2 hot ones of 300 × the others", file: float32(some(2, 36_000)), note: HOT },
];

const mask = (id: string, first: number, refused: RegExp): ImageCase => ({
  ...{ id: `mask with ${id}`, mask: true, refused },
  file: float32(plain.map((_, i) => (i === 0 ? first : i % 2))),
});
const masks = [
  mask("a label 2", 2, /value 2 at voxel \(0, 0, 0\).*binarise/),
  mask("a probability", 0.4, /value 0\.4 .*threshold/),
  mask("−1", -1, /value -1 /),
  mask("NaN", nan, /value NaN /),
  mask("∞", infinity, /value Infinity /),
  mask("0.998", 0.998, /value 0\.998 /),
];

export const VALUES: readonly ImageCase[] = [...images, ...masks];
