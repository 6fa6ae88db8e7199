enable subgroups;

// 3-D convolution, zero padding, for adapters whose subgroups always have 8 invocations.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0);
// wp: (ceil(COUT / 8), 1 + CIN · K³, 8) from conv3d_pack; y: (N, COUT, D, H, W).
// A workgroup is one subgroup and computes 8 × 8 voxels of one z by 8 output channels, one channel
// per lane. The lanes load the input tile together, each value once, and hand the values round; the
// shuffles' lanes are constants once the loops are unrolled, which makes them plain broadcasts.
// Software adapters pay for loads far more than for arithmetic: this does 26 multiply-adds a load.
// Sizes need not divide the tile.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> wp: array<f32>;
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

const LANES: u32 = 8u;
const TILE: u32 = 8u;
const R: u32 = K / 2u;
const TAPS: u32 = K * K;
const P: u32 = TILE + K - 1u; // edge of the input tile
const SLOTS: u32 = (P * P + LANES - 1u) / LANES;
const TILES_X: u32 = (W + TILE - 1u) / TILE;
const TILES_Y: u32 = (H + TILE - 1u) / TILE;
const TILES: u32 = N * D * TILES_Y * TILES_X;
const BLOCKS: u32 = (COUT + LANES - 1u) / LANES;
const ROWS: u32 = 1u + CIN * TAPS * K;

var<private> acc: array<f32, TILE * TILE>;
var<private> near: array<f32, SLOTS>; // value q of the input tile is with lane q % 8 in slot q / 8
var<private> w: array<f32, TAPS>;

// One row of the tile. A function called with literals, because Mesa unrolls no loop as long as
// one over the rows would be, and arrays indexed at run time make it five times slower.
fn multiply_row(vy: u32) {
  for (var vx = 0u; vx < TILE; vx++) {
    var sum = acc[vy * TILE + vx];
    for (var t = 0u; t < TAPS; t++) {
      let q = (vy + t / K) * P + vx + t % K;
      sum = fma(w[t], subgroupShuffle(near[q / LANES], q % LANES), sum);
    }
    acc[vy * TILE + vx] = sum;
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let i = wid.y * nwg.x + wid.x;
  if (i >= TILES * BLOCKS) {
    return;
  }
  let block = i % BLOCKS;
  let tile = i / BLOCKS;
  let x0 = tile % TILES_X * TILE;
  let y0 = tile / TILES_X % TILES_Y * TILE;
  let z0 = tile / (TILES_X * TILES_Y) % D;
  let n = tile / (TILES_X * TILES_Y * D);

  // Where this lane's share of the input tile lies in a plane.
  var offset: array<u32, SLOTS>;
  var inside: array<bool, SLOTS>;
  for (var s = 0u; s < SLOTS; s++) {
    let q = s * LANES + lane;
    let xx = x0 + q % P - R; // wraps to a large number before the border
    let yy = y0 + q / P - R;
    inside[s] = xx < W && yy < H;
    offset[s] = select(0u, yy * W + xx, inside[s]);
  }

  let first = block * ROWS * LANES + lane;
  for (var vy = 0u; vy < TILE; vy++) {
    for (var vx = 0u; vx < TILE; vx++) {
      acc[vy * TILE + vx] = wp[first];
    }
  }
  for (var ci = 0u; ci < CIN; ci++) {
    for (var kz = 0u; kz < K; kz++) {
      let z = z0 + kz - R;
      let plane = ((n * CT + C0 + ci) * D + min(z, D - 1u)) * H * W;
      for (var s = 0u; s < SLOTS; s++) {
        near[s] = select(0.0, x[plane + offset[s]], inside[s] && z < D);
      }
      let row = first + (1u + (ci * K + kz) * TAPS) * LANES;
      for (var t = 0u; t < TAPS; t++) {
        w[t] = wp[row + t * LANES];
      }
      multiply_row(0u);
      multiply_row(1u);
      multiply_row(2u);
      multiply_row(3u);
      multiply_row(4u);
      multiply_row(5u);
      multiply_row(6u);
      multiply_row(7u);
    }
  }

  let co = block * LANES + lane;
  let base = ((n * COUT + co) * D + z0) * H;
  for (var vy = 0u; vy < TILE; vy++) {
    for (var vx = 0u; vx < TILE; vx++) {
      if (co < COUT && y0 + vy < H && x0 + vx < W) {
        y[(base + y0 + vy) * W + x0 + vx] = acc[vy * TILE + vx];
      }
    }
  }
}
