/** The voxels under a brush. */

/** Of the study: right, anterior, superior. */
export type Voxel = readonly [x: number, y: number, z: number];
export type Plane = "axial" | "coronal" | "sagittal";

/** Voxels on the way from one to another, the first left out but where it is the last. */
export function between(from: Voxel, to: Voxel): Voxel[] {
  const steps = Math.max(1, ...from.map((v, axis) => Math.abs(to[axis]! - v)));
  return Array.from({ length: steps }, (_, k) => {
    const [x = 0, y = 0, z = 0] = from.map((v, axis) =>
      Math.round(v + ((to[axis]! - v) * (k + 1)) / steps),
    );
    return [x, y, z];
  });
}

const ACROSS: Readonly<Record<Plane, readonly [number, number]>> = {
  axial: [0, 1],
  coronal: [0, 2],
  sagittal: [1, 2],
};

/**
 * Voxels of the plane whose centres lie within `radius` mm of a voxel's; that voxel always.
 * @returns indices, x fastest
 */
export function disk(
  centre: Voxel,
  plane: Plane,
  radius: number,
  size: Voxel,
  edges: readonly number[],
): number[] {
  const [a, b] = ACROSS[plane];
  const [reachA, reachB] = [Math.floor(radius / edges[a]!), Math.floor(radius / edges[b]!)];
  const found: number[] = [];
  for (let i = -reachA; i <= reachA; i++) {
    for (let k = -reachB; k <= reachB; k++) {
      if (Math.hypot(i * edges[a]!, k * edges[b]!) > radius) continue;
      const at = [...centre];
      at[a]! += i;
      at[b]! += k;
      if (at.some((v, axis) => v < 0 || v >= size[axis]!)) continue;
      found.push(at[0]! + size[0] * (at[1]! + size[1] * at[2]!));
    }
  }
  return found;
}
