/**
 * Convolution → normalisation with ReLU, twice, as the network has them: the fused path, in which
 * the second convolution normalises while it loads, against float64 references and the plain path.
 */
import { expect, test } from "bun:test";
import { conv3d } from "../kernels/conv3d/conv3d";
import { add } from "../kernels/elementwise/add";
import { groupNorm } from "../kernels/norm/group_norm";
import { maxPool3d } from "../kernels/resize/max_pool3d";
import { upsample3d } from "../kernels/resize/upsample3d";
import { Graph, storagesOf } from "../src/core/graph";
import { Philox } from "../src/core/random";
import { channelsOf, elements, type Shape, state, type Tensor } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import type { Device } from "../src/gpu/device";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { conv3dReference } from "../src/reference/conv3d";
import { groupNormReference } from "../src/reference/group_norm";
import type { Values } from "../src/reference/reference";

export const CASES = [
  { id: "c3x8x16_6x9x16", n: 2, cin: 3, mid: 8, out: 16, groups: 4, space: [6, 9, 16] },
  { id: "c2x6x9_5x3x20", n: 3, cin: 2, mid: 6, out: 9, groups: 3, space: [5, 3, 20] },
  { id: "c8x8x8_9x2x12", n: 1, cin: 8, mid: 8, out: 8, groups: 8, space: [9, 2, 12] },
  // Across the edges of every kernel's tiles, along every axis: in whole vectors, and not.
  { id: "c2x8x4_5x9x36", n: 1, cin: 2, mid: 8, out: 4, groups: 2, space: [5, 9, 36] },
  { id: "c3x4x4_5x9x37", n: 1, cin: 3, mid: 4, out: 4, groups: 2, space: [5, 9, 37] },
  { id: "c4x4x4_3x3x5", n: 2, cin: 4, mid: 4, out: 4, groups: 2, space: [3, 3, 5] },
] as const;
type FusionCase = (typeof CASES)[number];

const EPS = 1e-5;
const PARAMETERS = ["w1", "b1", "gamma1", "beta1", "w2", "b2", "gamma2", "beta2"] as const;

function shapesOf({ n, cin, mid, out, space }: FusionCase): Record<string, Shape> {
  return {
    ...{ x: [n, cin, ...space], dy: [n, out, ...space] },
    ...{ w1: [mid, cin, 3, 3, 3], b1: [mid], gamma1: [mid], beta1: [mid] },
    ...{ w2: [out, mid, 3, 3, 3], b2: [out], gamma2: [out], beta2: [out] },
  };
}

function valuesOf(c: FusionCase): Values {
  const entries = Object.entries(shapesOf(c)).map(([name, shape], i) => {
    const random = new Philox(7, i);
    const shift = name.startsWith("gamma") ? 1 : 0;
    const values = Float64Array.from({ length: elements(shape) }, () => random.normal());
    return [name, values.map((v) => Math.fround(shift + 0.5 * v))];
  });
  return Object.fromEntries(entries);
}

/** The results of the chain in float64: y and every gradient, by name. */
function truth(c: FusionCase, values: Values): Values {
  const shapes = shapesOf(c);
  const attrs = { groups: c.groups, eps: EPS, relu: true };
  const layers = [1, 2].map((i) => ({
    conv: { w: values[`w${i}`]!, b: values[`b${i}`]! },
    norm: { weight: values[`gamma${i}`]!, bias: values[`beta${i}`]! },
    channels: i === 1 ? c.mid : c.out,
    w: shapes[`w${i}`]!,
  }));
  let x = { values: values.x!, shape: shapes.x! };
  const taken = layers.map(({ conv, norm, channels, w }) => {
    const convShapes = { x: x.shape, w, b: [channels] };
    const convIn = { x: x.values, ...conv };
    const raw = conv3dReference.forward(convIn, convShapes, {}).y!;
    const shape = [c.n, channels, ...c.space];
    const normShapes = { x: shape, weight: [channels], bias: [channels] };
    const normIn = { x: raw, ...norm };
    x = { values: groupNormReference.forward(normIn, normShapes, attrs).y!, shape };
    return { convIn, convShapes, normIn, normShapes };
  });
  const results: Values = { y: x.values };
  let dy = values.dy!;
  for (const i of [2, 1]) {
    const { convIn, convShapes, normIn, normShapes } = taken[i - 1]!;
    const norm = groupNormReference.backward!(normIn, normShapes, attrs, { y: dy });
    const conv = conv3dReference.backward!(convIn, convShapes, {}, { y: norm.x! });
    Object.assign(results, { [`gamma${i}`]: norm.weight, [`beta${i}`]: norm.bias });
    Object.assign(results, { [`w${i}`]: conv.w, [`b${i}`]: conv.b });
    dy = conv.x!;
  }
  return { ...results, x: dy };
}

