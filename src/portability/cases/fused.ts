/**
 * Kernels as they run in a network: their inputs come unwritten after a normalisation, and they leave
 * moments for the next one. The problems are those that a recorded U-Net picks variants for, and wider
 * ones of each kind. Each runs by the op's own trial (src/tune/trial.ts), in every variant.
 */
import { ops } from "../../../kernels/index";
import { Graph, storagesOf } from "../../core/graph";
import type { Capabilities } from "../../core/kernel";
import type { Op } from "../../core/op";
import { Philox } from "../../core/random";
import { state, storageOf } from "../../core/tensor";
import { type Problem, problemKey, type Variant } from "../../core/variant";
import { Program } from "../../gpu/program";
import type { Lookup } from "../../reference/element";
import { fillWith, noiseAt, writeRepeated } from "../../tune/noise";
import type { Trial } from "../../tune/trial";
import { trialsOf } from "../../tune/trials/index";
import type { CaseList, Outcome, PortabilityCase } from "../case";
import { packExpected, stepByStep } from "../dissect";
import { type Comparison, compare, type Expected } from "../op_checks";
import { POISON, type Rig, readAll } from "../op_run";
import type { Dissection } from "../packed";
import { shuffle } from "../shuffled_grid";
import { whyNot } from "../support";
import { decode, wordCount } from "../tensor_words";
import { asOnGpu, isOtherWork } from "./as_on_gpu";
import { networkGraph } from "./network";

interface Subject {
  readonly op: Op<never>;
  readonly pick: string;
  readonly trial: Trial;
  readonly problem: Problem;
  readonly variant: string;
  readonly way?: "as_on_gpu" | "shuffled";
}

const POISONED = new Uint32Array(2 ** 16).fill(POISON);
/** Elements of each output that float64 computes, corners among them. */
const SAMPLES = 400;
/**
 * Across the edges of tiles along every axis: the widest tiles are 32 × 8 × 4 voxels. Rows of whole
 * vectors, and rows that are none.
 */
const WIDE: readonly Problem[] = [
  { N: 1, D: 5, H: 9, W: 36 },
  { N: 1, D: 5, H: 9, W: 37 },
];
/** The last is for the widest problem alone. */
const WAYS = [undefined, "as_on_gpu", "shuffled"] as const;
const SIZES = ["N", "C", "CIN", "COUT", "D", "H", "W"];

export function fusedCases(caps: Capabilities, seed: number): CaseList {
  const cases: PortabilityCase[] = [];
  const skipped: { row: string; reason: string }[] = [];
  const problems = problemsOf(caps);
  for (const op of Object.values(ops) as unknown as Op<never>[]) {
    for (const [pick, trial] of Object.entries(trialsOf(op))) {
      for (const variant of op.variants?.[pick] ?? []) {
        const row = `${pick}.fused/${variant.name}`;
        if (variant.f16 === "only") continue; // what a network picks for is float32 here
        if (!variant.supported(caps)) skipped.push({ row, reason: whyNot(variant, caps) });
        else
          cases.push(...rowOf(row, { op, pick, trial }, variant, problems.get(pick) ?? [], seed));
      }
    }
  }
  shortenShuffled(cases, caps);
  return { cases, skipped };
}

/** Of the shuffled cases, the short form has the first that launches a kernel. */
function shortenShuffled(cases: readonly PortabilityCase[], caps: Capabilities): void {
  const launched = new Set<string>();
  for (const c of cases.filter(({ way }) => way === "shuffled")) {
    const names = (c.outline?.(caps)?.dispatches ?? []).map(({ kernel }) => kernel.name);
    c.short = names.some((name) => !launched.has(name));
    for (const name of names) launched.add(name);
  }
}

/** Every problem that the network picks a variant for, by the name of the pick. */
function problemsOf(caps: Capabilities): Map<string, Problem[]> {
  const found = new Map<string, Map<string, Problem>>();
  for (const { op, problem } of networkGraph(caps).picks) {
    const known = found.get(op) ?? new Map<string, Problem>();
    found.set(op, known.set(problemKey(op, problem), problem));
  }
  return new Map(
    [...found].map(([op, problems]) => {
      const all = [...problems.values()];
      return [op, [...wider(all), ...all]];
    }),
  );
}

