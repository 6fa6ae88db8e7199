/**
 * The convolution on subgroup matrices, which no software adapter has: Dawn's compiler takes it, and
 * with its matrices spelt out as arrays it computes the right thing.
 */
import { describe, expect, test } from "bun:test";
import type { ConvVariant, WeightGradientVariant } from "../../kernels/conv3d/contract";
import { geometryOf } from "../../kernels/conv3d/contract";
import { matrixVariant, matrixVariants } from "../../kernels/conv3d/matrix";
import { matrixGradient, matrixGradients } from "../../kernels/conv3d/matrix_dw";
import { groupNorm } from "../../kernels/norm/group_norm";
import type { Dispatch } from "../../src/core/graph";
import { Graph, storagesOf } from "../../src/core/graph";
import type { Capabilities } from "../../src/core/kernel";
import { Philox } from "../../src/core/random";
import { channelsOf, elements, type Shape, state, type Tensor } from "../../src/core/tensor";
import { capabilities } from "../../src/gpu/capabilities";
import { Memory } from "../../src/gpu/memory";
import { Program } from "../../src/gpu/program";
import { specialise } from "../../src/gpu/shader";
import { conv3dReference } from "../../src/reference/conv3d";
import { groupNormReference } from "../../src/reference/group_norm";
import { writeRepeated } from "../../src/tune/noise";
import { speltOut } from "../matrices_spelt_out";
import { testDevice } from "../test_devices";

const WITH_MATRICES: Pick<Capabilities, "subgroupSize" | "subgroupMatrices" | "shaderF16"> = {
  subgroupSize: 32,
  shaderF16: true,
  subgroupMatrices: [16, 8].map((N) => ({ M: 16, N, K: 16, component: "f16", result: "f32" })),
};

interface MatrixCase {
  readonly id: string;
  /** Output channels of a workgroup's tile of y and dx, and of its part of dw. */
  readonly channels: readonly [number, 16 | 32];
  readonly x: Shape;
  readonly cout: number;
  /** Groups of a norm with ReLU in front. */
  readonly groups?: number;
}

/** Rows of each width of tiles, and longer than the widest; of whole vectors or not. */
const CASES: readonly MatrixCase[] = [
  { id: "c16x16_4x5x32", channels: [32, 16], x: [1, 16, 4, 5, 32], cout: 16 },
  { id: "c5x17_9x9x7", channels: [16, 32], x: [2, 5, 9, 9, 7], cout: 17 },
  // More columns than the weight gradient has sums: several each, and none for the last.
  { id: "n48_c17x40_3x5x8", channels: [32, 16], x: [48, 17, 3, 5, 8], cout: 40 },
  { id: "c2x20_5x3x13", channels: [32, 16], x: [2, 2, 5, 3, 13], cout: 20 },
  { id: "c18x3_3x5x19_norm", channels: [16, 16], x: [1, 18, 3, 5, 19], cout: 3, groups: 3 },
  { id: "c4x24_3x5x36_norm", channels: [32, 32], x: [2, 4, 3, 5, 36], cout: 24, groups: 2 },
];

const EPS = 1e-5;
const NOT_NUMBERS = new Uint32Array(2 ** 16).fill(0x7fc07e0d);

interface Recorded {
  readonly graph: Graph;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly outputs: Readonly<Record<string, Tensor>>;
}

interface Kernels {
  readonly variant: ConvVariant;
  readonly gradient: WeightGradientVariant;
}

