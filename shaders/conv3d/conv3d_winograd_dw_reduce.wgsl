// Weight gradient of a 3×3×3 convolution from its parts in Winograd's F(4, 3) along z:
// dw = (ACCUMULATE ? dw : 0) + Σ_s Gᵀ parts[s].
// parts: (SPLITS, 6, COUT · CIN, 9), summed in order; dw: (COUT · CIN, 3, 9), ROWS = COUT · CIN.
// A thread does the three kz of one of ROWS · 9.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> dw: array<f32>;

struct Args {
  ROWS: u32,
  SPLITS: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

const ACCUMULATE: bool = false;
const WG: u32 = 64u;

// shared: winograd_points
const A: f32 = 0.75;
const B: f32 = 1.5;
// end
const AA: f32 = A * A;
const BB: f32 = B * B;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let count = args.ROWS * 9u;
  if (i >= count) {
    return;
  }
  var m: array<f32, 6>;
  for (var s = 0u; s < args.SPLITS; s++) {
    let at = s * 6u * count + i;
    m[0] += parts[at];
    m[1] += parts[at + count];
    m[2] += parts[at + 2u * count];
    m[3] += parts[at + 3u * count];
    m[4] += parts[at + 4u * count];
    m[5] += parts[at + 5u * count];
  }
  let fA = 1.0 / (2.0 * AA * (AA - BB));
  let fB = 1.0 / (2.0 * BB * (BB - AA));
  let sumA = (m[1] + m[2]) * fA;
  let sumB = (m[3] + m[4]) * fB;
  var g = vec3f();
  g.x = m[0] / (AA * BB) + sumA + sumB;
  g.y = A * fA * (m[1] - m[2]) + B * fB * (m[3] - m[4]);
  g.z = AA * sumA + BB * sumB + m[5];
  let to = i / 9u * 27u + i % 9u;
  for (var kz = 0u; kz < 3u; kz++) {
    if (ACCUMULATE) {
      g[kz] += dw[to + kz * 9u];
    }
    dw[to + kz * 9u] = g[kz];
  }
}
