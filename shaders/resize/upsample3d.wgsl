// Trilinear upsampling ×2.  x: (N, C, D, H, W); y: (N, C, 2D, 2H, 2W), may be a channel view.
// Along an axis of n the outputs 2k and 2k + 1 lie between x[k − 1], x[k] and x[k], x[k + 1] in both
// modes. One thread per x cell: 27 loads, eight outputs.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<T>;

const N: u32 = 2u;
const C: u32 = 4u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const Y_CT: u32 = 4u;
const Y_C0: u32 = 0u;
const ALIGN: bool = true; // align_corners
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

fn pair(below: f32, here: f32, above: f32, w: vec2f) -> vec2f {
  return here + w * (vec2f(below, above) - here);
}

// Outputs 2k and 2k + 1 along x of the row that starts at `row`.
fn along(row: u32, k: u32, w: vec2f) -> vec2f {
  let below = f32(x[row + max(k, 1u) - 1u]);
  return pair(below, f32(x[row + k]), f32(x[row + min(k + 1u, W - 1u)]), w);
}

struct Quad {
  low: vec2f, // y even
  high: vec2f, // y odd
}

fn plane(base: u32, at: vec3u, w: array<vec2f, 3>) -> Quad {
  let below = along(base + (max(at.y, 1u) - 1u) * W, at.x, w[0]);
  let here = along(base + at.y * W, at.x, w[0]);
  let above = along(base + min(at.y + 1u, H - 1u) * W, at.x, w[0]);
  return Quad(here + w[1].x * (below - here), here + w[1].y * (above - here));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= N * C * D * H * W) {
    return;
  }
  let at = vec3u(i % W, i / W % H, i / (W * H) % D);
  let nc = i / (W * H * D);
  let w = array<vec2f, 3>(weights(at.x, W), weights(at.y, H), weights(at.z, D));
  let base = nc * D * H * W;
  let below = plane(base + (max(at.z, 1u) - 1u) * H * W, at, w);
  let here = plane(base + at.z * H * W, at, w);
  let above = plane(base + min(at.z + 1u, D - 1u) * H * W, at, w);
  let yPlane = (nc / C) * Y_CT + Y_C0 + nc % C;
  let o = ((yPlane * 2u * D + 2u * at.z) * 2u * H + 2u * at.y) * 2u * W + 2u * at.x;
  write(o, here.low + w[2].x * (below.low - here.low));
  write(o + 2u * W, here.high + w[2].x * (below.high - here.high));
  write(o + 4u * H * W, here.low + w[2].y * (above.low - here.low));
  write(o + 4u * H * W + 2u * W, here.high + w[2].y * (above.high - here.high));
}

fn write(at: u32, v: vec2f) {
  y[at] = T(v.x);
  y[at + 1u] = T(v.y);
}
