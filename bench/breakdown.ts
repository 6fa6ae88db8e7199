/** Which kernels the time of a program goes to. */
import { Graph } from "../src/core/graph";
import { capabilities } from "../src/gpu/capabilities";
import type { Memory } from "../src/gpu/memory";
import { profile } from "../src/gpu/profile";
import { Program } from "../src/gpu/program";
import { totalCost } from "./cost";
import type { KernelShare } from "./report/schema";
import { keyOf } from "./rows";
import { median, type Stopwatch, stepsOf } from "./timing";

/** Repetitions of each distinct step where there are no timestamps. */
const REPETITIONS = 3;

/** Milliseconds by label, slowest first: from timestamps around every dispatch of one run. */
async function stamped(memory: Memory, program: Program): Promise<Map<string, number>> {
  const rows = await profile(memory, program);
  return new Map(rows.map(({ label, milliseconds }) => [label, milliseconds]));
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

/** A program of the same dispatches, in place of one that has been destroyed. */
export function compileAgain(memory: Memory, { dispatches, name }: Program): Promise<Program> {
  const g = new Graph(capabilities(memory.device));
  g.dispatches.push(...dispatches);
  return Program.compile(memory, g, name);
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
