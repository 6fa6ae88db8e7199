/** The words of a pair in a page of device memory, and the row of the table that says where they are. */
import type { Size3 } from "./volume";

export const TABLE_COLUMNS = 8;
const SWAPPED = 1;

/** Normalised voxels of a pair, x fastest. */
export interface VisitData {
  readonly visit1: Float32Array;
  readonly visit2: Float32Array;
  /** A 0/1 label of the pair and, where there is one, of its twin. */
  readonly labels: readonly Uint8Array[];
}

/** Planes of a pair in a page: words before them, and how many voxels they are. */
export interface Placed {
  readonly page: number;
  readonly offset: number;
  readonly size: Size3;
}

/** `twin`: 0 for the pair as it is, 1 for its time-swapped twin. */
export function tableRow({ page, offset, size }: Placed, twin: number, half: boolean): number[] {
  const [nx, ny, nz] = size;
  const count = nz * nx * ny;
  const images = half ? 1 : 2;
  const [first, second] = twin === 0 ? [0, 1] : [1, 0];
  const visit = (i: number) => offset + (half ? 0 : i * count);
  const label = offset + images * count + twin * Math.ceil(count / 32);
  const flags = half && twin === 1 ? SWAPPED : 0;
  return [page, visit(first), visit(second), label, nz, ny, nx, flags];
}

/** The words of a pair, in their order in the page. */
export function wordsOfPair(
  { visit1, visit2, labels }: VisitData,
  half: boolean,
): (Float32Array | Uint32Array)[] {
  const images = half ? [packHalf(visit1, visit2)] : [visit1, visit2];
  return [...images, ...labels.map(packBits)];
}

function packBits(label: Uint8Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(label.length / 32));
  for (let i = 0; i < label.length; i++) if (label[i]) words[i >>> 5]! |= 1 << (i & 31);
  return words;
}

/** Two float16 in a word, visit 1 in the low half: WGSL's pack2x16float. */
function packHalf(a: Float32Array, b: Float32Array): Uint32Array {
  const halves = new Float16Array(a.length * 2);
  for (let i = 0; i < a.length; i++) {
    halves[2 * i] = a[i]!;
    halves[2 * i + 1] = b[i]!;
  }
  return new Uint32Array(halves.buffer);
}
