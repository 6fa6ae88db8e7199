/**
 * Facts for the report that WGSL leaves to the adapter or bounds loosely: denormals, NaN, fused
 * products, accesses past the end, conversion to f16, the functions that kernels call. Only a result
 * that WGSL forbids is a failure.
 */

import { halfValue, roundToHalf } from "../../core/half";
import { Philox } from "../../core/random";
import type { Device } from "../../gpu/device";
import { specialise } from "../../gpu/shader";
import type { Outcome, PortabilityCase } from "../case";
import { bytesOf, type Dissection, fromBase64, type Packed, toBase64 } from "../packed";
import arithmeticWgsl from "../probes/arithmetic.wgsl" with { type: "text" };
import boundsWgsl from "../probes/bounds.wgsl" with { type: "text" };
import functionsWgsl from "../probes/functions.wgsl" with { type: "text" };
import halvesWgsl from "../probes/halves.wgsl" with { type: "text" };
import { replay } from "../replay";

export function factCases(seed: number): PortabilityCase[] {
  const fact = (name: string, run: PortabilityCase["run"]): PortabilityCase => {
    return { row: `facts.${name}`, name: "this_adapter", seed, short: true, run };
  };
  return [
    fact("denormals", async ({ device }) => denormals(await arithmetic(device))),
    fact("nan", async ({ device }) => nan(await arithmetic(device))),
    fact("fma", async ({ device }) => fused(await arithmetic(device))),
    fact("out_of_bounds", ({ device }) => outOfBounds(device)),
    {
      ...fact("functions", ({ device }) => functions(device, seed)),
      dissect: ({ device }) => functionsApart(device, seed),
    },
    fact("f16_conversion", ({ device, caps }) =>
      caps.shaderF16
        ? halves(device)
        : Promise.resolve({ worst: 0, faults: [], skipped: "the adapter has no shader-f16" }),
    ),
  ];
}

const known = (note: string): Outcome => ({ worst: 0, faults: [], note });

/** A kernel on its buffers, of which the last is written. */
function probe(
  name: string,
  wgsl: string,
  buffers: readonly Uint32Array[],
  bound: readonly number[] = buffers.map((b) => b.byteLength),
  groups = 1,
): Packed {
  return {
    features: [],
    buffers: buffers.map((b, i) => ({
      name: `${name} ${i}`,
      type: "u32",
      data: toBase64(bytesOf(b)),
    })),
    dispatches: [
      {
        kernel: name,
        wgsl,
        workgroups: [groups, 1, 1],
        buffers: buffers.map((_, i) => i),
        ranges: bound.map((size) => [0, size] as const),
        access: buffers.map((_, i) => (i === buffers.length - 1 ? "read_write" : "read")),
        args: [],
      },
    ],
  };
}

/** The words of its buffers after a run. */
async function run(device: Device, packed: Packed): Promise<Uint32Array[]> {
  const words = await replay(device, packed);
  return words.map((text) => new Uint32Array(fromBase64(text).buffer));
}

const wordsOf = (values: readonly number[]) => new Uint32Array(Float32Array.from(values).buffer);

async function arithmetic(device: Device): Promise<Float32Array> {
  const inputs = [2 ** -140, 2 ** -100, 2 ** -30, Number.NaN, 1 + 2 ** -12, -(1 + 2 ** -11), 0, 1];
  const buffers = [wordsOf(inputs), new Uint32Array(8)];
  const all = await run(device, probe("arithmetic", arithmeticWgsl, buffers));
  return new Float32Array(all[1]!.buffer);
}

function denormals([copied, added, made]: Float32Array): Outcome {
  const word = (value: number | undefined) => (value === 0 ? "flushed" : "kept");
  return known(`copied: ${word(copied)}, added to 0: ${word(added)}, product: ${word(made)}`);
}

function nan([, , , largest, least, differs]: Float32Array): Outcome {
  const differing = differs === 1 ? "true" : "false";
  return known(`max(NaN, 0) = ${largest}, min(NaN, 0) = ${least}, NaN != NaN is ${differing}`);
}

function fused([, , , , , , fma, plain]: Float32Array): Outcome {
  const word = (value: number | undefined) => (value === 0 ? "rounds twice" : "rounds once");
  return known(`fma(a, b, c) ${word(fma)}, a * b + c ${word(plain)}`);
}

/** Four words are bound, of eight; the third access is far past the end. */
async function outOfBounds(device: Device): Promise<Outcome> {
  const x = new Uint32Array(128).map((_, i) => 11 + i);
  const y = new Uint32Array(128);
  const places = Uint32Array.of(9, 9);
  const after = await run(device, probe("bounds", boundsWgsl, [x, places, y], [16, 8, 16]));
  const got = after[2]!;
  const value = got[0]!;
  const read = value === 0 ? "gives 0" : value === 14 ? "gives the last element" : `gives ${value}`;
  const at = got.findIndex((word, i) => i > 0 && word === 99);
  const write =
    at < 0 ? "is dropped" : at < 4 ? `goes to element ${at} of 4` : `goes to word ${at} of 4`;
  const note = `a read past the end ${read}, a write ${write}`;
  if (at < 4 && value <= 14) return known(note);
  // WGSL: no access may leave the binding.
  return { worst: Number.POSITIVE_INFINITY, faults: [`${note}, outside of the binding`], note };
}

