/** The kernels on subgroup matrices as any adapter runs them: their matrices are arrays. */
import type { Kernel } from "../src/core/kernel";

type Replacements = readonly (readonly [string | RegExp, string])[];

/**
 * Lines of both shaders and what they are without the feature: factors are where they lie in memory,
 * sums numbers, of whose elements each invocation has some. Products are noted, and done in one
 * loop whose bounds look like variables: Mesa takes minutes to unroll it.
 */
const ANY: Replacements = [
  ["enable chromium_experimental_subgroup_matrix;", ""],
  [/alias (Left|Right) = .*;/g, "alias $1 = u32;"],
  ["  @builtin(subgroup_id) id: u32,\n", ""],
  [/ {2}return subgroupMatrixLoad<.*;/g, "  return at;"],
  [
    "  return subgroupMatrixMultiplyAccumulate(l, r, sum);",
    "  products[noted] = vec3u(l, r, sum);\n  noted++;\n  return sum;",
  ],
];

/** `columns` of a matrix of sums, of which there are `count`; where element k of factors lies. */
const sums = (columns: string, count: number, left: string, right: string) =>
  `alias Sum = u32;
const EACH = ${columns} / 2u;
var<private> sums: array<f32, ${count}u * EACH>;
var<private> share: u32;
var<private> products: array<vec3u, 36>;
var<private> noted: u32;

fn multiply() {
  for (var p = 0u; p < min(noted, 36u * args.N); p++) {
    let at = products[p];
    for (var i = 0u; i < min(EACH, 8u * args.N); i++) {
      let row = (share + i) / ${columns};
      let column = (share + i) % ${columns};
      var sum = 0.0;
      for (var k = 0u; k < min(16u, 16u * args.N); k++) {
        sum += f32(${left}) * f32(${right});
      }
      sums[EACH * at.z + i] += sum;
    }
  }
  noted = 0u;
}`;

/** The text before the line that an entry point begins with. */
const own = (before: string) =>
  [before, `  let id = lane / LANES;\n  share = EACH * (lane % LANES);\n${before}`] as const;

const stored = (into: string) =>
  `  for (var i = 0u; i < min(EACH, 8u * args.N); i++) {
    ${into}[at + share + i] = sums[EACH * sum + i];
  }`;

const SPELT_OUT: Readonly<Record<string, Replacements>> = {
  conv3d_matrix: [
    ...ANY,
    own("  let edges ="),
    [
      /alias Sum = .*;/,
      sums("RUN", 8, "wp[at.x + row * EDGE + k]", "tile[at.y + column * VS + k]"),
    ],
    [/var a(\d) = Sum\(\);/g, "var a$1 = $1u;"],
    [/var b(\d) = Sum\(\);/g, "var b$1 = 4u + $1u;"],
    [/(add_plane\(.*&b3\);)/, "$1\n      multiply();"],
    ["  subgroupMatrixStore<row_major>(&results, at, sum, RUN);", stored("results")],
  ],
  conv3d_matrix_dw: [
    ...ANY,
    own("  let blocksI ="),
    [
      /alias Sum = .*;/,
      sums("EDGE", 9, "grads[at.x + row * DS + k]", "tile[at.y + k * VS + column]"),
    ],
    [/var a(\d) = Sum\(\);/g, "var a$1 = $1u;"],
    [/var b(\d) = Sum\(\);/g, "var b$1 = 3u + $1u;"],
    [/var c(\d) = Sum\(\);/g, "var c$1 = 6u + $1u;"],
    [/(add_plane\(.*&c2\);)/, "$1\n      multiply();"],
    ["  subgroupMatrixStore<row_major>(&parts, at, sum, EDGE);", stored("parts")],
  ],
};

/** @throws Error where a shader lacks a line that is replaced */
export function speltOut(kernel: Kernel): Kernel {
  const source = (SPELT_OUT[kernel.name] ?? []).reduce((text, [line, by]) => {
    const replaced = text.replace(line, by);
    if (replaced === text) throw new Error(`${kernel.name}.wgsl has no ${line}`);
    return replaced;
  }, kernel.source);
  return { ...kernel, source };
}
