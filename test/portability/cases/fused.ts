/**
 * Kernels as they run in a network, where what a normalisation makes of their inputs comes unwritten,
 * and they leave moments for the next one: the problems that a recorded U-Net picks variants for, each
 * by the op's own trial (src/core/trial.ts), in every variant.
 */
import { ops } from "../../../kernels/index";
import { Graph, storagesOf } from "../../../src/core/graph";
import type { Capabilities } from "../../../src/core/kernel";
import type { Op, Tensors } from "../../../src/core/op";
import { Philox } from "../../../src/core/random";
import { elements, state } from "../../../src/core/tensor";
import type { Exact, Trial, Values } from "../../../src/core/trial";
import { type Problem, problemKey, type Variant } from "../../../src/core/variant";
import { Program } from "../../../src/gpu/program";
import { fillWith, noiseAt, writeRepeated } from "../../../src/tune/noise";
import { type Comparison, compare } from "../../op_checks";
import type { Rig } from "../../op_run";
import type { CaseList, Outcome, PortabilityCase } from "../case";
import { whyNot } from "../support";
import { networkGraph } from "./network";

interface Subject {
  readonly op: Op<never>;
  readonly pick: string;
  readonly trial: Trial;
  readonly problem: Problem;
  readonly variant: string;
}

/** A NaN with a mark. */
const POISON = new Uint32Array(2 ** 16).fill(0x7fc0dead);
/** Elements of each output that float64 computes, corners among them. */
const SAMPLES = 400;
const SHORT = 1;

export function fusedCases(caps: Capabilities, seed: number): CaseList {
  const cases: PortabilityCase[] = [];
  const skipped: { row: string; reason: string }[] = [];
  const problems = problemsOf(caps);
  for (const op of Object.values(ops) as unknown as Op<never>[]) {
    for (const [pick, trial] of Object.entries(op.trials ?? {})) {
      for (const variant of op.variants?.[pick] ?? []) {
        const row = `${pick}.fused/${variant.name}`;
        if (variant.f16 === "only") continue; // what a network picks for is float32 here
        if (!variant.supported(caps)) skipped.push({ row, reason: whyNot(variant, caps) });
        else
          cases.push(...rowOf(row, { op, pick, trial }, variant, problems.get(pick) ?? [], seed));
      }
    }
  }
  return { cases, skipped };
}

/** Every problem that the network picks a variant for, by the name of the pick. */
function problemsOf(caps: Capabilities): Map<string, Problem[]> {
  const found = new Map<string, Map<string, Problem>>();
  for (const { op, problem } of networkGraph(caps).picks) {
    const known = found.get(op) ?? new Map<string, Problem>();
    found.set(op, known.set(problemKey(op, problem), problem));
  }
  return new Map([...found].map(([op, problems]) => [op, [...problems.values()]]));
}

function rowOf(
  row: string,
  subject: Pick<Subject, "op" | "pick" | "trial">,
  { name: variant, fits }: Variant,
  problems: readonly Problem[],
  seed: number,
): PortabilityCase[] {
  const able = problems.filter((problem) => fits?.(problem) ?? true);
  return able.map((problem, i) => {
    const all = { ...subject, problem, variant };
    const sizes = Object.entries(problem).filter(([, size]) => size > 0);
    return {
      ...{ row, seed, name: sizes.map(([name, size]) => `${name}${size}`).join("_") },
      short: i < SHORT,
      outline: (caps: Capabilities) => record(caps, all)?.g,
      run: (rig: Rig) => run(rig, all, seed),
    };
  });
}

function record(caps: Capabilities, { op, pick, trial, problem, variant }: Subject) {
  const g = new Graph(caps, { variants: { [pick]: variant } });
  const made = Object.entries(trial.inputs(problem));
  const inputs = Object.fromEntries(made.map(([name, shape]) => [name, state(name, shape)]));
  const outputs = trial.record(g, op, inputs, problem);
  const picks = g.picks.filter((picked) => picked.op === pick);
  return picks.every(({ chosen }) => chosen === variant) ? { g, inputs, outputs } : undefined;
}

/** Where input `k` begins in the noise, which repeats after a million numbers. */
const shiftOf = (k: number, seed: number) => (104729 * k + 7919 * seed) % 1e6;

async function run(rig: Rig, subject: Subject, seed: number): Promise<Outcome> {
  const recorded = record(rig.caps, subject);
  if (!recorded) throw new Error(`${subject.variant} cannot do these sizes`);
  const { g, inputs, outputs } = recorded;
  const { memory } = rig;
  const values: Record<string, Values[string]> = {};
  for (const [k, [name, t]] of Object.entries(inputs).entries()) {
    const fill = subject.trial.fill?.[name] ?? ((random: number) => random);
    const shift = shiftOf(k, seed);
    fillWith(memory, t, fill, shift);
    values[name] = noiseAt(fill, shift, t.dtype);
  }
  const temps = storagesOf(g.dispatches).filter((t) => t.kind === "temp");
  const program = await Program.compile(memory, g, subject.pick, temps);
  for (const t of temps) {
    const buffer = program.bufferOf(t);
    writeRepeated(memory, buffer, POISON, buffer.size / 4);
  }
  program.run();
  const got = await readAll(rig, program, outputs);
  program.destroy();
  for (const t of Object.values(inputs)) memory.release(t);
  const read = [...got].map(([name, array]) => [name, (i: number) => array[i]!] as const);
  const all = { ...values, ...Object.fromEntries(read) };
  const compared = [...got].map(([name, array]) => {
    const exact = (i: number) => subject.trial.exact(all, subject.problem, name, i);
    return compareSamples(name, array, exact);
  });
  return {
    worst: Math.max(0, ...compared.map(({ worst }) => worst)),
    faults: compared.flatMap(({ fault }) => fault ?? []),
  };
}

async function readAll({ memory }: Rig, program: Program, outputs: Tensors) {
  const got = new Map<string, Float32Array>();
  for (const [name, t] of Object.entries(outputs)) {
    const values = await memory.readF32(t, program.bufferOf(t));
    got.set(name, values.subarray(0, elements(t.shape)));
  }
  return got;
}

/** What is NaN anywhere is wrong; beyond that some elements are compared, corners first. */
function compareSamples(name: string, got: Float32Array, exact: (i: number) => Exact): Comparison {
  const rng = new Philox(got.length, 5);
  const places = new Set([0, got.length - 1]);
  const bad = got.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) places.add(bad);
  const wanted = Math.min(got.length, SAMPLES);
  while (places.size < wanted) places.add(rng.int(got.length));
  const at = [...places];
  const truths = at.map(exact);
  return compare(
    `${name} at [${at.slice(0, 3)}, …]`,
    [at.length],
    at.map((i) => got[i]!),
    truths.map(({ value }) => value),
    truths.map(({ bound }) => bound),
  );
}
