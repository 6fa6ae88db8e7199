// Weights of a 3×3×3 convolution, transformed for F(4, 3) along z and packed as conv3d_winograd.wgsl
// reads them: u = G w. w: (COUT, CIN, 3, 3, 3);
// u: (ceil(COUT / 8), 6, CIN, 3, 8, 4): the nine taps of a plane in three vectors, a lane per output
// channel; 0 after the last tap and where the last block passes COUT.
// TRANSPOSED packs for the gradient of the input: COUT and CIN are those of the transposed
// convolution, w is (CIN, COUT, 3, 3, 3), taps are reversed. A thread does six elements.
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read_write> u: array<f32>;

struct Args {
  CIN: u32,
  COUT: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

const TRANSPOSED: bool = false;
const WG: u32 = 64u;

// shared: winograd_points
const A: f32 = 0.75;
const B: f32 = 1.5;
// end
const AA: f32 = A * A;
const BB: f32 = B * B;
const SLOTS: u32 = 96u; // of a block's row: 3 vectors × 8 lanes × 4

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= (args.COUT + 7u) / 8u * args.CIN * SLOTS) {
    return;
  }
  let slot = i % SLOTS;
  let ci = i / SLOTS % args.CIN;
  let block = i / (SLOTS * args.CIN);
  let co = block * 8u + slot / 4u % 8u;
  let tap = slot / 32u * 4u + slot % 4u;
  var g = vec3f();
  if (co < args.COUT && tap < 9u) {
    for (var kz = 0u; kz < 3u; kz++) {
      let t = kz * 9u + tap;
      if (TRANSPOSED) {
        g[kz] = w[(ci * args.COUT + co) * 27u + 26u - t];
      } else {
        g[kz] = w[(co * args.CIN + ci) * 27u + t];
      }
    }
  }
  let evenA = (g.x + AA * g.z) / (2.0 * AA * (AA - BB));
  let oddA = A * g.y / (2.0 * AA * (AA - BB));
  let evenB = (g.x + BB * g.z) / (2.0 * BB * (BB - AA));
  let oddB = B * g.y / (2.0 * BB * (BB - AA));
  let row = args.CIN * SLOTS;
  let to = (block * 6u * args.CIN + ci) * SLOTS + slot;
  u[to] = g.x / (AA * BB);
  u[to + row] = evenA + oddA;
  u[to + 2u * row] = evenA - oddA;
  u[to + 3u * row] = evenB + oddB;
  u[to + 4u * row] = evenB - oddB;
  u[to + 5u * row] = g.z;
}