/** Names, truths and what WGSL allows, in units in the last place of x, for functions.wgsl. */
const FUNCTIONS: readonly (readonly [string, (x: number) => number, (x: number) => number])[] = [
  ["1/x", (x) => 1 / x, () => 2.5],
  ["x/3", (x) => x / 3, () => 2.5],
  ["sqrt", Math.sqrt, () => 5],
  ["inverseSqrt", (x) => 1 / Math.sqrt(x), () => 2],
  ["exp", (x) => Math.exp(Math.min(x, 80)), (x) => 3 + 2 * Math.min(x, 80)],
  ["log", Math.log, () => 3],
];
const SAMPLES = 4096;

/** A unit in the last place of float32 at `value`. */
const ulp = (value: number) => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value)))) - 23);

/** Samples of all functions, in one dispatch. */
function functionProbe(seed: number) {
  const rng = new Philox(seed, 8);
  const x = Float32Array.from({ length: SAMPLES }, () => 2 ** rng.uniform(-20, 20));
  const kernel = { name: "functions", source: functionsWgsl, bindings: {}, grid: () => [1, 1, 1] };
  const wgsl = specialise(kernel as never, { COUNT: SAMPLES });
  const buffers = [new Uint32Array(x.buffer), new Uint32Array(FUNCTIONS.length * SAMPLES)];
  return { x, packed: probe("functions", wgsl, buffers, undefined, SAMPLES / 64) };
}

/** Near 1 a logarithm is bounded absolutely. */
const isNear = (name: string, x: number) => name === "log" && x >= 0.5 && x <= 2;

/** The true value of function k, and the distance from it that WGSL allows. */
function truthOf(k: number, x: number): { readonly exact: number; readonly bound: number } {
  const [name, truth, allowed] = FUNCTIONS[k]!;
  const exact = truth(x);
  return { exact, bound: isNear(name, x) ? 2 ** -21 : allowed(x) * ulp(exact) };
}

async function functions(device: Device, seed: number): Promise<Outcome> {
  const { x, packed } = functionProbe(seed);
  return judgeFunctions(x, await replay(device, packed));
}

/** @param after the buffers of the probe after its run, base64 */
function judgeFunctions(x: Float32Array, after: readonly string[]): Outcome {
  const y = new Float32Array(fromBase64(after[1]!).buffer);
  let worst = 0;
  const faults: string[] = [];
  const parts = FUNCTIONS.map(([name], k) => {
    let [most, ratio, at] = [0, 0, 0];
    for (const [i, v] of x.entries()) {
      const { exact, bound } = truthOf(k, v);
      const error = Math.abs(y[FUNCTIONS.length * i + k]! - exact);
      most = Math.max(most, isNear(name, v) ? 0 : error / ulp(exact));
      if (!(error / bound <= ratio)) [ratio, at] = [error / bound, i];
    }
    worst = Math.max(worst, Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio);
    if (!(ratio <= 1)) {
      const got = y[FUNCTIONS.length * at + k];
      faults.push(`${name} of ${x[at]} = ${got}: ${ratio} × what WGSL allows`);
    }
    return `${name} ${most.toFixed(1)}`;
  });
  return { worst, faults, note: `largest errors in units in the last place: ${parts.join(", ")}` };
}

async function functionsApart(device: Device, seed: number): Promise<Dissection> {
  const { x, packed } = functionProbe(seed);
  const after = await replay(device, packed);
  const count = FUNCTIONS.length;
  const truths = Array.from({ length: count * x.length }, (_, i) =>
    truthOf(i % count, x[Math.floor(i / count)]!),
  );
  const { faults } = judgeFunctions(x, after);
  const coded = (values: ArrayBufferView) => toBase64(bytesOf(values));
  const y = {
    ...{ name: FUNCTIONS.map(([name]) => name).join(", "), buffer: 1, type: "f32" as const },
    shape: [x.length, count],
    positions: coded(Uint32Array.from(truths.keys())),
    values: coded(Float64Array.from(truths, ({ exact }) => exact)),
    bounds: coded(Float64Array.from(truths, ({ bound }) => bound)),
  };
  return { packed, states: [packed.buffers.map(({ data }) => data), after], expected: [y], faults };
}

/** Float32 half-way between two f16, or a quarter from one; larger than any; denormal. */
async function halves(device: Device): Promise<Outcome> {
  const inputs = [
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    -1 - 2 ** -11,
    1 + 2 ** -12,
    65519,
    65504,
    2 ** -24,
    2 ** -26,
  ];
  const words = await run(
    device,
    probe("halves", halvesWgsl, [wordsOf(inputs), new Uint32Array(4)]),
  );
  const y = [...new Uint16Array(words[1]!.buffer)].map(halfValue);
  const nearest = inputs.every((v, i) => Object.is(y[i], roundToHalf(v)));
  const down = y[1] === 1 + 2 ** -10;
  const tie = nearest ? "to nearest, ties to even" : down ? "toward 0" : "otherwise";
  const denormal = y[6] === 0 ? "flushed" : "kept";
  const note = `float32 to f16 rounds ${tie}; 65519 becomes ${y[4]}; denormals ${denormal}`;
  // Either neighbour will do.
  const faults = inputs.flatMap((v, i) =>
    Math.abs(y[i]! - v) <= Math.max(2 ** -10 * Math.abs(v), 2 ** -24) || v === 65519
      ? []
      : [`f16(${v}) = ${y[i]}`],
  );
  return { worst: faults.length > 0 ? Number.POSITIVE_INFINITY : 0, faults, note };
}
