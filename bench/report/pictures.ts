/** Draws two pictures: the roofline, and the growth of cost with size. */
import {
  type Dataset,
  drawPanels,
  PALETTE,
  type Panel,
  type Point,
} from "../../src/pictures/panels";
import { bandwidth } from "../ceilings";
import type { KernelRow, Report, ScalingSeries } from "./schema";
import { digits } from "./text";

/** The machine and the measurement: the line beside a picture's title. */
export function machineOf({ adapter, cpu, date }: Report): string {
  const where = adapter.kind === "hardware" ? "" : `, ${cpu.cores} cores of ${cpu.model}`;
  return `${adapter.name}${where}, ${date.slice(0, 10)}`;
}

const LINE = { showLine: true, pointRadius: 0, borderWidth: 1.5, pointStyle: "line" } as const;

/** y = min(peak, rate · x) over the range of x. */
function roof(label: string, peak: number, rate: number, dash: number[], xs: readonly number[]) {
  const at = (x: number): Point => ({ x, y: Math.min(peak, rate * x) });
  const [low, high] = [xs[0]!, xs.at(-1)!];
  const knee = peak / rate;
  const corners = knee > low && knee < high ? [low, knee, high] : [low, high];
  const data = corners.map(at);
  return { ...LINE, label, data, borderColor: "#374151", borderDash: dash } satisfies Dataset;
}

/** Ops by the time of all their launches, the greatest first; the last colour is for the rest. */
function byOp(rows: readonly KernelRow[]): [name: string, rows: KernelRow[]][] {
  const weight = (all: readonly KernelRow[]) =>
    all.reduce((sum, row) => sum + row.milliseconds * launchesOf(row), 0);
  const groups = [...Map.groupBy(rows, ({ op }) => op)].sort((a, b) => weight(b[1]) - weight(a[1]));
  const named = groups.slice(0, PALETTE.length - 1);
  const rest = groups.slice(named.length).flatMap(([, all]) => all);
  return rest.length > 0 ? [...named, ["others", rest]] : named;
}

const launchesOf = ({ launches }: KernelRow): number =>
  Object.values(launches).reduce((sum, n) => sum + n, 0);

/** Kernels that take less of the time are left out: what they show is the cost of a launch. */
const LEAST_SHARE = 2e-4;

/** Every kernel over its intensity; larger points take more of the time. */
export function drawRoofline(report: Report, path: string): void {
  const { ceilings } = report;
  const timeOf = (row: KernelRow) => row.milliseconds * launchesOf(row);
  const total = report.kernels.reduce((sum, row) => sum + timeOf(row), 0);
  const rows = report.kernels.filter((row) => row.flops > 0 && timeOf(row) > LEAST_SHARE * total);
  if (rows.length === 0) return;
  const radius = (row: KernelRow) => 3 + 22 * Math.sqrt(timeOf(row) / total);
  const kernels = byOp(rows).map(([label, all], i): Dataset => {
    const shown = all.toSorted((a, b) => radius(b) - radius(a));
    return {
      label,
      data: shown.map((row) => ({ x: row.flops / row.bytes, y: row.gflops })),
      pointRadius: shown.map(radius),
      backgroundColor: `${PALETTE[i]!}90`,
      borderColor: PALETTE[i]!,
    };
  });
  const intensities = rows.map(({ flops, bytes }) => flops / bytes);
  const xs = [0.5 * Math.min(0.2, ...intensities), 2 * Math.max(100, ...intensities)] as const;
  const rate = bandwidth(ceilings);
  const datasets = [
    roof(`peak, copies at ${digits(rate)} GB/s`, ceilings.f32Gflops, rate, [], xs),
    roof(
      `dashed: copies in a shader at ${digits(ceilings.copyVec4Gbs)} GB/s`,
      ceilings.f32Gflops,
      ceilings.copyVec4Gbs,
      [6, 5],
      xs,
    ),
    ...kernels,
  ];
  const low = Math.min(...rows.map(({ gflops }) => gflops));
  const panel: Panel = {
    title: `Roofline: f32 peak ${digits(ceilings.f32Gflops)} GFLOP/s`,
    x: "intensity, operations per byte (every tensor moved once)",
    y: "GFLOP/s (convolutions: of the direct method)",
    datasets,
    scale: "logarithmic",
    xRange: xs,
    yRange: [low / 2, 2 * ceilings.f32Gflops],
  };
  const heading = { title: "Kernels of training and inference", note: machineOf(report) };
  drawPanels([panel], path, heading, { columns: 1, width: 1100, height: 680 });
}

function scalingPanel(series: ScalingSeries, quantity: "seconds" | "bytes"): Panel {
  const { variable, points, timeSlope, memorySlope, workSlope } = series;
  const isTime = quantity === "seconds";
  const [first] = points;
  const data = points.map((p) => ({ x: p.value, y: isTime ? p.seconds : p.bytes / 2 ** 20 }));
  // Time should grow with the work, memory with the variable.
  const growth = points.map((p) => (isTime ? p.flops / first!.flops : p.value / first!.value));
  const expected = data.map(({ x }, i) => ({ x, y: data[0]!.y * growth[i]! }));
  const title = isTime
    ? `Time: slope ${timeSlope.toFixed(2)}, against operations ${workSlope.toFixed(2)}`
    : `Memory: slope ${memorySlope.toFixed(2)}`;
  const colour = PALETTE[isTime ? 0 : 1];
  const xs = data.map(({ x }) => x);
  const ys = [...data, ...expected].map(({ y }) => y);
  return {
    title,
    x: variable,
    y: isTime ? "seconds" : "MiB",
    scale: "logarithmic",
    datasets: [
      {
        label: "measured",
        data,
        showLine: true,
        borderColor: colour,
        backgroundColor: colour,
        pointRadius: 5,
      },
      {
        ...LINE,
        label: isTime ? "in proportion to operations" : "in proportion",
        data: expected,
        borderColor: "#9ca3af",
        borderDash: [6, 5],
      },
    ],
    xRange: [0.85 * Math.min(...xs), 1.18 * Math.max(...xs)],
    yRange: [0.7 * Math.min(...ys), 1.4 * Math.max(...ys)],
    xTicks: new Map(points.map(({ value, label }) => [value, label])),
  };
}

/** Time and memory of each series, one below the other. */
export function drawScaling(report: Report, path: string): void {
  const panels = (["seconds", "bytes"] as const).flatMap((quantity) =>
    report.scaling.map((series) => scalingPanel(series, quantity)),
  );
  const heading = { title: "How cost grows", note: machineOf(report) };
  const columns = report.scaling.length;
  drawPanels(panels, path, heading, { columns, width: 500, height: 380 });
}