interface Recorded {
  readonly graph: Graph;
  readonly given: Readonly<Record<string, Tensor>>;
  readonly results: Readonly<Record<string, Tensor>>;
}

/** The tensors of a case, and where the gradients of x and of the parameters go. */
function watched(graph: Graph, c: FusionCase) {
  const given = Object.fromEntries(
    Object.entries(shapesOf(c)).map(([name, shape]) => [name, state(name, shape)]),
  );
  const results: Record<string, Tensor> = {};
  for (const name of ["x", ...PARAMETERS]) {
    results[name] = state(`d_${name}`, given[name]!.shape);
    graph.watch(given[name]!, results[name]);
  }
  return { given, results };
}

/** The chain recorded; the last result goes into a channel view, as a skip connection does. */
export function record(graph: Graph, c: FusionCase): Recorded {
  const { given, results } = watched(graph, c);
  const out = channelsOf(graph.tensor("joined", [c.n, c.out + 2, ...c.space]), 1, c.out);
  let x = given.x!;
  for (const i of [1, 2]) {
    const [w, b] = [given[`w${i}`]!, given[`b${i}`]!];
    const { y, moments } = graph.apply(conv3d, { x, w, b }, { moments: true });
    const attrs = {
      groups: c.groups,
      eps: EPS,
      relu: true,
      moments,
      out: i === 2 ? out : undefined,
    };
    const [weight, bias] = [given[`gamma${i}`]!, given[`beta${i}`]!];
    x = graph.apply(groupNorm, { x: y!, weight, bias }, attrs).y!;
  }
  graph.backward(new Map([[x, given.dy!]]), add);
  return { graph, given, results: { ...results, y: graph.materialise(x) } };
}

/** After the first norm pooling, after the second upsampling and a 1×1×1 convolution, each with a gradient. */
function recordReaders(graph: Graph, c: FusionCase): Recorded {
  const { given, results } = watched(graph, c);
  const normed = (x: Tensor, i: number, out?: Tensor) => {
    const [w, b] = [given[`w${i}`]!, given[`b${i}`]!];
    const { y, moments } = graph.apply(conv3d, { x, w, b }, { moments: true });
    const [weight, bias] = [given[`gamma${i}`]!, given[`beta${i}`]!];
    const attrs = { groups: c.groups, eps: EPS, relu: true, moments, out };
    return graph.apply(groupNorm, { x: y!, weight, bias }, attrs).y!;
  };
  const joined = graph.tensor("joined", [c.n, c.mid + 1, ...c.space]);
  const first = normed(given.x!, 1, channelsOf(joined, 1, c.mid));
  const pooled = graph.apply(maxPool3d, { x: first }, {}).y!;
  const second = normed(first, 2);
  const larger = graph.apply(upsample3d, { x: second }, { alignCorners: true }).y!;
  const head = state("head", [1, c.out, 1, 1, 1]);
  const headBias = state("head_bias", [1]);
  results.head = state("d_head", head.shape);
  results.headBias = state("d_head_bias", [1]);
  graph.watch(head, results.head);
  graph.watch(headBias, results.headBias);
  const logits = graph.apply(conv3d, { x: second, w: head, b: headBias }, {}).y!;
  const outputs = { pooled, larger, logits };
  const seeds = Object.entries(outputs).map(([name, t]) => {
    given[`d_${name}`] = state(`seed_${name}`, t.shape);
    return [t, given[`d_${name}`]!] as const;
  });
  graph.backward(new Map(seeds), add);
  return { graph, given: { ...given, head, headBias }, results: { ...results, ...outputs } };
}