/** y and its moments, dw, and where there is no norm dx, of a convolution whose x is a channel view. */
function record(caps: Capabilities, c: MatrixCase, { variant, gradient }: Kernels): Recorded {
  const [N = 0, C = 0, ...space] = c.x;
  const { cout, groups } = c;
  expect([variant, gradient].map(({ supported }) => supported(caps))).toEqual([true, true]);
  const graph = new Graph(caps);
  const base = state("base", [N, C + 2, ...space], "f16");
  const shapes = { w: [cout, C, 3, 3, 3], b: [cout], weight: [C], bias: [C] };
  const made = Object.entries(shapes).map(([name, shape]) => [name, state(name, shape)] as const);
  const { w, b, weight, bias } = Object.fromEntries(made);
  const dy = state("dy", [N, cout, ...space], "f16");
  let x: Tensor = groups ? state("base", [N, C, ...space], "f16") : channelsOf(base, 1, C);
  const inputs = { x, w: w!, b: b!, weight: weight!, bias: bias!, dy };
  if (groups) {
    const attrs = { groups, eps: EPS, relu: true };
    x = graph.apply(groupNorm, { x, weight: weight!, bias: bias! }, attrs).y!;
  }
  const y = graph.tensor("y", [N, cout, ...space], "f16");
  const geometry = geometryOf(x, y, w!);
  const T = variant.momentParts!(geometry, caps);
  const moments = graph.tensor("moments", [N, cout, T, 3]);
  variant.emit(graph, { x, w: w!, b: b!, y, moments }, geometry);
  const dw = graph.tensor("dw", w!.shape);
  gradient.emit(graph, { x, dy, dw }, geometry, false);
  const outputs = { y, moments, dw };
  if (groups) return { graph, inputs, outputs };
  const dx = graph.tensor("dx", [N, C, ...space], "f16");
  variant.emit(graph, { x: dy, w: w!, y: dx }, geometryOf(dy, dx, w!));
  return { graph, inputs, outputs: { ...outputs, dx } };
}

function halves(values: Float64Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(values.length / 2));
  new Float16Array(words.buffer).set(values);
  return words;
}

type Arrays = Readonly<Record<string, Float64Array>>;

/** Seeded inputs, in memory; around a channel view NaN. */
function fill(memory: Memory, inputs: Recorded["inputs"]): Arrays {
  const made = Object.entries(inputs).map(([name, t], k) => {
    const random = new Philox(5, k);
    // Weights that f16 holds exactly: the kernel rounds them.
    const values = Float64Array.from({ length: elements(t.shape) }, () =>
      Math.f16round(random.normal()),
    );
    if (t.dtype === "f32") memory.write(t, Float32Array.from(values));
    else if (!t.channels) memory.write(t, halves(values));
    else {
      const { base, first } = t.channels;
      const [N = 0, C = 0, ...space] = t.shape;
      const S = elements(space);
      const all = new Float64Array(elements(base.shape)).fill(Number.NaN);
      for (let n = 0; n < N; n++) {
        all.set(values.subarray(n * C * S, (n + 1) * C * S), (n * base.shape[1]! + first) * S);
      }
      memory.write(base, halves(all));
    }
    return [name, values] as const;
  });
  return Object.fromEntries(made);
}

/** Runs the graph with its matrices spelt out, on memory full of NaN. */
async function run(memory: Memory, { graph, outputs }: Recorded): Promise<Arrays> {
  const dispatches = graph.dispatches as Dispatch[];
  for (const [i, d] of dispatches.entries()) dispatches[i] = { ...d, kernel: speltOut(d.kernel) };
  const keep = Object.values(outputs);
  const program = await Program.compile(memory, graph, "matrices", keep);
  const temporary = storagesOf(dispatches).filter((t) => t.kind === "temp");
  for (const buffer of new Set(temporary.map((t) => program.bufferOf(t)))) {
    writeRepeated(memory, buffer, NOT_NUMBERS, buffer.size / 4);
  }
  program.run();
  const read: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(outputs)) {
    const bytes = await memory.read(t, program.bufferOf(t));
    const values = t.dtype === "f16" ? new Float16Array(bytes) : new Float32Array(bytes);
    read[name] = Float64Array.from(values.subarray(0, elements(t.shape)));
  }
  return read;
}

/** Count, mean and squared deviations of channel `c` of `all`, from those of its `T` parts. */
function merged(parts: Float64Array, T: number, c: number) {
  const rows = Array.from({ length: T }, (_, t) =>
    parts.subarray(3 * (c * T + t), 3 * (c * T + t) + 3),
  );
  const count = rows.reduce((sum, [n = 0]) => sum + n, 0);
  const mean = rows.reduce((sum, [n = 0, m = 0]) => sum + n * m, 0) / count;
  const squares = rows.reduce((sum, [n = 0, m = 0, s = 0]) => sum + s + n * (m - mean) ** 2, 0);
  return { count, mean, squares };
}

function expectMoments(parts: Float64Array, T: number, y: Float64Array, S: number): void {
  for (let c = 0; c < y.length / S; c++) {
    const values = y.subarray(c * S, (c + 1) * S);
    const mean = values.reduce((sum, v) => sum + v, 0) / S;
    const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
    const found = merged(parts, T, c);
    expect(found.count, `voxels of channel ${c}`).toBe(S);
    expect(Math.abs(found.mean - mean) / Math.sqrt(squares / S), `mean ${c}`).toBeLessThan(1e-3);
    expect(Math.abs(found.squares / squares - 1), `squares ${c}`).toBeLessThan(1e-3);
  }
}

