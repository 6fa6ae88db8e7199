import forwardWgsl from "../../shaders/resize/max_pool3d.wgsl" with { type: "text" };
import dxWgsl from "../../shaders/resize/max_pool3d_dx.wgsl" with { type: "text" };
import normWgsl from "../../shaders/resize/norm_max_pool3d.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { defineOp } from "../../src/core/op";
import type { Tensor } from "../../src/core/tensor";
import { channelLayout, showShape, volumeSizes } from "../../src/core/tensor";
import { normalisedOf } from "../norm/normalised";

/** What 2×2×2 windows leave of an edge: a last odd plane is dropped, as in PyTorch. */
const halved = (n: number) => Math.floor(n / 2);

const forward = defineKernel({
  name: "max_pool3d",
  source: forwardWgsl,
  bindings: { x: "read", y: "read_write", argmax: "read_write" },
  views: ["x"],
  storage: { T: ["x", "y"] },
  grid(c) {
    const [D, H, W] = [num(c, "D"), num(c, "H"), num(c, "W")];
    return grid1d(num(c, "N") * num(c, "C") * halved(D) * halved(H) * halved(W), num(c, "WG"));
  },
  flops: (c) => product(c, "N", "C", "D", "H", "W"),
});

const normForward = defineKernel({
  name: "norm_max_pool3d",
  source: normWgsl,
  bindings: {
    ...{ x: "read", stats: "read", weight: "read", bias: "read" },
    ...{ y: "read_write", pooled: "read_write", argmax: "read_write" },
  },
  args: ["N", "C", "CG", "D", "H", "W4", "Y_CT", "Y_C0"],
  views: ["y"],
  storage: { V: ["x", "y"], P: ["pooled"] },
  grid: (c) => grid1d(product(c, "N", "C", "D", "H", "W4") / 4, num(c, "WG")),
  flops: (c) => 20 * product(c, "N", "C", "D", "H", "W4"),
});

const dx = defineKernel({
  name: "max_pool3d_dx",
  source: dxWgsl,
  bindings: { dy: "read", argmax: "read", dx: "read_write" },
  views: ["dy"],
  storage: { T: ["dy", "dx"] },
  grid(c) {
    const [D, H, W] = [num(c, "D"), num(c, "H"), num(c, "W")];
    const cells = halved(D + 1) * halved(H + 1) * halved(W + 1);
    return grid1d(num(c, "N") * num(c, "C") * cells, num(c, "WG"));
  },
});

type Pooled = Readonly<Record<"y" | "argmax", Tensor>>;

/** Writes the normalised tensor and pools it in one pass, where its sizes allow. */
function emitBehindNorm(g: Graph, x: Tensor, { y: pooled, argmax }: Pooled): boolean {
  const norm = normalisedOf(x);
  const { N, C, D, H, W } = volumeSizes(x.shape);
  if (!norm || g.isWritten(x) || W % 4 !== 0 || H % 2 !== 0 || D % 2 !== 0) return false;
  const y = g.takeOver(x);
  const { CT: Y_CT, C0: Y_C0 } = channelLayout(y);
  const args = { N, C, CG: C / norm.groups, D, H, W4: W / 4, Y_CT, Y_C0 };
  g.emit(normForward, { ...norm.inputs, y, pooled, argmax }, { WG: 64 }, args);
  return true;
}

/**
 * 2×2×2 max pooling with stride 2. x: (N, C, D, H, W), a channel view perhaps → y, argmax:
 * (N, C, ⌊D/2⌋, ⌊H/2⌋, ⌊W/2⌋). argmax (u32) is 4·dz + 2·dy + dx of the first maximum in that order,
 * the one that PyTorch picks.
 */
export const maxPool3d = defineOp({
  name: "maxPool3d",
  defers: ["x"],
  forward(g, { x: given }) {
    if (given?.shape.length !== 5 || given.shape.slice(2).some((n) => n < 2)) {
      const shape = given && showShape(given.shape);
      throw new Error(`maxPool3d: x is ${shape}; expected N×C×D×H×W with D, H, W of 2 or more`);
    }
    const shape = [given.shape[0]!, given.shape[1]!, ...given.shape.slice(2).map(halved)];
    const y = g.tensor("pooled", shape, given.dtype);
    const argmax = g.tensor("argmax", shape, "u32");
    if (!emitBehindNorm(g, given, { y, argmax })) {
      const x = g.materialise(given);
      const { CT: X_CT, C0: X_C0 } = channelLayout(x);
      g.emit(forward, { x, y, argmax }, { ...volumeSizes(x.shape), X_CT, X_C0, WG: 64 });
    }
    return { y, argmax };
  },
  backward(g, { inputs, outputs }, { y: dy }) {
    const x = inputs.x!;
    const into = g.tensor("dx", x.shape, x.dtype);
    const { CT: DY_CT, C0: DY_C0 } = channelLayout(dy!);
    const consts = { ...volumeSizes(x.shape), DY_CT, DY_C0, WG: 64 };
    g.emit(dx, { dy: dy!, argmax: outputs.argmax!, dx: into }, consts);
    return { x: into };
  },
});
