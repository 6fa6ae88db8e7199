/** Checks one run of an op: values, gradients, repeatability, nothing else written. */
import type { Shape, Tensor } from "../core/tensor";
import { showShape, storageOf } from "../core/tensor";
import type { Values } from "../reference/reference";
import type { OpGraph, Readback, Trial } from "./op_run";
import { copy } from "./op_run";
import { wordCount, wordsOf } from "./tensor_words";

/** The outcome of one run of an op. */
export interface Verdict {
  /** One line for each thing that is wrong; empty when all is well. */
  readonly faults: readonly string[];
  /** The largest error, in units of its bound; infinite where nothing may differ and something does. */
  readonly worst: number;
}

export function faultsOf(recorded: OpGraph, result: Readback): readonly string[] {
  return judge(recorded, result).faults;
}

export function judge(recorded: OpGraph, result: Readback): Verdict {
  const compared = expectationsOf(recorded).map(({ name, tensor, values, bounds }) =>
    compare(name, tensor.shape, result.values(tensor), values, bounds),
  );
  const faults = [
    ...compared.flatMap(({ fault }) => fault ?? []),
    ...repeatFaults(recorded, result),
    ...strayWrites(recorded, result),
  ];
  return { faults, worst: Math.max(0, ...compared.map(({ worst }) => worst)) };
}

/** The right values of a tensor, and the error that each may have. */
export interface Expected {
  readonly name: string;
  readonly tensor: Tensor;
  readonly values: Float64Array;
  readonly bounds: Float64Array;
}

/** Of every output and of every gradient that was asked for. */
export function expectationsOf(recorded: OpGraph): Expected[] {
  return [...expectedOutputs(recorded), ...expectedGradients(recorded)];
}

function expectedOutputs({ trial, inputs, applications }: OpGraph): Expected[] {
  const { outputs } = applications[0]!;
  const mutated = trial.reference.op.mutates ?? [];
  const tensors: [string, Tensor][] = Object.entries(outputs);
  for (const name of mutated) tensors.push([name, inputs[name]!]);
  return tensors.map(([name, tensor]) => {
    const values = trial.outputs[name];
    if (!values) throw new Error(`${name}: the reference does not give it`);
    return { name, tensor, values, bounds: rounded(tensor, values, boundOf(trial, name)) };
  });
}

function expectedGradients(recorded: OpGraph): Expected[] {
  const { trial, applications, parameterGradients, wanted } = recorded;
  return wanted.map((of) => {
    const name = `d${of}`;
    const values = trial.gradients[of];
    if (!values) throw new Error(`${name}: the reference does not give it`);
    const bound = boundOf(trial, name, copy(trial.dys));
    const sum = parameterGradients[of];
    if (sum) {
      // Applied twice, the gradient of a parameter is there twice; their sum is rounded once more.
      const times = applications.length;
      const total = values.map((v) => times * v);
      const bounds = at(bound, (b, i) => times * b + 2 ** -24 * Math.abs(total[i]!));
      return { name, tensor: sum, values: total, bounds: bounds(total.length) };
    }
    const tensor = applications[0]!.gradients[of];
    if (!tensor) throw new Error(`${name}: the op gave no gradient, the reference has one`);
    return { name, tensor, values, bounds: rounded(tensor, values, bound) };
  });
}

/** A tensor beside what it should be. */
export interface Comparison {
  readonly worst: number;
  readonly fault?: string;
}

const missing = (fault: string): Comparison => ({ worst: Number.POSITIVE_INFINITY, fault });

/** The second application must give the same bits. */
function repeatFaults({ applications, parameterGradients }: OpGraph, result: Readback): string[] {
  const [first, second] = applications;
  if (!second) return [];
  const faults: string[] = [];
  for (const kind of ["outputs", "gradients"] as const) {
    for (const [name, t] of Object.entries(first![kind])) {
      if (kind === "gradients" && parameterGradients[name]) continue;
      const [a, b] = [result.values(t), result.values(second[kind][name]!)];
      const differing = a.filter((v, i) => !Object.is(v, b[i])).length;
      if (differing > 0) faults.push(`${kind} ${name}: ${differing} elements differ when repeated`);
    }
  }
  return faults;
}

/** Words that are neither output, nor gradient, nor an op's own temporary must keep their bits. */
function strayWrites(recorded: OpGraph, result: Readback): string[] {
  const { trial, inputs, applications, parameterGradients } = recorded;
  const mutated = (trial.reference.op.mutates ?? []).map((name) => inputs[name]!);
  const outputs = applications.flatMap((a) => Object.values(a.outputs));
  return result.storages.flatMap((storage) => {
    const inside = (t: Tensor) => storageOf(t).id === storage.id;
    const views = outputs.filter((t) => t.channels && inside(t));
    const written =
      storage.kind === "state"
        ? [...mutated, ...Object.values(parameterGradients)].filter(inside)
        : views;
    const [before, after] = [result.before.get(storage.id)!, result.after.get(storage.id)!];
    const allowed = new Uint8Array(before.length);
    if (storage.kind === "temp" && views.length === 0) allowed.fill(1, 0, wordCount(storage));
    for (const t of written) for (const at of wordsOf(t)) allowed[at] = 1;
    const stray = before.findIndex((word, i) => word !== after[i] && !allowed[i]);
    if (stray < 0) return [];
    return [`${storage.name}: word ${stray} of ${wordCount(storage)} was written`];
  });
}

