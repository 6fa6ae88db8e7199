// Winograd's transform of the input along z, for F(4, 3) at the points 0, ±A, ±B and ∞
// (kernels/conv3d/winograd.ts): v = Bᵀ x of each run of six planes, four apart.
// x: (N, C, D, H, W), a channel view (CT channels a sample, first C0), W4 = W / 4, of which samples
// [FIRST, FIRST + COUNT) are read; v: (COUNT, C, ceil(D / 4), 6, H, W). Planes outside x are zero.
// BORDER: rows of v are padded with zeros to a multiple of 8, and its planes with a border of a row and
// of four columns on each side: (COUNT, C, ceil(D / 4), 6, HP, W + 8).
// NORM: x is normalised first, max((x − mean) · rstd · weight + bias, 0) with stats: (N, G, 2) =
// mean and rstd of groups of CG channels. A thread does four neighbours along x and walks along z, so
// that each plane is loaded once (and few numbers are divided by sizes, which is slow on processors).
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
const BORDER: bool = false;
const WG: u32 = 64u;

// shared: winograd_points
const A: f32 = 0.75;
const B: f32 = 1.5;
// end
const AA: f32 = A * A;
const BB: f32 = B * B;

var<private> base: u32;
var<private> inside: bool; // of the planes of x
var<private> mean: f32;
var<private> scale: f32;
var<private> shift: f32;

// Plane z; zero outside.
fn load(z: u32) -> vec4f {
  var value = x[base + min(z, args.D - 1u) * args.H * args.W4];
  if (NORM) {
    value = max((value - mean) * scale + shift, vec4f());
  }
  return select(vec4f(), value, inside && z < args.D);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  // shared: winograd_place
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  var plane = args.H * args.W4; // that is written
  if (BORDER) {
    plane = ((args.H + 7u) / 8u * 8u + 2u) * (args.W4 + 2u);
  }
  let nc = i / plane;
  if (nc >= args.COUNT * args.C) {
    return;
  }
  let at = i - nc * plane;
  var inPlane = at; // that is read
  inside = true;
  if (BORDER) {
    let row = at / (args.W4 + 2u) - 1u; // wraps to a large number before the first
    let column = at % (args.W4 + 2u) - 1u;
    inside = row < args.H && column < args.W4;
    inPlane = select(0u, row * args.W4 + column, inside);
  }
  let n = args.FIRST + nc / args.C;
  let c = nc % args.C;
  // end
  if (NORM) {
    let group = 2u * ((n * args.C + c) / args.CG);
    mean = stats[group];
    scale = stats[group + 1u] * weight[c];
    shift = bias[c];
  }
  base = (n * args.CT + args.C0 + c) * args.D * args.H * args.W4 + inPlane;
  let tiles = (args.D + 3u) / 4u;
  var p0 = vec4f(); // planes 4 · tile − 1 and on
  var p1 = load(0u);
  for (var tile = 0u; tile < tiles; tile++) {
    // shared: winograd_planes
    let p2 = load(4u * tile + 1u);
    let p3 = load(4u * tile + 2u);
    let p4 = load(4u * tile + 3u);
    let p5 = load(4u * tile + 4u);
    let to = (nc * tiles + tile) * 6u * plane + at;
    // end
    // shared: winograd_input
    let evenA = p4 - BB * p2;
    let oddA = A * (p3 - BB * p1);
    let evenB = p4 - AA * p2;
    let oddB = B * (p3 - AA * p1);
    v[to] = AA * BB * p0 - (AA + BB) * p2 + p4;
    v[to + plane] = evenA + oddA;
    v[to + 2u * plane] = evenA - oddA;
    v[to + 3u * plane] = evenB + oddB;
    v[to + 4u * plane] = evenB - oddB;
    v[to + 5u * plane] = AA * BB * p1 - (AA + BB) * p3 + p5;
    // end
    p0 = p4;
    p1 = p5;
  }
}
