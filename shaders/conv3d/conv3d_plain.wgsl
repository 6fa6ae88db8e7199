// 3-D convolution, zero padding, without subgroups, workgroup memory or arrays of registers.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0);
// wp: (ceil(COUT / 8), 1 + CIN · K³, 8) from conv3d_pack; y: (N, COUT, D, H, W).
// Each thread computes 4 × 2 voxels of one z by 8 output channels. The sums are matrices, one
// column per channel and one row per voxel along x: SwiftShader unrolls no loop and keeps only
// what is not an array in registers. Sizes need not divide the tile.
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
const WG: u32 = 64u;

const TX: u32 = 4u;
const TY: u32 = 2u;
const CB: u32 = 8u;
const R: u32 = K / 2u;
const TILES_X: u32 = (W + TX - 1u) / TX;
const TILES_Y: u32 = (H + TY - 1u) / TY;
const TILES: u32 = N * D * TILES_Y * TILES_X;
const BLOCKS: u32 = (COUT + CB - 1u) / CB;
const ROWS: u32 = 1u + CIN * K * K * K;

// x at column xx of the row that begins at `row`, 0 outside.
fn load(row: u32, xx: u32, valid: bool) -> f32 {
  return select(0.0, x[row + min(xx, W - 1u)], valid && xx < W);
}

fn load4(row: u32, xx: u32, valid: bool) -> vec4f {
  return vec4f(
    load(row, xx, valid),
    load(row, xx + 1u, valid),
    load(row, xx + 2u, valid),
    load(row, xx + 3u, valid),
  );
}

fn add_products(sums: mat4x4f, v: vec4f, w: vec4f) -> mat4x4f {
  return mat4x4f(
    sums[0] + v * w.x,
    sums[1] + v * w.y,
    sums[2] + v * w.z,
    sums[3] + v * w.w,
  );
}

fn constant_columns(w: vec4f) -> mat4x4f {
  return mat4x4f(vec4f(w.x), vec4f(w.y), vec4f(w.z), vec4f(w.w));
}

fn store4(n: u32, co: u32, z: u32, yy: u32, x0: u32, sums: vec4f) {
  if (co >= COUT || yy >= H) {
    return;
  }
  let at = (((n * COUT + co) * D + z) * H + yy) * W + x0;
  y[at] = sums.x;
  if (x0 + 1u < W) {
    y[at + 1u] = sums.y;
  }
  if (x0 + 2u < W) {
    y[at + 2u] = sums.z;
  }
  if (x0 + 3u < W) {
    y[at + 3u] = sums.w;
  }
}

fn store(n: u32, co: u32, z: u32, yy: u32, x0: u32, sums: mat4x4f) {
  store4(n, co, z, yy, x0, sums[0]);
  store4(n, co + 1u, z, yy, x0, sums[1]);
  store4(n, co + 2u, z, yy, x0, sums[2]);
  store4(n, co + 3u, z, yy, x0, sums[3]);
}

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

  var row = block * ROWS * 2u; // of wp, two vectors each
  var a0 = constant_columns(wp[row]); // upper voxels, channels 0–3 of the block
  var a1 = constant_columns(wp[row + 1u]); // channels 4–7
  var b0 = a0; // lower voxels
  var b1 = a1;
  for (var ci = 0u; ci < CIN; ci++) {
    for (var kz = 0u; kz < K; kz++) {
      let z = z0 + kz - R; // wraps to a large number before the border
      let plane = ((n * CT + C0 + ci) * D + min(z, D - 1u)) * H;
      for (var ky = 0u; ky < K; ky++) {
        let ya = y0 + ky - R;
        let yb = ya + 1u;
        let row_a = (plane + min(ya, H - 1u)) * W;
        let row_b = (plane + min(yb, H - 1u)) * W;
        let valid_a = z < D && ya < H;
        let valid_b = z < D && yb < H;
        let va = load4(row_a, x0, valid_a);
        let vb = load4(row_b, x0, valid_b);
        if (K == 3u) {
          let left_a = vec4f(load(row_a, x0 - 1u, valid_a), va.xyz);
          let left_b = vec4f(load(row_b, x0 - 1u, valid_b), vb.xyz);
          row += 2u;
          a0 = add_products(a0, left_a, wp[row]);
          a1 = add_products(a1, left_a, wp[row + 1u]);
          b0 = add_products(b0, left_b, wp[row]);
          b1 = add_products(b1, left_b, wp[row + 1u]);
        }
        row += 2u;
        a0 = add_products(a0, va, wp[row]);
        a1 = add_products(a1, va, wp[row + 1u]);
        b0 = add_products(b0, vb, wp[row]);
        b1 = add_products(b1, vb, wp[row + 1u]);
        if (K == 3u) {
          let right_a = vec4f(va.yzw, load(row_a, x0 + 4u, valid_a));
          let right_b = vec4f(vb.yzw, load(row_b, x0 + 4u, valid_b));
          row += 2u;
          a0 = add_products(a0, right_a, wp[row]);
          a1 = add_products(a1, right_a, wp[row + 1u]);
          b0 = add_products(b0, right_b, wp[row]);
          b1 = add_products(b1, right_b, wp[row + 1u]);
        }
      }
    }
  }
  store(n, block * CB, z0, y0, x0, a0);
  store(n, block * CB + 4u, z0, y0, x0, a1);
  store(n, block * CB, z0, y0 + 1u, x0, b0);
  store(n, block * CB + 4u, z0, y0 + 1u, x0, b1);
}
