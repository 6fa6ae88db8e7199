/**
 * The convolution on subgroup matrices, which no adapter at hand has: Dawn's compiler takes it, and
 * with its matrices spelt out as arrays it computes the right thing.
 */
import { describe, expect, test } from "bun:test";
import { conv3d } from "../kernels/conv3d";
import { groupNorm } from "../kernels/group_norm";
import type { Dispatch } from "../src/core/graph";
import { Graph } from "../src/core/graph";
import type { Capabilities, Kernel } from "../src/core/kernel";
import { Philox } from "../src/core/random";
import { channelsOf, elements, type Shape, state } from "../src/core/tensor";
import { capabilities } from "../src/gpu/capabilities";
import { Memory } from "../src/gpu/memory";
import { Program } from "../src/gpu/program";
import { specialise } from "../src/gpu/shader";
import { conv3dReference } from "./reference/conv3d";
import { groupNormReference } from "./reference/group_norm";
import { testDevice } from "./test_devices";

const EDGE = { M: 16, N: 16, K: 16 };
const WITH_MATRICES: Pick<Capabilities, "subgroupSize" | "subgroupMatrices" | "shaderF16"> = {
  subgroupSize: 32,
  shaderF16: true,
  subgroupMatrices: [{ ...EDGE, component: "f16", result: "f32" }],
};

/**
 * Lines of the shader and what they are without the feature: factors are where they lie in memory, of
 * a sum, which is a number from 0 to 9, each invocation has 8 of 256 elements. Bounds that only look
 * like variables keep Mesa from unrolling, which takes minutes.
 */
const SPELT_OUT: readonly (readonly [string | RegExp, string])[] = [
  ["enable chromium_experimental_subgroup_matrix;", ""],
  [/alias (Left|Right) = .*;/g, "alias $1 = u32;"],
  [
    /alias Sum = .*;/,
    "alias Sum = u32;\nvar<private> sums: array<f32, 80>;\nvar<private> share: u32;",
  ],
  [/var a(\d) = Sum\(\);/g, "var a$1 = $1u;"],
  [/var b(\d) = Sum\(\);/g, "var b$1 = 5u + $1u;"],
  ["  @builtin(subgroup_id) plane: u32,\n", ""],
  ["  @builtin(subgroup_invocation_id) lane: u32,\n", ""],
  ["  let edges =", "  let plane = local / LANES;\n  let lane = local % LANES;\n  let edges ="],
  ["  let edges =", "  share = 8u * lane;\n  let edges ="],
  ["  return subgroupMatrixLoad<Left, row_major>(&wp, at, EDGE);", "  return at;"],
  ["  return subgroupMatrixLoad<Right, col_major>(&tile, at, VS);", "  return at;"],
  [
    "  return subgroupMatrixMultiplyAccumulate(l, r, sum);",
    `  for (var i = 0u; i < min(8u, 8u * args.N); i++) {
    for (var k = 0u; k < min(16u, 16u * args.N); k++) {
      let left = f32(wp[l + (share + i) / 16u * EDGE + k]);
      sums[8u * sum + i] += left * f32(tile[r + (share + i) % 16u * VS + k]);
    }
  }
  return sum;`,
  ],
  [
    "  subgroupMatrixStore<row_major>(&results, at, sum, EDGE);",
    "  for (var i = 0u; i < min(8u, 8u * args.N); i++) { " +
      "results[at + share + i] = sums[8u * sum + i]; }",
  ],
];

function speltOut(kernel: Kernel): Kernel {
  if (kernel.name !== "conv3d_matrix") return kernel;
  const source = SPELT_OUT.reduce((text, [line, by]) => {
    const replaced = text.replace(line, by);
    if (replaced === text) throw new Error(`conv3d_matrix.wgsl has no ${line}`);
    return replaced;
  }, kernel.source);
  return { ...kernel, source };
}

interface MatrixCase {
  readonly id: string;
  readonly x: Shape;
  readonly cout: number;
  /** Groups of a norm with ReLU in front. */
  readonly groups?: number;
}

const CASES: readonly MatrixCase[] = [
  { id: "c16x32_4x4x16", x: [1, 16, 4, 4, 16], cout: 32 },
  { id: "c5x33_5x9x7", x: [2, 5, 5, 9, 7], cout: 33 },
  { id: "c18x3_3x5x19_norm", x: [1, 18, 3, 5, 19], cout: 3, groups: 3 },
];

const EPS = 1e-5;

interface Recorded {
  readonly graph: Graph;
  readonly tensors: Readonly<Record<string, ReturnType<typeof state>>>;
}