/** What a problem is but for its sizes: kernel, neighbours, precision. */
const kindOf = (problem: Problem) =>
  Object.entries(problem).filter(([name]) => !SIZES.includes(name));
const neighbours = (problem: Problem) => kindOf(problem).reduce((sum, [, value]) => sum + value, 0);

/** One of each kind in the wide sizes, the kinds with the most neighbours first. */
function wider(problems: readonly Problem[]): Problem[] {
  const kinds = new Map(
    problems.map((p) => [JSON.stringify(kindOf(p)), p]).reverse() as [string, Problem][],
  );
  const sorted = [...kinds.values()].sort((a, b) => neighbours(b) - neighbours(a));
  return sorted.flatMap((problem) => WIDE.map((size) => ({ ...problem, ...size })));
}

function rowOf(
  row: string,
  subject: Pick<Subject, "op" | "pick" | "trial">,
  { name: variant, fits }: Variant,
  problems: readonly Problem[],
  seed: number,
): PortabilityCase[] {
  const able = problems.filter((problem) => fits?.(problem) ?? true);
  return able.flatMap((problem, i) =>
    (i === 0 ? WAYS : WAYS.slice(0, 2)).map((way) => {
      const all = { ...subject, problem, variant, way };
      const sizes = Object.entries(problem).filter(([, size]) => size > 0);
      const name = sizes.map(([name, size]) => `${name}${size}`).join("_");
      return {
        ...{ row, seed, name: way ? `${name}_${way}` : name, way },
        problem: `${subject.pick} ${name}`,
        short: i === 0,
        outline: (caps: Capabilities) => record(caps, all)?.g,
        dissect: (rig: Rig) => takeApart(rig, all, seed),
        run: (rig: Rig) => run(rig, all, seed),
      };
    }),
  );
}

/** Undefined where the variant cannot do the problem, or the other way is the same work. */
function record(caps: Capabilities, subject: Subject) {
  const own = recordWith(caps, { [subject.pick]: subject.variant }, subject);
  if (!own || !subject.way) return own;
  if (subject.way === "as_on_gpu" && caps.kind === "hardware") return undefined;
  const { caps: gpu, variants } = asOnGpu(own.g);
  const split = recordWith(gpu, variants, subject);
  if (subject.way === "shuffled") return split && shuffle(split.g) && split;
  return split && isOtherWork(split.g, own.g) ? split : undefined;
}

function recordWith(
  caps: Capabilities,
  variants: Readonly<Record<string, string>>,
  { op, pick, trial, problem, variant }: Subject,
) {
  const g = new Graph(caps, { variants });
  const made = Object.entries(trial.inputs(problem));
  const inputs = Object.fromEntries(made.map(([name, shape]) => [name, state(name, shape)]));
  const outputs = trial.record(g, op, inputs, problem);
  const picks = g.picks.filter((picked) => picked.op === pick);
  return picks.every(({ chosen }) => chosen === variant) ? { g, inputs, outputs } : undefined;
}

/** The place of input `k` in the noise, which repeats after a million numbers. */
const shiftOf = (k: number, seed: number) => (104729 * k + 7919 * seed) % 1e6;

