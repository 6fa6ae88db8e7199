/** Measures the growth of time and memory with patch size, batch, filters and volume. */

import { totalCost } from "../src/core/cost";
import { median } from "../src/gpu/stopwatch";
import type { TrainConfig } from "../src/settings/config";
import { makeTrainConfig } from "../src/settings/presets";
import type { Bench } from "./bench";
import { cube } from "./noise";
import type { ScalingPoint, ScalingSeries } from "./report/schema";
import { type StepWork, slidingWindows, trainingStep } from "./step_work";

type Filters = TrainConfig["filters"];

/** On a processor small networks and volumes: the slopes are the same, and take a minute. */
const RANGES = {
  software: {
    filters: [8, 16, 32] as Filters,
    batch: 8,
    edges: [32, 48, 64],
    batches: [8, 16, 32, 64, 128],
    widths: [8, 16, 24, 32],
    volumes: [64, 96, 128, 160],
  },
  hardware: {
    filters: [16, 32, 64] as Filters,
    batch: 32,
    edges: [32, 48, 64],
    batches: [8, 16, 32, 64, 128],
    widths: [8, 16, 24, 32],
    volumes: [96, 160, 224, 288],
  },
} as const;

interface Point {
  readonly label: string;
  readonly value: number;
  readonly make: () => StepWork | Promise<StepWork>;
}

interface Series {
  readonly id: string;
  readonly variable: string;
  readonly what: string;
  readonly points: readonly Point[];
}

function series(bench: Bench): Series[] {
  const { device } = bench;
  const { kernels } = bench.choices;
  const { filters, batch, edges, batches, widths, volumes } = RANGES[device.info.type];
  const base = { sampler: "uniform", filters, batch } as const;
  const train = (changes: Partial<TrainConfig>) => () =>
    trainingStep(device, makeTrainConfig("paper", { ...base, ...changes }), kernels);
  const network = `filters ${filters.join("/")}`;
  return [
    {
      id: "patch",
      variable: "voxels of a patch",
      what: `training step, ${batch} patches, ${network}`,
      points: edges.map((patch) => ({
        label: `${patch}³`,
        value: patch ** 3,
        make: train({ patch, stride: patch }),
      })),
    },
    {
      id: "batch",
      variable: "patches of a step",
      what: `training step, patches of 32³, ${network}`,
      points: batches.map((n) => ({ label: String(n), value: n, make: train({ batch: n }) })),
    },
    {
      id: "filters",
      variable: "filters of the first level",
      what: `training step, ${batch} patches of 32³, filters f, 2f, 4f`,
      points: widths.map((f) => ({
        label: String(f),
        value: f,
        make: train({ filters: [f, 2 * f, 4 * f] }),
      })),
    },
    {
      id: "volume",
      variable: "voxels of the volume",
      what: `sliding windows of 32³ at a stride of 24, ${network}`,
      points: volumes.map((edge) => ({
        label: `${edge}³`,
        value: edge ** 3,
        make: () => {
          const config = makeTrainConfig("paper", { filters });
          return slidingWindows(device, config, cube(edge), bench.windowBatch(config), kernels);
        },
      })),
    },
  ];
}

/** Repetitions of each point, and the seconds after which fewer will do. */
const REPETITIONS = 5;
const ENOUGH_SECONDS = 4;

async function measurePoint(bench: Bench, { label, value, make }: Point): Promise<ScalingPoint> {
  const work = await make();
  const times: number[] = [];
  const once = async () => {
    const start = performance.now();
    await work.submit();
    await bench.device.idle();
    return (performance.now() - start) / 1000;
  };
  const first = await once(); // compiles
  let spent = first;
  while (times.length < REPETITIONS && (times.length === 0 || spent < ENOUGH_SECONDS)) {
    times.push(await once());
    spent += times.at(-1)!;
  }
  const bytes = work.allocatedBytes();
  let flops = 0;
  for (const [program, runs] of work.programs())
    flops += runs * totalCost(program.dispatches).flops;
  work.release();
  return { label, value, flops, seconds: median(times), bytes };
}

/** Slope of the least-squares line through the logarithms of `points`. */
export function logSlope(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (axis: 0 | 1) => logs.reduce((sum, p) => sum + p[axis], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const sxy = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const sxx = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return sxy / sxx;
}

/** @param onRow gets each series as it is done */
export async function measureScaling(
  bench: Bench,
  onRow: (row: ScalingSeries) => void,
): Promise<ScalingSeries[]> {
  const rows: ScalingSeries[] = [];
  for (const { points, ...about } of bench.select(series(bench))) {
    const measured: ScalingPoint[] = [];
    for (const point of points) measured.push(await measurePoint(bench, point));
    rows.push({
      ...about,
      points: measured,
      timeSlope: logSlope(measured.map(({ value, seconds }) => [value, seconds])),
      memorySlope: logSlope(measured.map(({ value, bytes }) => [value, bytes])),
      workSlope: logSlope(measured.map(({ flops, seconds }) => [flops, seconds])),
    });
    onRow(rows.at(-1)!);
  }
  return rows;
}
