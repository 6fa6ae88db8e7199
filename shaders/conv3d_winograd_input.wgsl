// Winograd's transform of the input along z, for F(4, 3) at the points 0, ±A, ±B and ∞
// (kernels/conv3d_winograd.ts): v = Bᵀ x of each run of six planes, four apart.
// x: (N, C, D, H, W), a channel view (CT channels a sample, first C0), W4 = W / 4, of which samples
// [FIRST, FIRST + COUNT) are read; v: (COUNT, C, ceil(D / 4), 6, H, W). Planes outside x are zero.
// NORM: x is normalised first, max((x − mean) · rstd · weight + bias, 0) with stats: (N, G, 2) =
// mean and rstd of groups of CG channels. A thread does four neighbours along x.
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<vec4f>;

struct Args {
  FIRST: u32,
  COUNT: u32,
  C: u32,
  CT: u32,
  C0: u32,
  CG: u32,
  D: u32,
  H: u32,
  W4: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const NORM: bool = false;
const WG: u32 = 64u;

const A: f32 = 0.75;
const B: f32 = 1.5;
const AA: f32 = A * A;
const BB: f32 = B * B;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let plane = args.H * args.W4;
  let tiles = (args.D + 3u) / 4u;
  if (i >= args.COUNT * args.C * tiles * plane) {
    return;
  }
  let at = i % plane;
  let tile = i / plane % tiles;
  let nc = i / (plane * tiles);
  let n = args.FIRST + nc / args.C;
  let c = nc % args.C;
  var mean = 0.0;
  var scale = 1.0;
  var shift = 0.0;
  if (NORM) {
    let group = 2u * ((n * args.C + c) / args.CG);
    mean = stats[group];
    scale = stats[group + 1u] * weight[c];
    shift = bias[c];
  }
  let base = (n * args.CT + args.C0 + c) * args.D * plane + at;
  var d: array<vec4f, 6>;
  for (var p = 0u; p < 6u; p++) {
    let z = 4u * tile + p - 1u; // wraps to a large number before the first plane
    var value = x[base + min(z, args.D - 1u) * plane];
    if (NORM) {
      value = max((value - mean) * scale + shift, vec4f());
    }
    d[p] = select(vec4f(), value, z < args.D);
  }
  let evenA = d[4] - BB * d[2];
  let oddA = A * (d[3] - BB * d[1]);
  let evenB = d[4] - AA * d[2];
  let oddB = B * (d[3] - AA * d[1]);
  let to = (nc * tiles + tile) * 6u * plane + at;
  v[to] = AA * BB * d[0] - (AA + BB) * d[2] + d[4];
  v[to + plane] = evenA + oddA;
  v[to + 2u * plane] = evenA - oddA;
  v[to + 3u * plane] = evenB + oddB;
  v[to + 4u * plane] = evenB - oddB;
  v[to + 5u * plane] = AA * BB * d[1] - (AA + BB) * d[3] + d[5];
}
