// Winograd's transforms of the gradient of a convolution's output along z, for F(4, 3) at the points
// 0, ±A, ±B and ∞ (kernels/conv3d_winograd.ts): d = A dy of each run of four planes, for the weight
// gradient, and, with DX, v = Bᵀ dy of each run of six planes, four apart, for the input gradient.
// dy: (N, C, D, H, W), a channel view (CT channels a sample, first C0), W4 = W / 4, of which samples
// [FIRST, FIRST + COUNT) are read; d, v: (COUNT, C, ceil(D / 4), 6, H, W). Planes outside are zero.
// NORM: dy is the gradient behind a group normalisation with ReLU of x (group_norm_dx.wgsl), and is
// taken back through it first. A thread does four neighbours along x.
@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> means: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> d: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> v: array<vec4f>;

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
@group(0) @binding(8) var<uniform> args: Args;

const NORM: bool = false;
const DX: bool = true;
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
  var scale = 0.0;
  var shift = 0.0;
  var constant = 0.0;
  var slope = 0.0;
  if (NORM) {
    let group = 2u * ((n * args.C + c) / args.CG);
    mean = stats[group];
    let rstd = stats[group + 1u];
    scale = rstd * weight[c];
    shift = bias[c];
    constant = rstd * means[group];
    slope = rstd * rstd * means[group + 1u];
  }
  let base = (n * args.CT + args.C0 + c) * args.D * plane + at;
  let xBase = (n * args.C + c) * args.D * plane + at;
  var g: array<vec4f, 6>; // planes 4 · tile − 1 and on
  for (var p = select(1u, 0u, DX); p < select(5u, 6u, DX); p++) {
    let z = 4u * tile + p - 1u; // wraps to a large number before the first plane
    let offset = min(z, args.D - 1u) * plane;
    var value = dy[base + offset];
    if (NORM) {
      let centred = x[xBase + offset] - mean;
      value = select(vec4f(), value, centred * scale + shift > vec4f());
      value = scale * value - constant - slope * centred;
    }
    g[p] = select(vec4f(), value, z < args.D);
  }
  let to = (nc * tiles + tile) * 6u * plane + at;
  let evenA = g[1] + AA * g[3];
  let oddA = A * (g[2] + AA * g[4]);
  let evenB = g[1] + BB * g[3];
  let oddB = B * (g[2] + BB * g[4]);
  d[to] = g[1];
  d[to + plane] = evenA + oddA;
  d[to + 2u * plane] = evenA - oddA;
  d[to + 3u * plane] = evenB + oddB;
  d[to + 4u * plane] = evenB - oddB;
  d[to + 5u * plane] = g[4];
  if (DX) {
    let evenVA = g[4] - BB * g[2];
    let oddVA = A * (g[3] - BB * g[1]);
    let evenVB = g[4] - AA * g[2];
    let oddVB = B * (g[3] - AA * g[1]);
    v[to] = AA * BB * g[0] - (AA + BB) * g[2] + g[4];
    v[to + plane] = evenVA + oddVA;
    v[to + 2u * plane] = evenVA - oddVA;
    v[to + 3u * plane] = evenVB + oddVB;
    v[to + 4u * plane] = evenVB - oddVB;
    v[to + 5u * plane] = AA * BB * g[1] - (AA + BB) * g[3] + g[5];
  }
}
