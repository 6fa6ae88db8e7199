/** The box around some voxels of a volume. */
import type { Size3 } from "../data/volume";
import type { Box } from "./motion";

/** Of the voxels that count; where none does, `high` is below 0. */
export function boundsOf(data: Float32Array, size: Size3, counts: (value: number) => boolean): Box {
  const low: [number, number, number] = [...size];
  const high: [number, number, number] = [-1, -1, -1];
  for (let i = 0; i < data.length; i++) {
    if (!counts(data[i]!)) continue;
    const at = [
      i % size[0],
      Math.floor(i / size[0]) % size[1],
      Math.floor(i / (size[0] * size[1])),
    ];
    for (const axis of [0, 1, 2] as const) {
      low[axis] = Math.min(low[axis], at[axis]!);
      high[axis] = Math.max(high[axis], at[axis]!);
    }
  }
  return { low, high };
}
