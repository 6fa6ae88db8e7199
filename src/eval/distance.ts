import type { Size3 } from "../data/volume";

type Range = readonly [from: number, to: number];

/**
 * Euclidean distance in mm from each query voxel to the nearest source voxel, between voxel centres:
 * exact, for voxels that need not be cubes, in time linear in the bounding box of all of them. The
 * squared distance is the lower envelope of parabolas along one axis after the other (Felzenszwalb
 * and Huttenlocher 2012, section 2): along x and y in all planes that hold sources, along z only in
 * columns that hold queries. Infinity where there is no source.
 *
 * @param queries,sources voxel indices, x fastest; sources without repetition
 * @param spacing edges of a voxel in mm; the axes are taken as orthogonal
 */
export function distancesToNearest(
  queries: Int32Array,
  sources: Int32Array,
  size: Size3,
  spacing: readonly [number, number, number],
): Float64Array {
  const distances = new Float64Array(queries.length).fill(Number.POSITIVE_INFINITY);
  if (queries.length === 0 || sources.length === 0) return distances;
  const [xs, ys, zs] = boundingBox([queries, sources], size);
  const [nx, ny, nz] = [xs, ys, zs].map(([from, to]) => to - from) as [number, number, number];
  const [sx, sy] = size;
  const [x0, y0, z0] = [xs[0], ys[0], zs[0]];
  const inBox = (voxel: number) => {
    const row = (voxel / sx) | 0;
    const z = (row / sy) | 0;
    return ((z - z0) * ny + (row - z * sy) - y0) * nx + (voxel - row * sx) - x0;
  };
  const squares = new Float64Array(nx * ny * nz).fill(Number.POSITIVE_INFINITY);
  const planeHolds = new Uint8Array(nz);
  // By index: iterators of typed arrays, and their map and forEach, take several times as long.
  for (let i = 0; i < sources.length; i++) {
    const at = inBox(sources[i]!);
    squares[at] = 0;
    planeHolds[(at / (nx * ny)) | 0] = 1;
  }
  const along = new Envelope(Math.max(nx, ny, nz));
  for (let z = 0; z < nz; z++) {
    if (planeHolds[z] === 0) continue;
    const plane = squares.subarray(z * nx * ny, (z + 1) * nx * ny);
    for (let y = 0; y < ny; y++) along.line(plane, y * nx, 1, nx, spacing[0]);
    for (let x = 0; x < nx; x++) along.line(plane, x, nx, ny, spacing[1]);
  }
  const boxed = new Int32Array(queries.length);
  const columns = new Uint8Array(nx * ny);
  for (let i = 0; i < queries.length; i++) {
    boxed[i] = inBox(queries[i]!);
    columns[boxed[i]! % (nx * ny)] = 1;
  }
  for (let column = 0; column < columns.length; column++) {
    if (columns[column]) along.line(squares, column, nx * ny, nz, spacing[2]);
  }
  for (let i = 0; i < boxed.length; i++) distances[i] = Math.sqrt(squares[boxed[i]!]!);
  return distances;
}

/** Smallest range of each axis that holds all voxels. */
function boundingBox(lists: readonly Int32Array[], [nx, ny]: Size3): [Range, Range, Range] {
  let [lowX, lowY, lowZ] = [nx, ny, Number.POSITIVE_INFINITY];
  let [highX, highY, highZ] = [0, 0, 0];
  for (const voxels of lists) {
    for (let i = 0; i < voxels.length; i++) {
      const row = (voxels[i]! / nx) | 0;
      const z = (row / ny) | 0;
      const x = voxels[i]! - row * nx;
      const y = row - z * ny;
      if (x < lowX) lowX = x;
      if (x >= highX) highX = x + 1;
      if (y < lowY) lowY = y;
      if (y >= highY) highY = y + 1;
      if (z < lowZ) lowZ = z;
      if (z >= highZ) highZ = z + 1;
    }
  }
  return [
    [lowX, highX],
    [lowY, highY],
    [lowZ, highZ],
  ];
}

/** The lower envelope of the parabolas f(q) + (p − q)² over the points of a line. */
class Envelope {
  /** Position and height of the parabolas on the envelope, and from where each is the lowest. */
  private readonly at: Float64Array;
  private readonly height: Float64Array;
  private readonly from: Float64Array;

  constructor(longest: number) {
    this.at = new Float64Array(longest);
    this.height = new Float64Array(longest);
    this.from = new Float64Array(longest);
  }

  /** Replaces n values of a line by their envelope; `edge` is the distance of neighbours in mm. */
  line(values: Float64Array, first: number, stride: number, n: number, edge: number): void {
    const { at, height, from } = this;
    let last = -1;
    for (let i = 0; i < n; i++) {
      const f = values[first + i * stride]!;
      if (f === Number.POSITIVE_INFINITY) continue;
      const p = i * edge;
      let start = Number.NEGATIVE_INFINITY;
      for (; last >= 0; last--) {
        const q = at[last]!;
        // Where the parabolas around p and q cross.
        start = (f + p * p - height[last]! - q * q) / (2 * (p - q));
        if (start > from[last]!) break;
      }
      if (last < 0) start = Number.NEGATIVE_INFINITY;
      last++;
      at[last] = p;
      height[last] = f;
      from[last] = start;
    }
    if (last < 0) return;
    let k = 0;
    for (let i = 0; i < n; i++) {
      const p = i * edge;
      while (k < last && from[k + 1]! < p) k++;
      const d = p - at[k]!;
      values[first + i * stride] = height[k]! + d * d;
    }
  }
}