type Bound = Float64Array | number;
const bounds = new WeakMap<Trial, Map<string, Bound>>();

/** `dys` for bounds of gradients only. */
function boundOf(trial: Trial, name: string, dys?: Values): Bound {
  const { reference, case: c, inputs } = trial;
  const known = bounds.get(trial) ?? new Map<string, Bound>();
  bounds.set(trial, known);
  const found = known.get(name) ?? reference.bound(name, copy(inputs), c.inputs, c.attrs, dys);
  known.set(name, found);
  return found;
}

/** The bound of what is stored as f16 too, rounded up or down: WGSL leaves that to the driver. */
function rounded(t: Tensor, expected: Float64Array, bound: Bound): Float64Array {
  const half = (i: number) => 2 ** -10 * Math.abs(expected[i]!) + 2 ** -24;
  return at(bound, (b, i) => (t.dtype === "f16" ? b + half(i) : b))(expected.length);
}

function at(
  bound: Float64Array | number,
  map: (bound: number, i: number) => number,
): (length: number) => Float64Array {
  return (length) =>
    Float64Array.from({ length }, (_, i) => map(typeof bound === "number" ? bound : bound[i]!, i));
}

/** Compares every element; NaN agrees with NaN, and an infinity with itself, only. */
export function compare(
  name: string,
  shape: Shape,
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: ArrayLike<number> | number,
): Comparison {
  if (got.length !== expected.length) {
    return missing(`${name} (${showShape(shape)}): the reference has ${expected.length} elements`);
  }
  const allowed = (i: number) => (typeof bound === "number" ? bound : bound[i]!);
  let wrong = 0;
  let worst = -1;
  let worstRatio = 0;
  for (let i = 0; i < got.length; i++) {
    if (Object.is(got[i], expected[i]) || got[i] === expected[i]) continue;
    const error = Math.abs(got[i]! - expected[i]!);
    if (!(error <= allowed(i))) wrong++; // NaN too
    const ratio = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error / allowed(i);
    if (worst >= 0 && ratio <= worstRatio) continue;
    [worst, worstRatio] = [i, ratio];
  }
  if (wrong === 0) return { worst: worstRatio };
  const fault =
    `${name} (${showShape(shape)}): ${wrong} of ${got.length} elements are off, most of all ` +
    `[${indices(worst, shape)}] = ${got[worst]}, expected ${expected[worst]} ± ${allowed(worst)}`;
  return { worst: worstRatio, fault };
}

/** Position of a flat index in a shape, outermost first. */
function indices(flat: number, shape: Shape): string {
  const position: number[] = [];
  let rest = flat;
  for (const n of [...shape].reverse()) {
    position.unshift(rest % n);
    rest = Math.floor(rest / n);
  }
  return position.join(", ");
}

/** Elements of each input that are moved to check a reference's gradient. */
const SAMPLES = 5;
const STEP = 1e-6;

/** Checks the reference's own gradients by central differences of Σ dy · y. */
export function gradientFaultsOfReference(trial: Trial): string[] {
  const { reference, case: c, inputs, dys, gradients } = trial;
  const loss = (values: Values) => {
    const outputs = reference.forward(copy(values), c.inputs, c.attrs);
    let sum = 0;
    for (const [name, dy] of Object.entries(dys)) {
      for (const [i, d] of dy.entries()) sum += d * outputs[name]![i]!;
    }
    return sum;
  };
  return Object.entries(gradients).flatMap(([name, gradient]) => {
    const x = inputs[name]!;
    const largest = gradient.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    return Array.from({ length: Math.min(SAMPLES, x.length) }, (_, k) => {
      const i = Math.floor(((k + 0.5) * x.length) / Math.min(SAMPLES, x.length));
      const step = STEP * Math.max(1, Math.abs(x[i]!));
      const moved = (by: number) => loss({ ...inputs, [name]: x.with(i, x[i]! + by) });
      const numeric = (moved(step) - moved(-step)) / (2 * step);
      const allowed = 1e-5 * largest + 1e-7;
      if (Math.abs(numeric - gradient[i]!) <= allowed) return [];
      return [`reference d${name}[${i}] = ${gradient[i]}, by differences ${numeric}`];
    }).flat();
  });
}
