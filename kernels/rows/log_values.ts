import wgsl from "../../shaders/rows/log_values.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "log_values",
  source: wgsl,
  bindings: { values: "read", step: "read", log: "read_write" },
  args: ["COUNT", "COLUMN", "K", "WIDTH"],
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG")),
});

/** Writes values (n) into row step[3] of log (K, W), from `column` on; a row past the end is dropped. */
export const logValues = defineOp<{ readonly column: number }>({
  name: "logValues",
  mutates: ["log"],
  forward(g, { values, step, log }, { column }) {
    const COUNT = elements(values!.shape);
    const [K = 0, WIDTH = 0] = log!.shape;
    if (column < 0 || column + COUNT > WIDTH) {
      throw new Error(
        `logValues: ${COUNT} values from column ${column} on do not fit log ${showShape(log!.shape)}`,
      );
    }
    const tensors = { values: values!, step: step!, log: log! };
    g.emit(kernel, tensors, { WG: 64 }, { COUNT, COLUMN: column, K, WIDTH });
    return {};
  },
});
