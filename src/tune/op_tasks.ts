/** Turns the choices that graphs made into tasks of the tuner. */
import { totalCost } from "../core/cost";
import type { Graph } from "../core/graph";
import type { Capabilities } from "../core/kernel";
import type { Op } from "../core/op";
import { elements } from "../core/tensor";
import { type Picked, type Problem, problemKey } from "../core/variant";
import type { Device } from "../gpu/device";
import type { Memory } from "../gpu/memory";
import type { Stopwatch } from "../gpu/stopwatch";
import { keyOf, sourcesOf, type Task } from "./task";
import { Refused } from "./timing";
import type { Trial } from "./trial";
import { recordVariant, type Subject, TrialBench } from "./trial_bench";
import { trialsOf } from "./trials/index";

/** What one timed run should compute and read at most: a few milliseconds of a good kernel. */
const MOST: Readonly<Record<Capabilities["kind"], { flops: number; bytes: number }>> = {
  lavapipe: { flops: 5e8, bytes: 3e7 },
  swiftshader: { flops: 2.5e8, bytes: 3e7 },
  hardware: { flops: 2e10, bytes: 5e8 },
};

interface Tunable {
  readonly op: Op<never>;
  readonly trial: Trial;
}

/** The tasks that the choices of graphs make, each once; a choice without alternative makes none. */
export async function opTasks(
  device: Device,
  ops: readonly Op<never>[],
  picks: readonly Picked[],
): Promise<Task[]> {
  const tunables = new Map<string, Tunable>();
  for (const op of ops) {
    for (const [pick, trial] of Object.entries(trialsOf(op))) tunables.set(pick, { op, trial });
  }
  const tasks = new Map<string, Task>();
  for (const { picked, count } of distinct(picks.map(worthTrying))) {
    const tunable = tunables.get(picked.op);
    if (!tunable || picked.candidates.length < 2) continue;
    const made = await taskOf(device, tunable, picked, count);
    const found = tasks.get(made.key);
    if (found) {
      found.problems.push(picked.problem);
      found.weight += made.weight;
    } else tasks.set(made.key, made);
  }
  return [...tasks.values()];
}

function worthTrying(picked: Picked): Picked {
  const candidates = picked.candidates.filter((name) => !picked.slow.includes(name));
  return { ...picked, candidates };
}

function distinct(picks: readonly Picked[]): { readonly picked: Picked; readonly count: number }[] {
  const found = new Map<string, { picked: Picked; count: number }>();
  for (const picked of picks) {
    const key = [problemKey(picked.op, picked.problem), ...picked.candidates].join();
    const before = found.get(key);
    if (before) before.count++;
    else found.set(key, { picked, count: 1 });
  }
  return [...found.values()];
}

async function taskOf(
  device: Device,
  { op, trial }: Tunable,
  { op: pick, problem, candidates }: Picked,
  count: number,
): Promise<Task> {
  const whole = { op, pick, trial, problem };
  const load = loadOf(whole, recordVariant(device, whole, candidates[0]!).g);
  const subject = { ...whole, problem: reduced(problem, trial.batch, load) };
  const sources = candidates.map((name) => sourceOf(device, subject, name));
  const label = labelOf(pick, subject.problem);
  return {
    op: pick,
    label,
    candidates,
    key: await keyOf(device, label, candidates, sources),
    weight: count * load,
    problems: [problem],
    batch: trial.batch,
    open(memory: Memory, stopwatch: Stopwatch) {
      const bench = new TrialBench(memory, stopwatch, subject);
      return {
        candidates: candidates.map((name) => bench.candidate(name)),
        release: () => bench.release(),
      };
    },
  };
}

/** For people: what is 0 is left out. */
function labelOf(pick: string, problem: Problem): string {
  return problemKey(pick, Object.fromEntries(Object.entries(problem).filter(([, size]) => size)));
}

/** What a candidate runs, for the key; null where it cannot do the smaller batch. */
function sourceOf(device: Device, subject: Subject, name: string): unknown {
  try {
    return sourcesOf(recordVariant(device, subject, name).g);
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

/** How much a run is, in the most that one timed run should be; proportional to the batch. */
function loadOf({ trial, problem }: Subject, { caps, dispatches }: Graph): number {
  const most = MOST[caps.kind];
  const inputs = Object.values(trial.inputs(problem)).map((shape) => 4 * elements(shape));
  const bytes = inputs.reduce((sum, n) => sum + n, 0);
  return Math.max(totalCost(dispatches).flops / most.flops, bytes / most.bytes);
}

/**
 * The problem with a batch that is a power of two, smaller where a run would take long: batches that
 * differ little make one task.
 */
function reduced(problem: Problem, batch: string | undefined, load: number): Problem {
  if (batch === undefined) return problem;
  const fits = problem[batch]! / Math.max(1, load);
  return { ...problem, [batch]: 2 ** Math.max(0, Math.floor(Math.log2(fits))) };
}
