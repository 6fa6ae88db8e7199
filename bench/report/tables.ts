/** The parts of a report as Markdown tables. */
import { bandwidth } from "../ceilings";
import type { KernelRow, KernelShare, Report, StepRow } from "./schema";
import {
  digits,
  latencyOf,
  mebibytes,
  nonConvolution,
  percent,
  plusMinus,
  shareByOp,
} from "./text";

type Cell = string | number;

/** A Markdown table; the first column is text, the others are numbers. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, i) => (i === 0 ? "---" : "--:"));
  return [line(head), `|${rule.join("|")}|`, ...rows.map(line)].join("\n");
}

/** Rows below this share of the time are summed up in one. */
const LEAST_SHARE = 0.005;

function ceilingsPart({ ceilings: c }: Report): string {
  const rows: Cell[][] = [
    ["multiply-adds in registers, f32", `${digits(c.f32Gflops)} GFLOP/s`],
    ["multiply-adds in registers, f16", c.f16Gflops ? `${digits(c.f16Gflops)} GFLOP/s` : "no f16"],
    ["copy by a shader, `vec4f`", `${digits(c.copyVec4Gbs)} GB/s`],
    ["copy by a shader, `f32`", `${digits(c.copyF32Gbs)} GB/s`],
    ["`copyBufferToBuffer`", `${digits(c.copyBufferGbs)} GB/s`],
    ["a dispatch that waits for the one before", `${digits(c.dispatchMicroseconds)} µs`],
    ["a submission", `${digits(c.submitMicroseconds)} µs`],
  ];
  return table(["ceiling", "measured"], rows);
}

function kernelTable(rows: readonly KernelRow[], program: string): string {
  const time = (row: KernelRow) => row.milliseconds * (row.launches[program] ?? 0);
  const used = rows.filter((row) => time(row) > 0).sort((a, b) => time(b) - time(a));
  const total = used.reduce((sum, row) => sum + time(row), 0);
  const shown = used.filter((row) => time(row) >= LEAST_SHARE * total);
  const rest = used.slice(shown.length);
  const cells = shown.map((row): Cell[] => [
    `\`${row.id}\``,
    row.launches[program]!,
    percent(time(row) / total),
    digits(row.milliseconds),
    plusMinus(row.spread),
    row.flops > 0 ? digits(row.gflops) : "",
    digits(row.gbs),
    row.roofline.toFixed(2),
    row.compileSeconds === null ? "" : row.compileSeconds.toFixed(2),
  ]);
  if (rest.length > 0) {
    const sum = rest.reduce((all, row) => all + time(row), 0);
    const launches = rest.reduce((all, row) => all + row.launches[program]!, 0);
    cells.push([
      `${rest.length} smaller ones`,
      launches,
      percent(sum / total),
      "",
      "",
      "",
      "",
      "",
      "",
    ]);
  }
  const head = [
    "kernel",
    "launches",
    "share",
    "ms",
    "±",
    "GFLOP/s",
    "GB/s",
    "roofline",
    "compile s",
  ];
  return table(head, cells);
}

/** Rows that no iteration has: of prediction and preparation. */
function otherKernels(rows: readonly KernelRow[]): string {
  const cells = rows.map((row): Cell[] => [
    `\`${row.id}\``,
    digits(row.milliseconds),
    plusMinus(row.spread),
    row.flops > 0 ? digits(row.gflops) : "",
    digits(row.gbs),
    row.roofline.toFixed(2),
  ]);
  return table(["kernel", "ms", "±", "GFLOP/s", "GB/s", "roofline"], cells);
}

/** A row per layer, a column per direction: GFLOP/s and share of the peak. */
function layersPart({ layers }: Report): string {
  const presets = [...new Set(layers.map(({ preset }) => preset))];
  const directions = ["forward", "dx", "dw"];
  const tables = presets.map((preset) => {
    const byShape = Map.groupBy(
      layers.filter((row) => row.preset === preset),
      ({ shapes }) => shapes,
    );
    const rows = [...byShape].map(([shapes, all]): Cell[] => [
      shapes,
      ...directions.map((direction) => {
        const row = all.find((r) => r.direction === direction);
        if (!row) return "";
        return `${row.peakShare.toFixed(2)} (${digits(row.gflops)}, ${digits(row.milliseconds)} ms)`;
      }),
    ]);
    const head = [preset, "forward", "input gradient", "weight gradient"];
    return table(head, rows);
  });
  return tables.join("\n\n");
}

