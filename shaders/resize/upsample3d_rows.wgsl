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

// Four x of a row and their neighbours left and right.
struct Row {
  here: vec4f,
  sides: vec2f,
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

fn row(base: u32, k: u32) -> Row {
  let left = load(base + max(k, 1u) - 1u).w;
  let right = load(base + min(k + 1u, args.W4 - 1u)).x;
  return Row(load(base + k), vec2f(left, right));
}

fn mixRows(here: Row, other: Row, w: f32) -> Row {
  return Row(here.here + w * (other.here - here.here), here.sides + w * (other.sides - here.sides));
}

// At the rows 2y and 2y + 1 of outputs, in one plane of x.
struct Plane {
  low: Row,
  high: Row,
}

fn plane(base: u32, at: vec2u, wy: vec2f) -> Plane {
  let below = row(base + (max(at.y, 1u) - 1u) * args.W4, at.x);
  let here = row(base + at.y * args.W4, at.x);
  let above = row(base + min(at.y + 1u, args.H - 1u) * args.W4, at.x);
  return Plane(mixRows(here, below, wy.x), mixRows(here, above, wy.y));
}

// Along x comes last: what is kept of a plane is half as much before.
fn write(at: u32, r: Row, wx: mat2x4f) {
  let even = r.here + wx[0] * (vec4f(r.sides.x, r.here.xyz) - r.here);
  let odd = r.here + wx[1] * (vec4f(r.here.yzw, r.sides.y) - r.here);
  y[at] = V(vec4f(even.x, odd.x, even.y, odd.y));
  y[at + 1u] = V(vec4f(even.z, odd.z, even.w, odd.w));
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
  // A plane is loaded in one place, a turn before outputs follow, so that there is little code: lavapipe
  // takes long to compile loads. Outputs between two planes are written at the second: two planes at a
  // time are what registers have room for.
  let end = min(start + args.RUN, D);
  var last: Plane;
  for (var z = start; z < end + 2u; z++) {
    let here = plane(xBase + (clamp(z, 1u, D) - 1u) * H * W4, at, wy);
    let o = yBase + 8u * z * H * W4;
    if (z > start + 1u) {
      let w = weights(z - 2u, D).y;
      write(o - 12u * H * W4, mixRows(last.low, here.low, w), wx);
      write(o - 12u * H * W4 + 2u * W4, mixRows(last.high, here.high, w), wx);
    }
    if (z > start && z <= end) {
      let w = weights(z - 1u, D).x;
      write(o - 8u * H * W4, mixRows(here.low, last.low, w), wx);
      write(o - 8u * H * W4 + 2u * W4, mixRows(here.high, last.high, w), wx);
    }
    last = here;
  }
}
