// 3-D convolution, zero padding, without subgroups or workgroup memory.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0);
// wp: (ceil(COUT / CB), 1 + CIN · K³, CB) from conv3d_pack; y: (N, COUT, D, H, W).
// Each thread computes TX × TY voxels of one z by CB output channels in private accumulators, so
// that each value loaded from x serves up to K² · CB products. Sizes need not divide the tiles.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> wp: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const N: u32 = 1u;
const CIN: u32 = 2u;
const COUT: u32 = 3u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const K: u32 = 3u;
const CT: u32 = 2u;
const C0: u32 = 0u;
const TX: u32 = 4u;
const TY: u32 = 2u;
const CB: u32 = 16u;
const WG: u32 = 64u;

const S: u32 = D * H * W;
const R: u32 = K / 2u;
const Q: u32 = CB / 4u;
const PX: u32 = TX + K - 1u;
const PY: u32 = TY + K - 1u;
const TILES_X: u32 = (W + TX - 1u) / TX;
const TILES_Y: u32 = (H + TY - 1u) / TY;
const TILES: u32 = N * D * TILES_Y * TILES_X;
const BLOCKS: u32 = (COUT + CB - 1u) / CB;
const ROWS: u32 = 1u + CIN * K * K * K;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= TILES * BLOCKS) {
    return;
  }
  let block = i / TILES;
  let x0 = i % TILES_X * TX;
  let y0 = i / TILES_X % TILES_Y * TY;
  let z0 = i / (TILES_X * TILES_Y) % D;
  let n = i % TILES / (TILES_X * TILES_Y * D);

  var row = block * ROWS * Q;
  var acc: array<vec4f, TX * TY * Q>;
  for (var v = 0u; v < TX * TY; v++) {
    for (var q = 0u; q < Q; q++) {
      acc[v * Q + q] = wp[row + q];
    }
  }
  row += Q;
  for (var ci = 0u; ci < CIN; ci++) {
    for (var kz = 0u; kz < K; kz++) {
      let z = z0 + kz - R; // wraps to a large number before the border
      let plane = ((n * CT + C0 + ci) * D + min(z, D - 1u)) * H;
      var near: array<f32, PX * PY>;
      for (var py = 0u; py < PY; py++) {
        let yy = y0 + py - R;
        let line = (plane + min(yy, H - 1u)) * W;
        for (var px = 0u; px < PX; px++) {
          let xx = x0 + px - R;
          let inside = z < D && yy < H && xx < W;
          near[py * PX + px] = select(0.0, x[line + min(xx, W - 1u)], inside);
        }
      }
      for (var ky = 0u; ky < K; ky++) {
        for (var kx = 0u; kx < K; kx++) {
          for (var q = 0u; q < Q; q++) {
            let w = wp[row + q];
            for (var v = 0u; v < TX * TY; v++) {
              acc[v * Q + q] += w * near[(v / TX + ky) * PX + v % TX + kx];
            }
          }
          row += Q;
        }
      }
    }
  }
  for (var q = 0u; q < Q; q++) {
    for (var j = 0u; j < 4u; j++) {
      let co = block * CB + q * 4u + j;
      let base = ((n * COUT + co) * D + z0) * H;
      for (var v = 0u; v < TX * TY; v++) {
        let yy = y0 + v / TX;
        let xx = x0 + v % TX;
        if (co < COUT && yy < H && xx < W) {
          y[(base + yy) * W + xx] = acc[v * Q + q][j];
        }
      }
    }
  }
}