/** The paper's iteration, or the only one that was measured. */
function kernelsPart({ kernels, unusedOps, ceilings, settings }: Report): string {
  const isIteration = (name: string) => name.endsWith(" iteration");
  const programs = [...new Set(kernels.flatMap(({ launches }) => Object.keys(launches)))];
  const iterations = programs.filter(isIteration).sort();
  const shown = iterations.filter((name) => name.startsWith("paper"));
  const tables = (shown.length > 0 ? shown : iterations).map(
    (name) => `**${name}**\n\n${kernelTable(kernels, name)}`,
  );
  const others = kernels.filter(({ launches }) => !Object.keys(launches).some(isIteration));
  if (others.length > 0)
    tables.push(`**prediction and preparation only**\n\n${otherKernels(others)}`);
  const unused = unusedOps.map((name) => `\`${name}\``).join(", ");
  return [
    `Dispatches of ${settings.patches} patches. Bandwidth of the roofline: ` +
      `${digits(bandwidth(ceilings))} GB/s. Registered but in none of these programs: ${unused || "nothing"}.`,
    "![Roofline](roofline.png)",
    ...tables,
  ].join("\n\n");
}

function stepCells(row: StepRow): Cell[] {
  return [
    row.id,
    digits(row.milliseconds / 1000),
    plusMinus(row.spread),
    digits((1000 * row.patches) / row.milliseconds),
    digits(row.flops / row.milliseconds / 1e6),
    percent(row.hostMilliseconds / row.milliseconds),
    percent(nonConvolution(row)),
    digits(row.bytes / 1e9),
    mebibytes(row.plannedBytes),
    mebibytes(row.allocatedBytes),
  ];
}

/** Ops in bold, and below them their kernels that take a share worth a line. */
function breakdownTable(row: StepRow): string {
  const peak = row.control.gflops;
  const total = row.kernels.reduce((sum, k) => sum + k.milliseconds, 0);
  const isShown = (k: KernelShare) => k.milliseconds >= LEAST_SHARE * total;
  const cellsOf = (k: KernelShare, name: string): Cell[] => {
    const gflops = k.flops / k.milliseconds / 1e6;
    return [
      name,
      k.count,
      digits(k.milliseconds),
      percent(k.milliseconds / total),
      k.flops > 0 ? digits(gflops) : "",
      k.flops > 0 ? (gflops / peak).toFixed(2) : "",
      digits(k.bytes / k.milliseconds / 1e6),
    ];
  };
  const ops = shareByOp(row.kernels);
  const cells = ops
    .filter(isShown)
    .flatMap((op) => [
      cellsOf(op, `**${op.label}**`),
      ...(op.kernels.length > 1 ? op.kernels.filter(isShown) : []).map((k) =>
        cellsOf(k, `\`${k.label.split("/")[1]}\``),
      ),
    ]);
  const rest = ops.filter((op) => !isShown(op));
  if (rest.length > 0) {
    const sum = rest.reduce((all, op) => all + op.milliseconds, 0);
    cells.push([`${rest.length} other ops`, "", digits(sum), percent(sum / total), "", "", ""]);
  }
  return table(["op, kernel", "launches", "ms", "share", "GFLOP/s", "of peak", "GB/s"], cells);
}

function stepsPart({ steps }: Report): string {
  const head = [
    ...["step", "s", "±", "patches/s", "GFLOP/s", "host", "no convolution"],
    ...["GB moved", "temporaries", "all buffers"],
  ];
  const detailed = steps.filter(
    ({ id, preset }) => preset === "paper" && /iteration|windows/.test(id),
  );
  const tables = (detailed.length > 0 ? detailed : steps).map(
    (row) => `**${row.id}**, by kernel (${row.timedBy})\n\n${breakdownTable(row)}`,
  );
  return [table(head, steps.map(stepCells)), ...tables].join("\n\n");
}

function latencyPart({ latency }: Report): string {
  const rows = latency.map((row): Cell[] => [
    row.id,
    digits(latencyOf(row)),
    digits(row.openSeconds),
    digits(row.createSeconds),
    digits(row.firstStepSeconds),
    digits(row.steadyStepSeconds),
  ]);
  const head = [
    "",
    "latency s",
    "opening s",
    "recording, compiling s",
    "first step s",
    "usual step s",
  ];
  return table(head, rows);
}

function scalingPart({ scaling }: Report): string {
  const tables = scaling.map((row) => {
    const cells = row.points.map((p): Cell[] => [
      p.label,
      digits(p.flops / 1e9),
      digits(p.seconds),
      digits(p.flops / p.seconds / 1e9),
      mebibytes(p.bytes),
    ]);
    return [
      `**${row.variable}** (${row.what}): time grows with slope ${row.timeSlope.toFixed(2)}, memory ` +
        `with ${row.memorySlope.toFixed(2)}; time against operations ${row.workSlope.toFixed(2)}.`,
      table([row.variable, "GFLOP", "s", "GFLOP/s", "memory"], cells),
    ].join("\n\n");
  });
  return ["![How cost grows](scaling.png)", ...tables].join("\n\n");
}

/** The parts that `--docs` can write, by the names of their markers. */
export const PARTS = {
  ceilings: ceilingsPart,
  kernels: kernelsPart,
  layers: layersPart,
  steps: stepsPart,
  latency: latencyPart,
  scaling: scalingPart,
} as const;
