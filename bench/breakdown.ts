/** Splits the time of a program by op and by kernel. */

import { totalCost } from "../src/core/cost";
import type { Memory } from "../src/gpu/memory";
import { profile } from "../src/gpu/profile";
import type { Program } from "../src/gpu/program";
import { median, type Stopwatch, stepsOf } from "../src/gpu/stopwatch";
import type { KernelShare } from "./report/schema";
import { keyOf } from "./rows";

/** Repetitions, but not of programs that take longer than this. */
const REPETITIONS = 3;
const LONG_MS = 5000;

/** Milliseconds by label: medians, from timestamps around every dispatch of whole runs. */
async function stamped(memory: Memory, program: Program): Promise<Map<string, number>> {
  const times = new Map<string, number[]>();
  const start = performance.now();
  for (let i = 0; i < REPETITIONS && performance.now() - start < LONG_MS; i++) {
    for (const { label, milliseconds } of await profile(memory, program)) {
      times.set(label, [...(times.get(label) ?? []), milliseconds]);
    }
  }
  return new Map([...times].map(([label, all]) => [label, median(all)]));
}

/** The same by the clock: each distinct step many times over, one after the other. */
async function repeated(stopwatch: Stopwatch, program: Program): Promise<Map<string, number>> {
  const alike = Map.groupBy(program.dispatches.keys(), (i) => keyOf(program.dispatches[i]!));
  const prepared = [];
  for (const positions of alike.values()) {
    const at = positions[0]!;
    const { run } = await stopwatch.prepare(stepsOf(program, at, at + 1));
    const label = program.labels[at]!;
    prepared.push({ label, run, count: positions.length, times: [] as number[] });
  }
  for (let i = 0; i < REPETITIONS; i++) {
    for (const { run, times } of prepared) times.push(await run());
  }
  const totals = new Map<string, number>();
  for (const { label, count, times } of prepared) {
    totals.set(label, (totals.get(label) ?? 0) + count * median(times));
  }
  return totals;
}

export type TimedBy = "timestamps" | "repetition";

export function timedBy(memory: Memory): TimedBy {
  return memory.device.features.has("timestamp-query") ? "timestamps" : "repetition";
}

/** @param runs how often the program runs within what is broken down */
export async function breakdown(
  memory: Memory,
  stopwatch: Stopwatch,
  program: Program,
  runs = 1,
): Promise<KernelShare[]> {
  const byStamps = timedBy(memory) === "timestamps";
  const times = byStamps ? await stamped(memory, program) : await repeated(stopwatch, program);
  const byLabel = Map.groupBy(program.dispatches, ({ label }) => label);
  return [...byLabel].map(([label, dispatches]) => {
    const { flops, bytes } = totalCost(dispatches);
    const milliseconds = runs * times.get(label)!;
    return {
      label,
      count: runs * dispatches.length,
      milliseconds,
      flops: runs * flops,
      bytes: runs * bytes,
    };
  });
}

/** Shares of several programs as one list, slowest first. */
export function merged(lists: readonly (readonly KernelShare[])[]): KernelShare[] {
  const byLabel = Map.groupBy(lists.flat(), ({ label }) => label);
  const rows = [...byLabel].map(([label, parts]) => {
    const sum = (key: "count" | "milliseconds" | "flops" | "bytes") =>
      parts.reduce((total, part) => total + part[key], 0);
    return {
      label,
      count: sum("count"),
      milliseconds: sum("milliseconds"),
      flops: sum("flops"),
      bytes: sum("bytes"),
    };
  });
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}
