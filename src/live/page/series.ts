/** Lines of the charts: the numbers of runs over iterations or training time. */
import type { Line } from "../message";

export type Axis = "iteration" | "seconds";

/** The names of numbers in a line. */
export type NumberKey = {
  [K in keyof Line]-?: number extends NonNullable<Line[K]> ? K : never;
}[keyof Line];

export interface Points {
  readonly x: number[];
  readonly y: number[];
}

/** The lines that have a number for `key`. */
export function pointsOf(lines: readonly Line[], key: NumberKey, axis: Axis): Points {
  const points: Points = { x: [], y: [] };
  for (const line of lines) {
    const y = line[key];
    // A validation may be made a second time at one iteration, where the first was interrupted.
    if (y === undefined || line[axis] === points.x.at(-1)) continue;
    points.x.push(line[axis]);
    points.y.push(y);
  }
  return points;
}

/** Means over the last tenth or so of what came before, as in curves.png. */
export function smooth({ x, y }: Points): Points {
  const weight = 10 / Math.max(10, y.length);
  let mean = 0;
  const means = y.map((value, i) => {
    mean += Math.max(weight, 1 / (i + 1)) * (value - mean);
    return mean;
  });
  return { x, y: means };
}

/** The value at `at`, or the last one before; undefined before the first. Without `at`: the last. */
export function valueAt({ x, y }: Points, at: number | undefined): number | undefined {
  if (at === undefined) return y.at(-1);
  let [low, high] = [0, x.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x[middle]! <= at) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? undefined : y[low - 1];
}
