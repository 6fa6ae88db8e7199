/**
 * Weight gradient of a 3×3×3 convolution of f16 tensors on subgroup matrices (conv3d_matrix_dw.wgsl):
 * factors as f16, sums as f32. x and dy are stored so already; after a norm x is rounded once more.
 */
import dwWgsl from "../../shaders/conv3d/conv3d_matrix_dw.wgsl" with { type: "text" };
import reduceWgsl from "../../shaders/conv3d/conv3d_matrix_dw_reduce.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { elements } from "../../src/core/tensor";
import { sourceOf } from "../norm/normalised";
import { byRowVectorWidth, vectorWidth } from "../vector_width";
import type { Geometry, GradientTensors, WeightGradientVariant } from "./contract";
import { EDGE, LANES, multiplies, WIDE } from "./matrix";

/** Edges of a column of voxels; each 16 × 4 of them are what a subgroup sums over. */
interface Column {
  readonly TX: 16 | 32;
  readonly TY: 4 | 8;
}

const runsOf = ({ TX, TY }: Column) => (TX / EDGE) * (TY / 4);
const threads = (column: Column, outputs: number) => (3 * runsOf(column) * LANES * outputs) / EDGE;

/** Bytes of workgroup memory with VS elements a voxel: four planes of x and two of dy. */
const bytes = ({ TX, TY }: Column, outputs: number, VS: number) =>
  2 * (4 * (TX + 2) * (TY + 2) * VS + 2 * outputs * (TX * TY + 8));

/** The column for rows of W voxels; undefined where none fits into workgroup memory. */
function columnFor(outputs: number, W: number, caps: Capabilities): Column | undefined {
  const columns: readonly Column[] = [
    { TX: 32, TY: 4 },
    { TX: 16, TY: 8 },
    { TX: 16, TY: 4 },
  ];
  return columns.find(
    (column) =>
      (W > 16 || column.TX === 16) &&
      threads(column, outputs) % 64 === 0 && // the threads that load 16 channels together
      threads(column, outputs) <= caps.maxInvocations &&
      bytes(column, outputs, EDGE) <= caps.maxWorkgroupBytes,
  );
}

function supported(outputs: number, caps: Capabilities): boolean {
  const able = multiplies(caps, 16) && caps.shaderF16 && caps.subgroupSize === LANES;
  return able && columnFor(outputs, EDGE, caps) !== undefined;
}

const dwKernel = byRowVectorWidth(
  defineKernel({
    name: "conv3d_matrix_dw",
    source: dwWgsl,
    subgroups: true,
    bindings: {
      ...{ x: "read", dy: "read", stats: "read", weight: "read", bias: "read" },
      parts: "read_write",
    },
    args: ["N", "CIN", "COUT", "CT", "C0", "CG", "D", "H", "W", "SPLITS"],
    views: ["x"],
    storage: { X: ["x"], Y: ["dy"] },
    grid(c) {
      const blocks = ceilDiv(num(c, "CIN"), EDGE) * ceilDiv(num(c, "COUT"), EDGE * num(c, "COB"));
      return grid1d(blocks * num(c, "SPLITS"), 1);
    },
    flops: (c) => 2 * 27 * product(c, "N", "CIN", "COUT", "D", "H", "W"),
  }),
);

const reduce = defineKernel({
  name: "conv3d_matrix_dw_reduce",
  source: reduceWgsl,
  bindings: { parts: "read", dw: "read_write" },
  args: ["CIN", "COUT", "SPLITS", "COUNT"],
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "ELEMENTS")),
  flops: (c) => product(c, "COUNT", "SPLITS"),
});

/** Two for each multiprocessor of an H100, which is what its registers hold. */
const WORKGROUPS = 264;

function emit(
  g: Graph,
  { x, dy: given, dw }: GradientTensors,
  { N, CIN, COUT, D, H, W }: Geometry,
  accumulate: boolean,
  outputs: number,
): void {
  const dy = g.materialise(given);
  const column = columnFor(outputs, W, g.caps)!;
  const { TX, TY } = column;
  const columns = N * ceilDiv(H, TY) * ceilDiv(W, TX);
  const COB = outputs / EDGE;
  const [inputBlocks, outputBlocks] = [ceilDiv(CIN, EDGE), ceilDiv(COUT, outputs)];
  const SPLITS = Math.min(columns, ceilDiv(WORKGROUPS, inputBlocks * outputBlocks));
  const shape = [SPLITS * runsOf(column), outputBlocks * COB, inputBlocks, 27, EDGE, EDGE];
  const parts = g.tensor("dw_partial", shape);
  const { from, NORM, layout } = sourceOf(g, x);
  const WIDTH = vectorWidth(W);
  const VS = bytes(column, outputs, WIDE) <= g.caps.maxWorkgroupBytes ? WIDE : EDGE;
  const args = { N, CIN, COUT, ...layout, D, H, W, SPLITS };
  const how = { TX, TY, COB, VS, WIDTH, NORM };
  g.emit(dwKernel(WIDTH), { ...from, dy, parts }, how, args);
  const COUNT = elements(shape.slice(1));
  const shares = { ELEMENTS: 32, SHARES: 8, ACCUMULATE: accumulate };
  g.emit(reduce, { parts, dw }, shares, { CIN, COUT, SPLITS: shape[0]!, COUNT });
}

/** `outputs`: output channels of a workgroup, beside 16 input channels. */
export const matrixGradient = (outputs: 16 | 32): WeightGradientVariant => ({
  name: `matrix_${EDGE}x${outputs}`,
  supported: (caps) => supported(outputs, caps),
  fits: ({ K }) => K === 3,
  fuses: true,
  f16: "only",
  emit: (g, t, geometry, accumulate) => emit(g, t, geometry, accumulate, outputs),
});
/** With 16 output channels more fits into the 32 KiB of lavapipe, where tests run it. */
export const matrixGradients: readonly WeightGradientVariant[] = [matrixGradient(32)];
