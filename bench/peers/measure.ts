/** One work on voxgrad and on a peer: compared first, then timed in turns. */
import { readSafetensors } from "../../src/data/safetensors_file";
import { type Comparison, compare } from "./compare";
import type { EngineProcess } from "./process";
import type { MemoryUse, Prepared, PrepareRequest, Timed, Unavailable, Variant } from "./protocol";

/** A sample repeats a work until it takes about this long: waiting costs a millisecond. */
const SAMPLE_MS = 150;
const TURNS = { fewest: 3, most: 9 };

export interface Timing {
  /** Median time of a run and half the distance of the quartiles, milliseconds. */
  readonly ms: number;
  readonly spread: number;
}

/** The outcome of one work on one variant of a peer. */
export interface Outcome {
  readonly status: "timed" | "wrong" | "unavailable" | "failed";
  /** Why there are no times. */
  readonly reason?: string;
  /** What the peer replaced by what. */
  readonly note?: string;
  readonly comparison?: Comparison;
  readonly peer?: Timing;
  /** voxgrad in the same turns. */
  readonly ours?: Timing;
  readonly memory?: MemoryUse;
}

/** Holds the machine for a measurement; see lock.ts. */
export type Hold = <T>(body: () => Promise<T>) => Promise<T>;

/** A prepared work of voxgrad: results lie in `outputs`. */
export interface Reference {
  readonly engine: EngineProcess;
  readonly outputs: string;
}

/** Prepares a work. @throws Error when the engine fails or cannot do it */
export async function prepare(engine: EngineProcess, request: PrepareRequest): Promise<Prepared> {
  const prepared = await engine.ask<Prepared>(request);
  if ("unavailable" in prepared) throw new Error(prepared.unavailable);
  return prepared;
}

/** Compares and, if the results agree, times a work. */
export async function measure(
  reference: Reference,
  peer: EngineProcess,
  request: PrepareRequest,
  variant: Variant,
  seconds: number,
  hold: Hold,
): Promise<Outcome> {
  try {
    const prepared = await hold(() => peer.ask<Prepared>(request));
    if ("unavailable" in prepared) return { status: "unavailable", reason: prepared.unavailable };
    const { note } = prepared;
    const [ours, theirs] = [reference.outputs, request.outputs].map((p) => readSafetensors(p));
    const comparison = compare(ours!.tensors, theirs!.tensors, variant.reduced);
    const { worst, deviation, allowed, fault } = comparison;
    if (deviation > allowed) {
      const off = fault ?? `deviates by ${deviation.toExponential(1)}, allowed ${allowed}`;
      return { status: "wrong", reason: `${worst}: ${off}`, note, comparison };
    }
    const times = await takeTurns(reference.engine, peer, seconds, hold);
    const memory = await hold(() => peer.ask<MemoryUse>({ do: "memory" }));
    return { status: "timed", note, comparison, ...times, memory: memory as MemoryUse };
  } catch (error) {
    return { status: "failed", reason: firstLine(error) };
  } finally {
    if (peer.alive) await peer.ask({ do: "release" }).catch(() => {});
  }
}

/** The telling line of an error: Python puts it last, a stack of JavaScript first. */
function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return (lines[0]?.startsWith("Traceback") ? lines.at(-1) : lines[0]) ?? "no reason given";
}

/** ours, peer, ours, peer, …: a drift of the machine reaches both alike. */
async function takeTurns(
  ours: EngineProcess,
  peer: EngineProcess,
  seconds: number,
  hold: Hold,
): Promise<{ ours: Timing; peer: Timing }> {
  const both = [ours, peer];
  const warm = await hold(() => inOrder(both, (engine) => run(engine, 1)));
  const counts = warm.map((ms) => Math.max(1, Math.ceil(SAMPLE_MS / ms)));
  // Both ran once when they were compared: a long first run is as good as any other.
  const samples: [number[], number[]] = [[], []];
  if (counts.every((count) => count === 1))
    for (const i of [0, 1] as const) samples[i].push(warm[i]!);
  const start = performance.now();
  const elapsed = () => (performance.now() - start) / 1000;
  while (samples[0].length < TURNS.most) {
    if (samples[0].length >= TURNS.fewest && elapsed() > seconds) break;
    const times = await hold(() => inOrder(both, (engine, i) => run(engine, counts[i]!)));
    for (const i of [0, 1] as const) samples[i].push(times[i]!);
  }
  return { ours: timing(samples[0]), peer: timing(samples[1]) };
}

async function inOrder<T, R>(items: readonly T[], call: (item: T, i: number) => Promise<R>) {
  const results: R[] = [];
  for (const [i, item] of items.entries()) results.push(await call(item, i));
  return results;
}

async function run(engine: EngineProcess, count: number): Promise<number> {
  const timed: Timed | Unavailable = await engine.ask<Timed>({ do: "run", count });
  if ("unavailable" in timed) throw new Error(timed.unavailable);
  return timed.ms;
}

/** Median and half the distance of the quartiles. */
export function timing(samples: readonly number[]): Timing {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.round(q * (sorted.length - 1))]!;
  return { ms: at(0.5), spread: (at(0.75) - at(0.25)) / 2 };
}