/** Compiled; what is then filled, run and read is up to the caller, who releases it. */
async function prepare(rig: Rig, subject: Subject, seed: number) {
  const recorded = record(rig.caps, subject);
  if (!recorded) throw new Error(`${subject.variant} cannot do these sizes`);
  const { g, inputs, outputs } = recorded;
  const { memory } = rig;
  const storages = storagesOf(g.dispatches);
  const temps = storages.filter((t) => t.kind === "temp");
  const program = await Program.compile(memory, g, subject.pick, temps);
  const filled = Object.entries(inputs).map(([name, t], k) => {
    const fill = subject.trial.fill?.[name] ?? ((random: number) => random);
    return { name, t, fill, shift: shiftOf(k, seed) };
  });
  return {
    ...{ graph: g, program, storages, outputs },
    /** The inputs, element by element. */
    values: Object.fromEntries(
      filled.map(({ name, t, fill, shift }) => [name, noiseAt(fill, shift, t.dtype)]),
    ),
    fill() {
      for (const buffer of storages.map((t) => program.bufferOf(t))) {
        writeRepeated(memory, buffer, POISONED, buffer.size / 4);
      }
      for (const { t, fill, shift } of filled) fillWith(memory, t, fill, shift);
    },
    async read() {
      const words = await readAll(
        rig.device,
        storages.map((t) => program.bufferOf(t)),
      );
      return new Map(storages.map((t, i) => [t.id, words[i]!]));
    },
    release() {
      program.destroy();
      for (const t of Object.values(inputs)) memory.release(t);
    },
  };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

async function run(rig: Rig, subject: Subject, seed: number): Promise<Outcome> {
  const prepared = await prepare(rig, subject, seed);
  prepared.fill();
  prepared.program.run();
  const words = await prepared.read();
  const samples = samplesOf(subject, prepared, words);
  prepared.release();
  return {
    worst: Math.max(0, ...samples.map(({ comparison }) => comparison.worst)),
    faults: faultsOf(samples, prepared, words),
  };
}

/** Words by the id of their storage. */
type Words = ReadonlyMap<number, Uint32Array>;

/** Samples that are off, and what was written after the end of a buffer. */
function faultsOf(samples: readonly Samples[], { storages }: Prepared, words: Words): string[] {
  const strays = storages.flatMap((t) => {
    const own = words.get(t.id)!;
    const stray = own.findIndex((word, i) => i >= wordCount(t) && word !== POISON);
    return stray < 0 ? [] : [`${t.name}: word ${stray} of ${wordCount(t)} was written`];
  });
  return [...samples.flatMap(({ comparison }) => comparison.fault ?? []), ...strays];
}

async function takeApart(rig: Rig, subject: Subject, seed: number): Promise<Dissection> {
  const prepared = await prepare(rig, subject, seed);
  let words: Words = new Map();
  const read = async () => {
    words = await prepared.read();
    return words;
  };
  const steps = await stepByStep(rig, { ...prepared, read });
  const samples = samplesOf(subject, prepared, words);
  prepared.release();
  return {
    ...steps,
    // What follows from other outputs follows from those of another driver in a replay.
    expected: samples
      .filter(({ name }) => !subject.trial.derived?.includes(name))
      .map(({ at, ...e }) => packExpected(prepared.storages, e, at)),
    faults: faultsOf(samples, prepared, words),
  };
}

interface Samples extends Expected {
  /** Elements of the tensor: `values` and `bounds` are theirs. */
  readonly at: readonly number[];
  readonly comparison: Comparison;
}

/** Some elements of every output. What is NaN anywhere is wrong; the others are chosen, corners first. */
function samplesOf(
  { trial, problem }: Subject,
  { outputs, values: inputs }: Prepared,
  words: Words,
): Samples[] {
  const got = new Map<string, Float64Array>();
  for (const [name, t] of Object.entries(outputs)) {
    got.set(name, decode(words.get(storageOf(t).id)!, t));
  }
  const read = [...got].map(([name, array]) => [name, (i: number) => array[i]!] as const);
  const known: Record<string, Lookup> = { ...inputs, ...Object.fromEntries(read) };
  return [...got].map(([name, array]) => {
    const at = placesOf(array);
    const truths = at.map((i) => trial.exact(known, problem, name, i));
    const values = Float64Array.from(truths, ({ value }) => value);
    const bounds = Float64Array.from(truths, ({ bound }) => bound);
    const told = `${name} at [${at.slice(0, 3)}, …]`;
    const found = at.map((i) => array[i]!);
    const comparison = compare(told, [at.length], found, values, bounds);
    return { name, tensor: outputs[name]!, at, values, bounds, comparison };
  });
}

function placesOf(got: Float64Array): number[] {
  const rng = new Philox(got.length, 5);
  const places = new Set([0, got.length - 1]);
  const bad = got.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) places.add(bad);
  const wanted = Math.min(got.length, SAMPLES);
  while (places.size < wanted) places.add(rng.int(got.length));
  return [...places];
}
