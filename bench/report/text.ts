/** Rows of a report as lines for a terminal. */
import { isConvolution, opOf } from "../cost";
import type {
  Ceilings,
  KernelRow,
  KernelShare,
  LatencyRow,
  LayerRow,
  ScalingSeries,
  StepRow,
} from "./schema";

/** Three significant digits, without an exponent. */
export function digits(value: number): string {
  if (value === 0) return "0";
  const places = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(places, 6));
}

export const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export const mebibytes = (bytes: number): string => `${digits(bytes / 2 ** 20)} MiB`;

/** Half the distance of the quartiles, as ±. */
export const plusMinus = (spread: number): string => `±${(50 * spread).toFixed(0)} %`;

export function ceilingLines(c: Ceilings): string[] {
  return [
    `FMA peak   f32 ${digits(c.f32Gflops)} GFLOP/s` +
      (c.f16Gflops === undefined ? ", no f16" : `, f16 ${digits(c.f16Gflops)} GFLOP/s`),
    `copying    vec4 ${digits(c.copyVec4Gbs)} GB/s, f32 ${digits(c.copyF32Gbs)} GB/s, ` +
      `copyBufferToBuffer ${digits(c.copyBufferGbs)} GB/s (read + written)`,
    `launching  ${digits(c.dispatchMicroseconds)} µs a dispatch, ` +
      `${digits(c.submitMicroseconds)} µs a submission`,
  ];
}

export function kernelLine(row: KernelRow): string {
  const rate = row.flops > 0 ? `${digits(row.gflops).padStart(7)} GFLOP/s` : " ".repeat(15);
  const compile = row.compileSeconds === null ? "" : `  compile ${row.compileSeconds.toFixed(2)} s`;
  return (
    `${row.id.padEnd(72)}${digits(row.milliseconds).padStart(8)} ms ` +
    `${plusMinus(row.spread).padEnd(6)}${rate}${digits(row.gbs).padStart(7)} GB/s  ` +
    `${row.roofline.toFixed(2)} of roofline${compile}`
  );
}

export function layerLine(row: LayerRow): string {
  return (
    `${row.id.padEnd(46)}${digits(row.milliseconds).padStart(8)} ms ` +
    `${plusMinus(row.spread).padEnd(6)}${digits(row.gflops).padStart(7)} GFLOP/s  ` +
    `${row.peakShare.toFixed(2)} of peak  ${row.variants.join("+").padEnd(12)}` +
    `${row.dispatches} dispatches  compile ${row.compileSeconds.toFixed(2)} s`
  );
}

/** Share of a step that is no convolution. */
export function nonConvolution({ kernels }: Pick<StepRow, "kernels">): number {
  const total = kernels.reduce((sum, k) => sum + k.milliseconds, 0);
  const rest = kernels.filter(({ label }) => !isConvolution(label));
  return total > 0 ? rest.reduce((sum, k) => sum + k.milliseconds, 0) / total : 0;
}

/** A group of kernels, as one. */
export interface OpShare extends KernelShare {
  readonly kernels: readonly KernelShare[];
}

/** Kernels under their ops, each slowest first. */
export function shareByOp(kernels: readonly KernelShare[]): OpShare[] {
  const groups = [...Map.groupBy(kernels, ({ label }) => opOf(label))].map(([label, all]) => {
    const sum = (key: "count" | "milliseconds" | "flops" | "bytes") =>
      all.reduce((total, k) => total + k[key], 0);
    const [count, milliseconds] = [sum("count"), sum("milliseconds")];
    return { label, count, milliseconds, flops: sum("flops"), bytes: sum("bytes"), kernels: all };
  });
  return groups.sort((a, b) => b.milliseconds - a.milliseconds);
}

function shareLine(k: KernelShare, total: number, indent: string): string {
  const rate = k.flops > 0 ? `${digits(k.flops / k.milliseconds / 1e6)} GFLOP/s` : "";
  return (
    `${(indent + k.label).padEnd(48)}${String(k.count).padStart(6)}${digits(k.milliseconds).padStart(10)} ms` +
    `${percent(k.milliseconds / total).padStart(8)}${rate.padStart(18)}` +
    `${digits(k.bytes / k.milliseconds / 1e6).padStart(9)} GB/s`
  );
}

export function stepLines(row: StepRow): string[] {
  const seconds = row.milliseconds / 1000;
  const total = row.kernels.reduce((sum, k) => sum + k.milliseconds, 0);
  const facts = [
    `${digits(row.milliseconds)} ms ${plusMinus(row.spread)}`,
    `${digits(row.patches / seconds)} patches/s`,
    `${digits(row.flops / row.milliseconds / 1e6)} GFLOP/s`,
    `host ${percent(row.hostMilliseconds / row.milliseconds)}`,
    `no convolution ${percent(nonConvolution(row))}`,
    `${digits(row.bytes / 1e9)} GB moved`,
    `${mebibytes(row.plannedBytes)} of temporaries`,
    `${mebibytes(row.allocatedBytes)} in all`,
    `${row.dispatches} dispatches`,
    `kernels by ${row.timedBy} add up to ${percent(total / row.milliseconds)}`,
  ];
  const lines = shareByOp(row.kernels).flatMap((op) => [
    shareLine(op, total, "  "),
    ...(op.kernels.length > 1 ? op.kernels.map((k) => shareLine(k, total, "    ")) : []),
  ]);
  return [`${row.id}: ${facts.join(", ")}`, ...lines];
}

/** Seconds until the first step is done, less a usual step. */
export const latencyOf = (row: LatencyRow): number =>
  Math.max(0, row.createSeconds + row.firstStepSeconds - row.steadyStepSeconds);

export function latencyLine(row: LatencyRow): string {
  const { id, openSeconds, createSeconds, firstStepSeconds, steadyStepSeconds } = row;
  return (
    `${id}: ${digits(latencyOf(row))} s (opening ${digits(openSeconds)} s more; recording and ` +
    `compiling ${digits(createSeconds)} s, first step ${digits(firstStepSeconds)} s, a usual one ` +
    `${digits(steadyStepSeconds)} s)`
  );
}

export function scalingLines(row: ScalingSeries): string[] {
  const points = row.points.map(
    (p) =>
      `  ${p.label.padStart(6)}${digits(p.flops / 1e9).padStart(10)} GFLOP` +
      `${digits(p.seconds).padStart(10)} s${digits(p.flops / p.seconds / 1e9).padStart(8)} GFLOP/s` +
      `${mebibytes(p.bytes).padStart(12)}`,
  );
  const slopes =
    `  slopes: time ${row.timeSlope.toFixed(2)}, memory ${row.memorySlope.toFixed(2)} against ` +
    `${row.variable}; time ${row.workSlope.toFixed(2)} against operations`;
  return [`${row.id} (${row.what})`, ...points, slopes];
}
