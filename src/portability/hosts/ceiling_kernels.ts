/** Kernels that reach for the adapter's limits: multiply-adds, copies, nothing at all. */
import type { Kernel } from "../../core/kernel";
import { defineKernel, grid1d, num } from "../../core/kernel";

/**
 * Independent sums of a thread, and multiply-adds of each in an unrolled run. Fewer sums starve the
 * pipelines; one multiply-add a turn shows a third to a half of the peak.
 */
const SUMS = 12;
const ROUNDS = 16;
const LOOPS = 250;

/** Multiply-adds in registers by every thread of `GROUPS` × 64. */
function fmaKernel(name: string, scalar: string, type: string, head: string): Kernel {
  const names = Array.from({ length: SUMS }, (_, i) => `a${i}`);
  const round = names.map((a) => `    ${a} = fma(${a}, m, c);`).join("\n");
  const width = type === scalar ? 1 : 2;
  const total = width === 1 ? names.join(" + ") : `dot(${names.join(" + ")}, c)`;
  return defineKernel({
    name,
    source: `${head}@group(0) @binding(0) var<storage, read_write> y: array<f32>;
const GROUPS: u32 = 1u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  // Below 1, so that sums stay finite, and not known to the compiler.
  let m = ${type}(${scalar}(f32(id.x & 7u) * 0.1));
  let c = ${type}(${scalar}(f32(id.y) + 0.5));
${names.map((a, i) => `  var ${a} = ${type}(${i}.0);`).join("\n")}
  for (var i = 0u; i < ${LOOPS}u; i++) {
${Array(ROUNDS).fill(round).join("\n")}
  }
  y[id.x] = f32(${total});
}`,
    bindings: { y: "read_write" },
    grid: (c) => [num(c, "GROUPS"), 1, 1],
    flops: (c) => 2 * width * SUMS * ROUNDS * LOOPS * 64 * num(c, "GROUPS"),
  });
}

export const fmaF32 = fmaKernel("fma_f32", "f32", "f32", "");
/** Pairs, which GPUs compute at once. */
export const fmaF16 = fmaKernel("fma_f16", "f16", "vec2h", "enable f16;\n");

/** y = x, COUNT elements of a type, one a thread. */
function copyKernel(name: string, type: string): Kernel {
  return defineKernel({
    name,
    source: `@group(0) @binding(0) var<storage, read> x: array<${type}>;
@group(0) @binding(1) var<storage, read_write> y: array<${type}>;
const COUNT: u32 = 1u;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lane: u32) {
  let i = (wid.y * nwg.x + wid.x) * 64u + lane;
  if (i < COUNT) { y[i] = x[i]; }
}`,
    bindings: { x: "read", y: "read_write" },
    grid: (c) => grid1d(num(c, "COUNT"), 64),
  });
}

export const copyF32 = copyKernel("copy_f32", "f32");
export const copyVec4 = copyKernel("copy_vec4", "vec4f");

/** The cost of a launch that has nothing to do. */
export const emptyKernel = defineKernel({
  name: "empty",
  source: `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1)
fn main() { y[0] = 1.0; }`,
  bindings: { y: "read_write" },
  grid: () => [1, 1, 1],
});
