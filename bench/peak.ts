/** Ceilings of an adapter: multiply-adds a second and copy bandwidth, for shares in benchmarks. */
import type { Graph } from "../src/core/graph";
import { defineKernel } from "../src/core/kernel";
import { state } from "../src/core/tensor";

/** Independent sums, and multiply-adds of each in an unrolled run: fewer starve the pipelines. */
const SUMS = 12;
const ROUNDS = 16;
const LOOPS = 250;
const THREADS = 64 * 512;

const names = Array.from({ length: SUMS }, (_, i) => `a${i}`);
const round = names.map((a) => `    ${a} = fma(${a}, m, c);`).join("\n");

const fmaKernel = defineKernel({
  name: "fma_peak",
  source: `@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = f32(id.x) * 1e-6;
  let c = f32(id.y) + 0.5;
${names.map((a, i) => `  var ${a} = ${i}.0;`).join("\n")}
  for (var i = 0u; i < ${LOOPS}u; i++) {
${Array(ROUNDS).fill(round).join("\n")}
  }
  y[id.x] = ${names.join(" + ")};
}`,
  bindings: { y: "read_write" },
  grid: () => [THREADS / 64, 1, 1],
});

/** Records one run of float32 multiply-adds without memory traffic; its operations (two each). */
export function recordFmaPeak(g: Graph): number {
  g.emit(fmaKernel, { y: state("peak", [THREADS]) }, {});
  return 2 * SUMS * ROUNDS * LOOPS * THREADS;
}

const copyKernel = defineKernel({
  name: "copy_peak",
  source: `@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  y[id.x] = x[id.x];
}`,
  bindings: { x: "read", y: "read_write" },
  grid: () => [32768, 1, 1],
});

/** Records one copy of 32 MiB through a shader, four floats a thread; the bytes that move. */
export function recordCopy(g: Graph): number {
  const floats = 4 * 64 * 32768;
  g.emit(copyKernel, { x: state("from", [floats]), y: state("to", [floats]) }, {});
  return 2 * 4 * floats;
}
