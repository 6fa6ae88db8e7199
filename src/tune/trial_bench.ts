/** One problem of an op on the device: the inputs that its variants share, and each one's program. */
import { Graph, storagesOf } from "../core/graph";
import type { Op, Tensors } from "../core/op";
import { elements, state } from "../core/tensor";
import { type Problem, problemKey } from "../core/variant";
import { capabilities } from "../gpu/capabilities";
import type { Device } from "../gpu/device";
import type { Memory } from "../gpu/memory";
import { Program } from "../gpu/program";
import { type Stopwatch, stepsOf } from "../gpu/stopwatch";
import type { Lookup } from "../reference/element";
import { fillWith, noiseAt, writeRepeated } from "./noise";
import { type Candidate, Refused, type StartedCandidate } from "./timing";
import type { Trial } from "./trial";
import { Verifier } from "./verifier";

/** A NaN with a mark: what a kernel forgets to write shows. */
const POISON = new Uint32Array(2 ** 20).fill(0x7fc0dead);
/** Between the beginnings of the inputs in the noise. */
const SHIFT = 104729;

/** The inputs of a trial as tensors that need no device until they are filled. */
export function inputsOf(trial: Trial, problem: Problem): Tensors {
  const halves = trial.halves?.(problem) ?? [];
  const made = Object.entries(trial.inputs(problem)).map(([name, shape]) => {
    return [name, state(name, shape, halves.includes(name) ? "f16" : "f32")] as const;
  });
  return Object.fromEntries(made);
}

/** A trial of the variants that an op picks by the name `pick`, and the problem. */
export interface Subject {
  readonly op: Op<never>;
  readonly pick: string;
  readonly trial: Trial;
  readonly problem: Problem;
}

/**
 * The op with one of its variants, recorded and not run.
 * @throws Refused where the variant cannot do the problem
 */
export function recordVariant(
  device: Device,
  { op, pick, trial, problem }: Subject,
  variant: string,
  inputs: Tensors = inputsOf(trial, problem),
): { g: Graph; outputs: Tensors } {
  const g = new Graph(capabilities(device), { variants: { [pick]: variant } });
  const outputs = trial.record(g, op, inputs, problem);
  const picks = g.picks.filter((picked) => picked.op === pick);
  const wanted = problemKey(pick, problem);
  if (!picks.some((picked) => problemKey(pick, picked.problem) === wanted)) {
    const made = picks.map((picked) => problemKey(pick, picked.problem)).join("; ");
    throw new Error(`the trial of ${wanted} records ${made || "no such choice"}`);
  }
  if (!picks.every(({ chosen }) => chosen === variant)) throw new Refused("cannot do these sizes");
  return { g, outputs };
}

/** What a driver does not take, or what fails, is out; a lost device is an error. */
export async function orRefused<T>({ device }: Memory, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    device.takeErrors();
    device.check();
    throw new Refused(`does not run: ${(error as Error).message.split("\n")[0]}`);
  }
}

export class TrialBench {
  private readonly inputs: Tensors;
  private readonly verifier: Verifier;

  constructor(
    private readonly memory: Memory,
    private readonly stopwatch: Stopwatch,
    private readonly subject: Subject,
  ) {
    const { trial, problem } = subject;
    this.inputs = inputsOf(trial, problem);
    const values: Record<string, Lookup> = {};
    for (const [k, [name, t]] of Object.entries(this.inputs).entries()) {
      const given = trial.fill?.[name] ?? ((random: number) => random);
      const rounded = trial.rounds?.(problem).includes(name);
      const fill = rounded ? (random: number) => Math.f16round(given(random)) : given;
      fillWith(memory, t, fill, k * SHIFT);
      values[name] = noiseAt(fill, k * SHIFT, t.dtype);
    }
    this.verifier = new Verifier((output, i, outputs) => {
      const made = [...outputs].map(([name, array]) => [name, (k: number) => array[k]!] as const);
      const all = { ...Object.fromEntries(made), ...values };
      return trial.exact(all, problem, output, i);
    }, trial.derived);
  }

  candidate(variant: string): Candidate {
    return { name: variant, start: () => this.start(variant) };
  }

  private async start(variant: string): Promise<StartedCandidate> {
    const { memory, stopwatch, subject, inputs } = this;
    const { g, outputs } = recordVariant(memory.device, subject, variant, inputs);
    const keep = Object.values(outputs);
    const program = await orRefused(memory, () => Program.compile(memory, g, variant, keep));
    try {
      const values = await orRefused(memory, () => this.read(g, program, outputs));
      const reason = this.verifier.judge(variant, values);
      if (reason !== undefined) throw new Refused(reason);
    } catch (error) {
      program.destroy();
      throw error;
    }
    const work = stepsOf(program);
    return {
      time: (times) => stopwatch.time(work, times),
      timesFor: (milliseconds) => stopwatch.timesFor(work, milliseconds),
      wrong: () => this.verifier.overruling(variant),
      release: () => program.destroy(),
    };
  }

  /** Runs the program once on poisoned memory. */
  private async read(
    g: Graph,
    program: Program,
    outputs: Tensors,
  ): Promise<Map<string, Float32Array>> {
    const { memory } = this;
    const temporary = storagesOf(g.dispatches).filter((t) => t.kind === "temp");
    for (const buffer of new Set(temporary.map((t) => program.bufferOf(t)))) {
      writeRepeated(memory, buffer, POISON, buffer.size / 4);
    }
    program.run();
    const read = new Map<string, Float32Array>();
    for (const [name, t] of Object.entries(outputs)) {
      const bytes = await memory.read(t, program.bufferOf(t));
      const half = t.dtype === "f16";
      const values = half ? new Float32Array(new Float16Array(bytes)) : new Float32Array(bytes);
      read.set(name, values.subarray(0, elements(t.shape)));
    }
    return read;
  }

  release(): void {
    for (const t of Object.values(this.inputs)) this.memory.release(t);
  }
}