/** y, and where there is no norm dx, of a convolution whose x is a channel view. */
function record(caps: Capabilities, { x: [N = 0, C = 0, ...space], cout, groups }: MatrixCase) {
  const variants = { conv3d: "matrix", conv3d_dx: "matrix" };
  const graph = new Graph({ ...caps, ...WITH_MATRICES }, { variants });
  const base = state("base", [N, C + 2, ...space], "f16");
  const shapes = { w: [cout, C, 3, 3, 3], b: [cout], weight: [C], bias: [C] };
  const made = Object.entries(shapes).map(([name, shape]) => [name, state(name, shape)] as const);
  const { w, b, weight, bias } = Object.fromEntries(made);
  const dy = state("dy", [N, cout, ...space], "f16");
  let x = groups ? state("base", [N, C, ...space], "f16") : channelsOf(base, 1, C);
  const given = x;
  if (groups) {
    const attrs = { groups, eps: EPS, relu: true };
    x = graph.apply(groupNorm, { x, weight: weight!, bias: bias! }, attrs).y!;
  }
  const { y } = graph.apply(conv3d, { x, w: w!, b: b! }, {});
  const tensors = { x: given, w: w!, b: b!, weight: weight!, bias: bias!, dy, y: y! };
  if (groups) return { graph, tensors } satisfies Recorded;
  const call = { inputs: { x, w: w!, b: b! }, outputs: {}, attrs: {}, needs: new Set(["x"]) };
  const { x: dx } = conv3d.backward!(graph, call, { y: dy });
  return { graph, tensors: { ...tensors, dx: dx! } } satisfies Recorded;
}

function halves(values: Float64Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(values.length / 2));
  new Float16Array(words.buffer).set(values);
  return words;
}

const hardwareSizes = { maxInvocations: 1024, maxWorkgroupBytes: 49152 };

for (const adapter of ["lavapipe", "hardware"]) {
  const device = await testDevice(adapter);
  if (!device?.features.has("shader-f16")) continue;
  const memory = new Memory(device);
  describe(adapter, () => {
    for (const c of CASES) {
      test(`${c.id}: y and dx with matrices spelt out agree with float64`, async () => {
        const { graph, tensors } = record(capabilities(device), c);
        expect(graph.picks.map(({ chosen }) => chosen)).toContain("matrix");
        const dispatches = graph.dispatches as Dispatch[];
        for (const [i, d] of dispatches.entries()) {
          dispatches[i] = { ...d, kernel: speltOut(d.kernel) };
        }
        const [N = 0, C = 0, ...space] = c.x;
        const S = elements(space);
        const values: Record<string, Float64Array> = {};
        for (const [k, [name, t]] of Object.entries(tensors).entries()) {
          if (name === "y" || name === "dx") continue;
          const random = new Philox(5, k);
          // Weights that f16 holds exactly: the kernel rounds them.
          values[name] = Float64Array.from({ length: elements(t.shape) }, () =>
            Math.f16round(random.normal()),
          );
          const view = t.channels;
          if (t.dtype === "f32") memory.write(t, Float32Array.from(values[name]));
          else if (!view) memory.write(t, halves(values[name]));
          else {
            const all = new Float64Array(elements(view.base.shape)).fill(Number.NaN);
            for (let n = 0; n < N; n++) {
              const part = values[name].subarray(n * C * S, (n + 1) * C * S);
              all.set(part, (n * view.base.shape[1]! + view.first) * S);
            }
            memory.write(view.base, halves(all));
          }
        }
        const outputs = ["y", "dx"].filter((name) => name in tensors);
        const keep = outputs.map((name) => tensors[name as "y"]);
        const program = await Program.compile(memory, graph, "matrices", keep);
        program.run();
        const expected = truth(c, values);
        for (const [k, name] of outputs.entries()) {
          const bytes = await memory.read(keep[k]!, program.bufferOf(keep[k]!));
          const wanted = expected[name]!;
          const got = new Float16Array(bytes).subarray(0, wanted.length);
          const largest = Math.max(...wanted.map(Math.abs));
          const off = wanted.map((value, i) => Math.abs(got[i]! - value));
          // Behind a norm x is rounded to f16, else only the result is.
          expect(Math.max(...off) / largest, name).toBeLessThan(c.groups ? 2e-3 : 2 ** -11);
        }
      });
    }
  });
}

function truth(c: MatrixCase, values: Readonly<Record<string, Float64Array>>) {
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
  return { y: y!, dx: grads.x! } as Record<string, Float64Array>;
}

test("Dawn's compiler takes the kernel as it is", async () => {
  // Dawn's null backend, which runs nothing, has every feature.
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  const adapter = (await gpu.requestAdapter())!;
  const features = ["chromium-experimental-subgroup-matrix", "subgroups", "shader-f16"];
  const device = await adapter.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
  const caps = { ...WITH_MATRICES, ...hardwareSizes, kind: "hardware", maxBindingBytes: 2 ** 30 };
  for (const c of CASES) {
    const { graph } = record(caps as Capabilities, c);
    for (const { kernel, consts } of graph.dispatches) {
      if (!kernel.name.startsWith("conv3d_matrix")) continue;
      const module = device.createShaderModule({ code: specialise(kernel, consts) });
      const { messages } = await module.getCompilationInfo();
      expect(messages.map((m) => `${m.lineNum}: ${m.message}`)).toEqual([]);
    }
  }
  (globalThis as { __nullGpu?: GPU }).__nullGpu = gpu; // dawn.node crashes when it is collected
});
