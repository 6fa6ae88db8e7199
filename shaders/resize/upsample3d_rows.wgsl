// Trilinear upsampling ×2 where W is a multiple of 4.  x: (N, C, D, H, W); y: (N, C, 2D, 2H, 2W), may
// be a channel view; both in vectors along x, W4 = W / 4. As upsample3d.wgsl, but a thread makes the
// 2×2×8 outputs of four x cells and walks along z: a plane of x is loaded and interpolated once and
// serves the planes below and above it too. One thread per (n, c, chunk of RUN planes, y, four x).
// NORM: x is normalised first, max((x − mean) · rstd · weight + bias, 0) with stats: (N, G, 2) = mean
// and rstd of groups of CG channels.
alias V = vec4f; // or of f16
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;

struct Args {
  N: u32,
  C: u32,
  CG: u32,
  D: u32,
  H: u32,
  W4: u32,
  Y_CT: u32,
  Y_C0: u32,
  RUN: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const ALIGN: bool = true; // align_corners
const NORM: bool = false;
const WG: u32 = 64u;

// shared: upsampling_weights
// Weights of x[k − 1] in output 2k and of x[k + 1] in output 2k + 1; the rest is x[k]'s.
fn weights(k: u32, n: u32) -> vec2f {
  if (ALIGN) {
    return vec2f(f32(k), f32(n - 1u - k)) / f32(2u * n - 1u);
  }
  return vec2f(select(0.25, 0.0, k == 0u), select(0.25, 0.0, k + 1u == n));
}
// end

// Eight outputs along x of one row, the even ones and the odd ones.
struct Row {
  even: vec4f,
  odd: vec4f,
}

var<private> mean: f32;
var<private> scale: f32;
var<private> shift: f32;

fn load(at: u32) -> vec4f {
  let value = vec4f(x[at]);
  if (NORM) {
    return max((value - mean) * scale + shift, vec4f());
  }
  return value;
}

fn row(base: u32, k: u32, below: vec4f, above: vec4f) -> Row {
  let here = load(base + k);
  let left = load(base + max(k, 1u) - 1u).w;
  let right = load(base + min(k + 1u, args.W4 - 1u)).x;
  let even = here + below * (vec4f(left, here.xyz) - here);
  return Row(even, here + above * (vec4f(here.yzw, right) - here));
}

// Rows 2y and 2y + 1 of outputs, in one plane of x.
struct Plane {
  low: Row,
  high: Row,
}

fn mixRows(here: Row, other: Row, w: f32) -> Row {
  return Row(here.even + w * (other.even - here.even), here.odd + w * (other.odd - here.odd));
}

fn plane(base: u32, at: vec2u, wx: mat2x4f, wy: vec2f) -> Plane {
  let below = row(base + (max(at.y, 1u) - 1u) * args.W4, at.x, wx[0], wx[1]);
  let here = row(base + at.y * args.W4, at.x, wx[0], wx[1]);
  let above = row(base + min(at.y + 1u, args.H - 1u) * args.W4, at.x, wx[0], wx[1]);
  return Plane(mixRows(here, below, wy.x), mixRows(here, above, wy.y));
}

fn write(at: u32, r: Row) {
  y[at] = V(vec4f(r.even.x, r.odd.x, r.even.y, r.odd.y));
  y[at + 1u] = V(vec4f(r.even.z, r.odd.z, r.even.w, r.odd.w));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let C = args.C;
  let D = args.D;
  let H = args.H;
  let W4 = args.W4;
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let chunks = (D + args.RUN - 1u) / args.RUN;
  if (i >= args.N * C * chunks * H * W4) {
    return;
  }
  let at = vec2u(i % W4, i / W4 % H);
  let start = i / (W4 * H) % chunks * args.RUN;
  let nc = i / (W4 * H * chunks);
  if (NORM) {
    let group = 2u * (nc / args.CG);
    mean = stats[group];
    scale = stats[group + 1u] * weight[nc % C];
    shift = bias[nc % C];
  }
  let k = 4u * at.x;
  let W = 4u * W4;
  let wx = transpose(
    mat4x2f(weights(k, W), weights(k + 1u, W), weights(k + 2u, W), weights(k + 3u, W)),
  );
  let wy = weights(at.y, H);
  let xBase = nc * D * H * W4;
  let yBase = (((nc / C) * args.Y_CT + args.Y_C0 + nc % C) * 4u * D * H + 2u * at.y) * 2u * W4 +
    2u * at.x;
  // A plane is loaded in one place, two turns before outputs follow, so that there is little code:
  // lavapipe takes long to compile loads.
  var below: Plane;
  var here: Plane;
  for (var z = start; z < min(start + args.RUN, D) + 2u; z++) {
    let above = plane(xBase + clamp(z, 1u, D) * H * W4 - H * W4, at, wx, wy);
    if (z >= start + 2u) {
      let wz = weights(z - 2u, D);
      let o = yBase + 8u * (z - 2u) * H * W4;
      write(o, mixRows(here.low, below.low, wz.x));
      write(o + 2u * W4, mixRows(here.high, below.high, wz.x));
      write(o + 4u * H * W4, mixRows(here.low, above.low, wz.y));
      write(o + 4u * H * W4 + 2u * W4, mixRows(here.high, above.high, wz.y));
    }
    below = here;
    here = above;
  }
}
