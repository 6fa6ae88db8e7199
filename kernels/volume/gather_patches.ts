import wgsl from "../../shaders/volume/gather_patches.wgsl" with { type: "text" };
import type { Graph } from "../../src/core/graph";
import type { Capabilities, Consts, Kernel } from "../../src/core/kernel";
import { defineKernel, grid1d, num, product } from "../../src/core/kernel";
import type { Tensors } from "../../src/core/op";
import { defineOp } from "../../src/core/op";
import type { Precision, Tensor } from "../../src/core/tensor";
import { showShape } from "../../src/core/tensor";

const kernel = defineKernel({
  name: "gather_patches",
  source: wgsl,
  bindings: { page: "read", table: "read", coords: "read", x: "read_write", y: "read_write" },
  args: ["page", "N"],
  storage: { T: ["x"] },
  grid: (c) => grid1d(num(c, "N") * num(c, "CHUNKS"), 1),
  bytes: gatherBytes,
});

/** Bytes that a gather moves: each voxel of a patch once. */
export function gatherBytes(c: Consts): number {
  const words = (c.HALF ? 1 : 2) + (c.DIFFERENCE ? 3 : 2) + (c.LABEL ? 1 : 0);
  return 4 * product(c, "N", "PD", "PH", "PW") * words;
}

/** How the voxels of a patch are cut: many to a workgroup, which reads its row first, but on a GPU few. */
export interface GatherTile {
  readonly WG: number;
  /** Voxels of a thread. */
  readonly VPT: number;
}

const SOFTWARE_TILE: GatherTile = { WG: 64, VPT: 64 };
const PLAIN_TILE: GatherTile = { WG: 128, VPT: 4 };

export interface PatchAttrs {
  /** Depth, height and width of a patch, voxels. */
  readonly size: readonly [number, number, number];
  /** Both visits of a voxel in one word as half-precision floats; else one float32 a word. */
  readonly half: boolean;
}

/**
 * Checks the volume inputs `page0`, `page1`, …, `table` and `coords` that ops on device-resident
 * volumes share, and gives the pages.
 */
export function pagesOf(op: string, { table, coords, ...rest }: Tensors, words = 4): Tensor[] {
  if (table?.shape[1] !== 8 || coords?.shape[1] !== words) {
    throw new Error(
      `${op}: table is ${showShape(table?.shape ?? [])}, coords are ` +
        `${showShape(coords?.shape ?? [])}; expected V×8 and N×${words}`,
    );
  }
  const pages: Tensor[] = [];
  for (let page = rest.page0; page; page = rest[`page${pages.length}`]) pages.push(page);
  if (pages.length === 0) throw new Error(`${op}: there is no page0; expected at least one page`);
  return pages;
}

/** One launch per page: each does the patches whose volume lies on it. */
export function emitPerPage(
  g: Graph,
  kernel: Kernel,
  pages: readonly Tensor[],
  tensors: Tensors,
  consts: Consts,
  args: Readonly<Record<string, number>> = {},
): void {
  for (const [i, page] of pages.entries())
    g.emit(kernel, { ...tensors, page }, consts, { ...args, page: i });
}

export interface GatherAttrs extends PatchAttrs {
  readonly label: boolean;
  /** A third channel of x: visit 2 − visit 1. */
  readonly difference?: boolean;
  /** How x is stored: f32 if absent. */
  readonly dtype?: Precision;
}

/** Constants that the gathering shaders share; `onGpu` is how a GPU cuts patches. */
export function gatherConsts(
  { size, half, label, difference = false }: GatherAttrs,
  { kind }: Capabilities,
  onGpu: GatherTile,
) {
  const [PD, PH, PW] = size;
  const { WG, VPT } = kind === "hardware" ? onGpu : SOFTWARE_TILE;
  const CHUNKS = Math.ceil((PD * PH * PW) / (WG * VPT));
  return { PD, PH, PW, CHUNKS, WG, VPT, HALF: half, LABEL: label, DIFFERENCE: difference };
}

/**
 * Cuts patches out of volumes that live on the device; the layout of pages, table and coords is
 * that of shaders/volume/gather_patches.wgsl. coords: (n, 4) u32 = volume, z, y, x of the corner (i32 bits);
 * x: (n, 2 or 3, D, H, W); y: (n, 1, D, H, W) with `label`. Outside its volume a patch repeats the edge
 * of the image, and the label is 0. Every volume must lie on one of the pages.
 */
export const gatherPatches = defineOp<GatherAttrs>({
  name: "gatherPatches",
  forward(g, inputs, attrs) {
    const { size, label, difference, dtype } = attrs;
    const pages = pagesOf("gatherPatches", inputs);
    const { table, coords } = inputs as { table: Tensor; coords: Tensor };
    const N = coords.shape[0]!;
    const x = g.tensor("patches", [N, difference ? 3 : 2, ...size], dtype);
    // Without labels the binding still needs a buffer; nothing is written to it.
    const y = g.tensor("patch_labels", label ? [N, 1, ...size] : [1]);
    const consts = gatherConsts(attrs, g.caps, PLAIN_TILE);
    emitPerPage(g, kernel, pages, { table, coords, x, y }, consts, { N });
    const outputs: Tensors = label ? { x, y } : { x };
    return outputs;
  },
});
