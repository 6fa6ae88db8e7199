import wgsl from "../../shaders/rows/take_rows.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "take_rows",
  source: wgsl,
  bindings: { rows: "read", indices: "read", y: "read_write" },
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
  bytes: (c) => 8 * num(c, "COUNT"),
});

/** y[b] = rows[indices[b]]; rows: (E, R) u32, indices: (B) u32, y: (B, R) u32. */
export const takeRows = defineOp({
  name: "takeRows",
  forward(g, { rows, indices }) {
    const [E, R, ...more] = rows!.shape;
    const [B, ...deep] = indices!.shape;
    if (!E || !R || !B || more.length > 0 || deep.length > 0) {
      throw new Error(
        `takeRows: rows are ${showShape(rows!.shape)}, indices ${showShape(indices!.shape)}; ` +
          "expected (E, R) and (B)",
      );
    }
    const y = g.tensor("taken_rows", [B, R], "u32");
    const tensors = { rows: rows!, indices: indices!, y };
    g.emit(kernel, tensors, { E, R, COUNT: B * R, WG: 64 });
    return { y };
  },
});
