/**
 * 3×3×3 convolutions for GPUs whose workgroups compute a tile of voxels for some output channels, in
 * tiles of several sizes, each a variant of its own: what the shaders of blocked.ts and uniform.ts share.
 */
import type { Capabilities } from "../../src/core/kernel";
import { ceilDiv, defineKernel, grid1d, num, product } from "../../src/core/kernel";
import { sourceOf } from "../norm/normalised";
import { byRowVectorWidth, vectorWidth } from "../vector_width";
import type { ConvVariant, Geometry } from "./contract";
import { packWeights } from "./pack";

/** What a workgroup computes; `blocked_512x16` has 512 voxels by 16 output channels. */
export interface Tile {
  readonly voxels: number;
  /** A multiple of 8. */
  readonly channels: number;
}

/** Edges of a tile for rows of W voxels, and its channels. */
export function shape({ voxels, channels: CB }: Tile, W: number) {
  const TX = W > 16 ? 32 : W > 8 ? 16 : 8;
  const TY = voxels / TX >= 32 ? 8 : 4;
  return { TX, TY, TZ: voxels / (TX * TY), CB };
}

/** The needs of a tile's workgroups. */
export interface TileNeeds {
  threads(tile: Tile): number;
  /** Of workgroup memory, as the shader counts them. */
  workgroupBytes(tile: Tile, W: number): number;
}

/** @param name of the kernels is `conv3d_<name>`, of a variant `<name>_<voxels>x<channels>` */
export function tiledVariants(
  name: string,
  source: string,
  tiles: readonly Tile[],
  needs: TileNeeds,
): readonly ConvVariant[] {
  const kernel = tiledKernel(`conv3d_${name}`, source);
  return tiles.map((tile) => ({
    name: `${name}_${tile.voxels}x${tile.channels}`,
    supported: (caps) => supported(tile, needs, caps),
    fits: ({ K }) => K === 3,
    fuses: true,
    f16: true,
    momentParts: (geometry) => tilesOf(tile, geometry),
    emit(g, t, geometry) {
      const { N, CIN, COUT, D, H, W } = geometry;
      const wp = packWeights(g, t, geometry, tile.channels);
      const { from, NORM, layout } = sourceOf(g, t.x);
      const parts = t.moments ?? g.tensor("unused", [4]);
      const WIDTH = vectorWidth(W);
      const how = { ...shape(tile, W), WIDTH, NORM, STATS: Boolean(t.moments) };
      const args = { N, CIN, COUT, ...layout, D, H, W };
      g.emit(kernel(WIDTH), { ...from, wp, y: t.y, parts }, how, args);
    },
  }));
}

function tiledKernel(name: string, source: string) {
  return byRowVectorWidth(
    defineKernel({
      name,
      source,
      bindings: {
        ...{ x: "read", wp: "read", stats: "read", weight: "read", bias: "read" },
        ...{ y: "read_write", parts: "read_write" },
      },
      args: ["N", "CIN", "COUT", "CT", "C0", "CG", "D", "H", "W"],
      views: ["x"],
      storage: { V: ["x", "y"] },
      grid(c) {
        const along = (size: string, edge: string) => ceilDiv(num(c, size), num(c, edge));
        const tiles = along("W", "TX") * along("H", "TY") * along("D", "TZ");
        return grid1d(num(c, "N") * tiles * along("COUT", "CB"), 1);
      },
      flops: (c) => 2 * 27 * product(c, "N", "CIN", "COUT", "D", "H", "W"),
    }),
  );
}

function supported(
  tile: Tile,
  { threads, workgroupBytes }: TileNeeds,
  { maxInvocations, maxWorkgroupBytes }: Capabilities,
): boolean {
  const bytes = Math.max(...[8, 16, 32].map((W) => workgroupBytes(tile, W)));
  return threads(tile) <= maxInvocations && bytes <= maxWorkgroupBytes;
}

/** Tiles that a sample takes. */
function tilesOf(tile: Tile, { D, H, W }: Geometry): number {
  const { TX, TY, TZ } = shape(tile, W);
  return ceilDiv(W, TX) * ceilDiv(H, TY) * ceilDiv(D, TZ);
}