/** As on NVIDIA, but with no more workgroup memory than lavapipe has. */
const OFFERED: Partial<Capabilities> = { ...WITH_MATRICES, maxWorkgroupBytes: 32768 };

for (const adapter of ["lavapipe", "hardware"]) {
  const device = await testDevice(adapter);
  if (!device?.features.has("shader-f16")) continue;
  const memory = new Memory(device);
  describe(adapter, () => {
    for (const c of CASES) {
      const [channels, outputs] = c.channels;
      // Of 512 voxels nothing fits into 32 KiB.
      const variant = matrixVariant({ voxels: 256, channels });
      const gradient = matrixGradient(outputs);
      const id = `${c.id} ${variant.name} ${gradient.name}`;
      test(`${id}: with matrices spelt out it agrees with float64`, async () => {
        const caps = { ...capabilities(device), ...OFFERED };
        const recorded = record(caps, c, { variant, gradient });
        const values = fill(memory, recorded.inputs);
        const got = await run(memory, recorded);
        const wanted = truth(c, values);
        for (const name of ["y", "dx", "dw"].filter((name) => name in got)) {
          const [right, found] = [wanted[name]!, got[name]!];
          const largest = Math.max(...right.map(Math.abs));
          const off = right.map((value, i) => Math.abs(found[i]! - value));
          // After a norm x is rounded to f16, else only the result is, and of dw not even that.
          const exact = name === "dw" ? 1e-5 : 2 ** -11;
          expect(Math.max(...off) / largest, name).toBeLessThan(c.groups ? 2e-3 : exact);
        }
        const T = recorded.outputs.moments!.shape[2]!;
        expectMoments(got.moments!, T, wanted.y!, elements(c.x.slice(2)));
      });
    }
  });
}

function truth(c: MatrixCase, values: Arrays) {
  const [N = 0, C = 0, ...space] = c.x;
  const { w, b, weight, bias, dy } = values;
  let x = values.x!;
  if (c.groups) {
    const shapes = { x: c.x, weight: [C], bias: [C] };
    const attrs = { groups: c.groups, eps: EPS, relu: true };
    const normed = { x, weight: weight!, bias: bias! };
    x = groupNormReference.forward(normed, shapes, attrs).y!;
  }
  const shapes = { x: [N, C, ...space], w: [c.cout, C, 3, 3, 3], b: [c.cout] };
  const inputs = { x, w: w!, b: b! };
  const { y } = conv3dReference.forward(inputs, shapes, {});
  const grads = conv3dReference.backward!(inputs, shapes, {}, { y: dy! });
  return { y: y!, dx: grads.x!, dw: grads.w! } as Record<string, Float64Array>;
}

test("Dawn's compiler takes the kernel as it is", async () => {
  // Dawn's null backend, which runs nothing, has every feature.
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const adapter = (await gpu.requestAdapter())!;
  const features = ["chromium-experimental-subgroup-matrix", "subgroups", "shader-f16"];
  const device = await adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
  const sizes = { maxBindingBytes: 2 ** 30, maxInvocations: 1024, maxWorkgroupBytes: 49152 };
  const caps: Capabilities = { ...WITH_MATRICES, ...sizes, kind: "hardware" };
  const compiled = new Set<string>();
  const kernels = matrixVariants.flatMap((variant) =>
    matrixGradients.map((gradient) => ({ variant, gradient })),
  );
  for (const [c, chosen] of CASES.flatMap((c) => kernels.map((k) => [c, k] as const))) {
    const { graph } = record(caps, c, chosen);
    for (const { kernel, consts } of graph.dispatches) {
      const code = specialise(kernel, consts);
      if (!kernel.name.startsWith("conv3d_matrix") || compiled.has(code)) continue;
      compiled.add(code);
      const module = device.createShaderModule({ code });
      const { messages } = await module.getCompilationInfo();
      expect(messages.map((m) => `${m.lineNum}: ${m.message}`)).toEqual([]);
    }
  }
  (globalThis as { __nullGpu?: GPU }).__nullGpu = gpu; // dawn.node crashes when it is collected
});
