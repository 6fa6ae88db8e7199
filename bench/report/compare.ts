/** Two reports side by side, row by row, with the drift of the machine taken out. Pure. */
import type { Control, Report, StepRow } from "./schema";
import { digits, percent, shareByOp } from "./text";

interface Timed {
  readonly id: string;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
  readonly control: Control;
}

export interface ComparedRow {
  readonly id: string;
  /** Milliseconds. */
  readonly before: number;
  readonly after: number;
  /** After over before: below 1 is faster. */
  readonly ratio: number;
  /** The ratio, had the control beside the row run as fast as before. */
  readonly corrected: number;
  /** By how much the control's rate changed: 0.08 is 8 % faster. */
  readonly drift: number;
}

export interface Comparison {
  readonly rows: readonly ComparedRow[];
  readonly added: readonly string[];
  readonly gone: readonly string[];
  /** What makes the two hard to compare: another adapter, another processor. */
  readonly warnings: readonly string[];
}

/** The control that moves like the row: the FMA peak where arithmetic bounds it, else the copy. */
function controlOf({ flops, bytes }: Timed, before: Control): keyof Control {
  return flops / before.gflops > bytes / before.gbs ? "gflops" : "gbs";
}

function comparedRow(before: Timed, after: Timed): ComparedRow {
  const name = controlOf(before, before.control);
  const speed = after.control[name] / before.control[name];
  const ratio = after.milliseconds / before.milliseconds;
  return {
    id: before.id,
    before: before.milliseconds,
    after: after.milliseconds,
    ratio,
    corrected: ratio * speed,
    drift: speed - 1,
  };
}

/** A step, and the part of each op in it: these stay comparable when kernels are replaced. */
function stepAndOps(step: StepRow): Timed[] {
  const { id, milliseconds, flops, bytes, control } = step;
  const parts = shareByOp(step.kernels).map((op) => ({
    id: `${id}: ${op.label}`,
    milliseconds: op.milliseconds,
    flops: op.flops,
    bytes: op.bytes,
    control,
  }));
  return [{ id, milliseconds, flops, bytes, control }, ...parts];
}

function timedRows(report: Report): Map<string, Timed> {
  const { kernels, ops, layers, steps } = report;
  const rows: Timed[] = [...kernels, ...ops, ...layers, ...steps.flatMap(stepAndOps)];
  return new Map(rows.map((row) => [row.id, row]));
}

/**
 * Rows that both reports have, in the order of the second. Parts that the second did not measure
 * (all kernels, all steps) are not called gone.
 */
export function compareReports(before: Report, after: Report): Comparison {
  const [old, now] = [timedRows(before), timedRows(after)];
  const rows: ComparedRow[] = [];
  const added: string[] = [];
  for (const [id, row] of now) {
    const other = old.get(id);
    if (other) rows.push(comparedRow(other, row));
    else added.push(id);
  }
  const measured = new Set<string>();
  for (const part of ["kernels", "ops"] as const) {
    if (after[part].length > 0) for (const { id } of before[part]) measured.add(id);
  }
  const steps = new Set(after.steps.map(({ id }) => id));
  for (const step of before.steps) {
    if (steps.has(step.id)) for (const { id } of stepAndOps(step)) measured.add(id);
  }
  const gone = [...measured].filter((id) => !now.has(id));
  const warnings: string[] = [];
  if (
    before.adapter.name !== after.adapter.name ||
    before.adapter.driver !== after.adapter.driver
  ) {
    warnings.push(`before: ${before.adapter.name} ${before.adapter.driver}`.trim());
  }
  if (before.cpu.model !== after.cpu.model || before.cpu.cores !== after.cpu.cores) {
    warnings.push(`before: ${before.cpu.cores} cores of ${before.cpu.model}`);
  }
  return { rows, added, gone, warnings };
}

/** Controls that moved by more than this make a row doubtful. */
export const MOST_DRIFT = 0.05;

function comparedLine({ id, before, after, ratio, corrected, drift }: ComparedRow): string {
  const moved = Math.abs(drift) > MOST_DRIFT;
  const sign = drift < 0 ? "slower" : "faster";
  const note = moved ? `  control ${percent(Math.abs(drift))} ${sign}` : "";
  return (
    `${corrected.toFixed(3).padStart(7)}  (${ratio.toFixed(3)} as measured)` +
    `${digits(before).padStart(9)} → ${digits(after).padEnd(7)} ms  ${id}${note}`
  );
}

export function comparisonLines({ rows, added, gone, warnings }: Comparison): string[] {
  const moved = rows.filter(({ drift }) => Math.abs(drift) > MOST_DRIFT).length;
  return [
    "time after / before, corrected by the control beside each row; below 1 is faster",
    ...warnings.map((text) => `warning: another machine, ${text}`),
    ...rows.map(comparedLine),
    ...added.map((id) => `    new  ${id}`),
    ...gone.map((id) => `   gone  ${id}`),
    ...(moved > 0
      ? [`the control of ${moved} rows moved by more than ${percent(MOST_DRIFT)}: measure again`]
      : []),
  ];
}