async function run(memory: Memory, { graph, given, results }: Recorded, values: Values) {
  const temps = storagesOf(graph.dispatches).filter((t) => t.kind === "temp");
  const program = await Program.compile(memory, graph, "fusion", temps);
  for (const t of storagesOf(graph.dispatches)) {
    const buffer = program.bufferOf(t);
    const poison = new Float32Array(buffer.size / 4).fill(Number.NaN);
    memory.device.device.queue.writeBuffer(buffer, 0, poison);
  }
  for (const [name, t] of Object.entries(given)) memory.write(t, Float32Array.from(values[name]!));
  program.run();
  const found: Record<string, Float32Array> = {};
  for (const [name, t] of Object.entries(results)) {
    const base = t.channels?.base ?? t;
    const all = await memory.readF32(base, program.bufferOf(base));
    found[name] = t.channels ? channelsIn(all, base.shape, t) : all;
  }
  program.destroy();
  return found;
}

function channelsIn(all: Float32Array, [, total = 0]: Shape, t: Tensor): Float32Array {
  const [n = 0, count = 0, ...space] = t.shape;
  const S = elements(space);
  const first = t.channels!.first;
  const part = (i: number) =>
    all.subarray((i * total + first) * S, (i * total + first + count) * S);
  return Float32Array.from(Array.from({ length: n }, (_, i) => [...part(i)]).flat());
}

/** The kernels of GPUs must be right everywhere: each case runs one of these too. */
export const BLOCKED: readonly Readonly<Record<string, string>>[] = [
  { conv3d: "blocked_512x16", conv3d_dx: "blocked_512x16", conv3d_dw: "blocked_8x16_8x4" },
  { conv3d: "blocked_1024x8", conv3d_dx: "blocked_256x16", conv3d_dw: "blocked_2x16_16x8" },
  { conv3d: "uniform_1024x8", conv3d_dx: "uniform_512x8", conv3d_dw: "sparing_4x16_8x4" },
];

/** Gradients of biases before a norm are sums that nearly cancel: measured by those of the weights. */
const SCALE: Readonly<Record<string, string>> = { b1: "w1", b2: "w2" };

/** Both paths of every case, in the adapter's own kernels or in those of GPUs, against float64. */
export function testAgreement(device: Device, kernels: "own" | "blocked"): void {
  const own = capabilities(device);
  const caps = kernels === "own" ? own : { ...own, kind: "hardware" as const };
  for (const [i, c] of CASES.entries()) {
    const variants = kernels === "own" ? {} : BLOCKED[i % BLOCKED.length]!;
    const id = [c.id, ...Object.values(variants)].join(" ");
    test(`${id}: fused and plain agree with float64`, async () => {
      const values = valuesOf(c);
      const expected = truth(c, values);
      for (const fuse of [true, false]) {
        const graph = new Graph(caps, { fuse, variants });
        const found = await run(new Memory(device), record(graph, c), values);
        for (const [name, reference] of Object.entries(expected)) {
          const largest = Math.max(...expected[SCALE[name] ?? name]!.map(Math.abs));
          const error = Math.max(...reference.map((v, i) => Math.abs(found[name]![i]! - v)));
          expect(error / largest, `${name}, fuse ${fuse}`).toBeLessThan(1e-5);
        }
      }
    });
  }
}

/** Pooling, upsampling and a head after a norm, fused against plain. */
export function testReaders(device: Device): void {
  for (const c of CASES) {
    test(`${c.id}: pooling, upsampling and a head read after the norm`, async () => {
      const found: Record<string, Float32Array>[] = [];
      for (const fuse of [true, false]) {
        const recorded = recordReaders(new Graph(capabilities(device), { fuse }), c);
        const values: Values = { ...valuesOf(c) };
        Object.entries(recorded.given).forEach(([name, t], i) => {
          const random = new Philox(9, i);
          values[name] ??= Float64Array.from({ length: elements(t.shape) }, () => random.normal());
        });
        found.push(await run(new Memory(device), recorded, values));
      }
      for (const [name, plain] of Object.entries(found[1]!)) {
        const largest = Math.max(...found[1]![SCALE[name] ?? name]!.map(Math.abs));
        const error = Math.max(...plain.map((v, i) => Math.abs(found[0]![name]![i]! - v)));
        expect(error / largest, name).toBeLessThan(1e-5);
      }
    });
  }
}
