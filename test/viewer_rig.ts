/** Small results for tests of the viewer. */
import { Philox } from "../src/core/random";
import { voxelVolume } from "../src/data/affine";
import type { Affine, Grid, Size3 } from "../src/data/volume";
import { findLesions } from "../src/eval/lesion_detection";
import { placeOf } from "../src/eval/lesions";
import type { Result } from "../src/result/parts";

/** Oblique, and stored towards left, posterior, superior. */
export const OBLIQUE: Affine = [
  ...[-0.98, 0.1, 0.02, 14],
  ...[-0.1, -0.97, 0.2, 11],
  ...[0.03, 0.15, 1.9, -7],
  ...[0, 0, 0, 1],
];

/**
 * Two noisy visits and two box-shaped lesions of 12 and 4 voxels.
 * @param at first voxels of the lesions
 */
export function smallResult(
  grid: Grid = { size: [20, 24, 10], affine: OBLIQUE },
  at: readonly Size3[] = [
    [3, 4, 5],
    [12, 15, 2],
  ],
): Result {
  const { size, affine } = grid;
  const count = size[0] * size[1] * size[2];
  const random = new Philox(11);
  const noise = () => Float32Array.from({ length: count }, () => 100 + 10 * random.normal());
  const data = new Uint8Array(count);
  const extents = [
    [3, 2, 2],
    [2, 2, 1],
  ] as const;
  at.forEach(([x, y, z], k) => {
    const [ex, ey, ez] = extents[k]!;
    for (let dz = 0; dz < ez; dz++) {
      for (let dy = 0; dy < ey; dy++) {
        for (let dx = 0; dx < ex; dx++) {
          data[x + dx + size[0] * (y + dy + size[1] * (z + dz))] = 1;
        }
      }
    }
  });
  const mask = { ...grid, data };
  const found = findLesions(data, size, 1);
  const lesions = Array.from({ length: found.count }, (_, i) => {
    const place = placeOf(mask, found.voxels(i + 1));
    const centreMm: [number, number, number] = [...place.centreMm];
    return { id: i + 1, ...place, centreMm, side: null, probability: 0.9 - 0.1 * i };
  });
  return {
    record: {
      ...{ format: 1, program: "voxgrad test", created: "2026-01-02T03:04:05.000Z" },
      ...{ patient: "p <b>1</b>", kind: "network", grid: "t1", newLesions: true },
      visits: [{ name: "one.nii.gz" }, { name: "two.nii.gz", date: "2026-01-01" }],
      files: {
        ...{ mask: "mask.nii.gz", visit1: "visit1.nii.gz", visit2: "visit2.nii.gz" },
        probability: "probability.nii.gz",
      },
      weights: [{ name: "w.safetensors", sha256: "ab".repeat(32) }],
      rule: `voxels of ${voxelVolume(affine).toFixed(2)} mm³`,
      lesions,
      quality: { fit: true, lines: [] },
    },
    ...{ visit1: { ...grid, data: noise() }, visit2: { ...grid, data: noise() }, mask },
    probability: { ...grid, data: Float32Array.from(data, (v) => 0.85 * v) },
  };
}
