/** A NIfTI-1 file of an image, as bytes: no file system, no compression. */
import { UserError } from "../core/errors";
import { determinant } from "./affine";
import { type Affine, type Grid, voxelSize } from "./volume";

const HEADER_BYTES = 352;
const UINT8 = 2;
const FLOAT32 = 16;
const UNITS_MM = 2;
/** "Aligned to something else": of the code's choices the one that claims least. */
const XFORM_ALIGNED = 2;

/**
 * The bytes of a single-file NIfTI-1 image, little-endian and not compressed: uint8 for a mask's
 * values, float32 for an image's.
 *
 * @param name stands for the file in messages
 * @throws UserError for a size beyond NIfTI-1's 32767
 */
export function encodeNifti(
  grid: Grid,
  data: Uint8Array | Float32Array,
  name: string,
): Uint8Array<ArrayBuffer> {
  if (data.length !== grid.size[0] * grid.size[1] * grid.size[2]) {
    throw new RangeError(`${name}: ${data.length} voxels for a grid of ${grid.size.join("×")}`);
  }
  if (grid.size.some((n) => n > 32767)) {
    throw new UserError(
      `${name}: ${grid.size.join("×")} voxels do not fit into NIfTI-1 (32767 per axis); crop it`,
    );
  }
  const file = new Uint8Array(HEADER_BYTES + data.byteLength);
  const datatype = data instanceof Uint8Array ? UINT8 : FLOAT32;
  writeHeader(new DataView(file.buffer), grid, datatype, 8 * data.BYTES_PER_ELEMENT);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), HEADER_BYTES);
  return file;
}

/** Fills the first 352 bytes; offsets as in nifti1.h. Fields not set here stay 0: "unknown". */
function writeHeader(view: DataView, grid: Grid, datatype: number, bitsPerVoxel: number): void {
  const int16 = (at: number, value: number) => view.setInt16(at, value, true);
  const float32 = (at: number, value: number) => view.setFloat32(at, value, true);
  const text = (at: number, value: string) => {
    for (let i = 0; i < value.length; i++) view.setUint8(at + i, value.charCodeAt(i));
  };
  view.setInt32(0, 348, true);
  [3, ...grid.size, 1, 1, 1, 1].forEach((n, i) => {
    int16(40 + 2 * i, n);
  });
  int16(70, datatype);
  int16(72, bitsPerVoxel);
  const { affine } = grid;
  const rotation = quaternion(affine);
  const qfac = determinant(affine) < 0 ? -1 : 1;
  [qfac, ...voxelSize(affine), 0, 0, 0, 0].forEach((mm, i) => {
    float32(76 + 4 * i, mm);
  });
  float32(108, HEADER_BYTES);
  float32(112, 1); // scl_slope
  view.setUint8(123, UNITS_MM);
  text(148, "voxgrad");
  if (rotation) {
    int16(252, XFORM_ALIGNED);
    [...rotation, affine[3]!, affine[7]!, affine[11]!].forEach((value, i) => {
      float32(256 + 4 * i, value);
    });
  }
  int16(254, XFORM_ALIGNED);
  for (let i = 0; i < 12; i++) float32(280 + 4 * i, affine[i]!);
  text(344, "n+1");
}

/**
 * The qform's quaternion (b, c, d; a ≥ 0) of an affine, or undefined where the axes are not at right
 * angles: a qform cannot say that, so the file then has an sform only.
 */
function quaternion(affine: Affine): [number, number, number] | undefined {
  const edges = voxelSize(affine);
  const qfac = determinant(affine) < 0 ? -1 : 1;
  const r = (row: number, column: number) =>
    (affine[4 * row + column]! / edges[column]!) * (column === 2 ? qfac : 1);
  const dot = (a: number, b: number) => r(0, a) * r(0, b) + r(1, a) * r(1, b) + r(2, a) * r(2, b);
  if (Math.max(Math.abs(dot(0, 1)), Math.abs(dot(0, 2)), Math.abs(dot(1, 2))) > 1e-4) return;

  // Shepperd's method: divide by the largest of the four components, so that none cancels.
  const squares = [
    1 + r(0, 0) + r(1, 1) + r(2, 2),
    1 + r(0, 0) - r(1, 1) - r(2, 2),
    1 - r(0, 0) + r(1, 1) - r(2, 2),
    1 - r(0, 0) - r(1, 1) + r(2, 2),
  ];
  const largest = squares.indexOf(Math.max(...squares));
  const scale = 2 * Math.sqrt(squares[largest]!);
  const [yz, zx, xy] = [r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1)];
  const [sxy, szx, syz] = [r(1, 0) + r(0, 1), r(0, 2) + r(2, 0), r(2, 1) + r(1, 2)];
  const table = [
    [squares[0]!, yz, zx, xy],
    [yz, squares[1]!, sxy, szx],
    [zx, sxy, squares[2]!, syz],
    [xy, szx, syz, squares[3]!],
  ];
  const [a, b, c, d] = table[largest]!.map((value) => value / scale);
  const sign = a! < 0 ? -1 : 1;
  return [sign * b!, sign * c!, sign * d!];
}
