import wgsl from "../../shaders/rows/write_slice.wgsl" with { type: "text" };
import { defineKernel, grid1d, num } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import { elements, showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "write_slice",
  source: wgsl,
  bindings: { src: "read", dst: "read_write" },
  args: ["offset", "COUNT"],
  grid: (c) => grid1d(num(c, "COUNT"), num(c, "WG") * num(c, "VPT")),
  bytes: (c) => 8 * num(c, "COUNT"),
});

/** dst[offset + i] = src[i] over all of src, both taken as flat; the rest of dst stays. */
export const writeSlice = defineOp<{ readonly offset: number }>({
  name: "writeSlice",
  mutates: ["dst"],
  forward(g, { dst, src }, { offset }) {
    const COUNT = elements(src!.shape);
    if (!Number.isInteger(offset) || offset < 0 || offset + COUNT > elements(dst!.shape)) {
      throw new Error(
        `writeSlice: src (${showShape(src!.shape)}) at ${offset} does not fit into dst ` +
          `(${showShape(dst!.shape)})`,
      );
    }
    g.emit(kernel, { src: src!, dst: dst! }, { WG: 64, VPT: 8 }, { offset, COUNT });
    return {};
  },
});
