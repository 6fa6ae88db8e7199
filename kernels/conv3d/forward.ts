/** Kernels for y = conv(x, w) + b; the gradient of the input is one with transposed weights. */
import naiveWgsl from "../../shaders/conv3d/conv3d_naive.wgsl" with { type: "text" };
import plainWgsl from "../../shaders/conv3d/conv3d_plain.wgsl" with { type: "text" };
import subgroupWgsl from "../../shaders/conv3d/conv3d_subgroup.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import { ceilDiv, defineKernel, grid1d, num } from "../../src/core/kernel";
import { channelLayout } from "../../src/core/tensor";
import { blockedVariants } from "./blocked";
import {
  type ConvTensors,
  type ConvVariant,
  directFlops,
  EVERYWHERE,
  type Geometry,
} from "./contract";
import { matrixVariants } from "./matrix";
import { packWeights } from "./pack";
import { emitPoint, pointFits } from "./point";
import { uniformVariants } from "./uniform";
import {
  emitWinograd,
  type WinogradKind,
  winogradLanes,
  winogradQuads,
  winogradTiles,
} from "./winograd";

const naive = defineKernel({
  name: "conv3d_naive",
  source: naiveWgsl,
  bindings: { x: "read", w: "read", b: "read", y: "read_write" },
  views: ["x"],
  storage: { X: ["x"], Y: ["y"] },
  grid: (c) => grid1d(num(c, "N") * num(c, "COUT") * num(c, "D") * num(c, "H") * num(c, "W"), 64),
  flops: directFlops,
});

function emitNaive(g: Graph, { x, w, b, y }: ConvTensors, geometry: Geometry): void {
  const how = { TRANSPOSED: !b, BIAS: Boolean(b), WG: 64 };
  g.emit(naive, { x, w, b: b ?? w, y }, { ...geometry, ...channelLayout(x), ...how });
}

const plain = defineKernel({
  name: "conv3d_plain",
  source: plainWgsl,
  bindings: { x: "read", wp: "read", y: "read_write" },
  views: ["x"],
  grid: (c) => {
    const tiles = ceilDiv(num(c, "W"), 4) * ceilDiv(num(c, "H"), 2);
    const blocks = ceilDiv(num(c, "COUT"), 8);
    return grid1d(num(c, "N") * num(c, "D") * tiles * blocks, num(c, "WG"));
  },
  flops: directFlops,
});

function emitPlain(g: Graph, t: ConvTensors, geometry: Geometry): void {
  const wp = packWeights(g, t, geometry, 8);
  g.emit(plain, { x: t.x, wp, y: t.y }, { ...geometry, ...channelLayout(t.x), WG: 64 });
}

/** The subgroup size, and with it the tile, that conv3d_subgroup.wgsl is written for. */
const LANES = 8;

const subgroup = defineKernel({
  name: "conv3d_subgroup",
  source: subgroupWgsl,
  subgroups: true,
  bindings: { x: "read", wp: "read", y: "read_write" },
  views: ["x"],
  grid: (c) => {
    const tiles = ceilDiv(num(c, "W"), LANES) * ceilDiv(num(c, "H"), LANES);
    return grid1d(num(c, "N") * num(c, "D") * tiles * ceilDiv(num(c, "COUT"), LANES), 1);
  },
  flops: directFlops,
});

function emitSubgroup(g: Graph, t: ConvTensors, geometry: Geometry): void {
  const wp = packWeights(g, t, geometry, LANES);
  g.emit(subgroup, { x: t.x, wp, y: t.y }, { ...geometry, ...channelLayout(t.x) });
}

const winograd = (name: string, kind: WinogradKind): ConvVariant => ({
  name,
  supported: kind.supported,
  slowOn: ["hardware"],
  fits: (geometry) => kind.fits(geometry) && geometry.CIN >= kind.fewest,
  fuses: true,
  momentParts: winogradTiles(kind),
  emit: emitWinograd(kind),
});

export const convVariants: readonly ConvVariant[] = [
  {
    name: "point",
    supported: () => true,
    fits: pointFits,
    fuses: true,
    f16: true,
    emit: emitPoint,
  },
  winograd("winograd", winogradLanes),
  winograd("winograd_quad", winogradQuads),
  { name: "subgroup", supported: (caps) => caps.subgroupSize === LANES, emit: emitSubgroup },
  { name: "plain", supported: () => true, emit: emitPlain },
  ...blockedVariants,
  ...matrixVariants,
  ...uniformVariants,
  { name: "naive", supported: () => true, slowOn: EVERYWHERE, f16: true, emit: emitNaive },
];
