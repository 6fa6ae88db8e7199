// Trilinear upsampling ×2, backward.  dy: (N, C, 2D, 2H, 2W), may be a channel view;
// dx: (N, C, D, H, W). Along an axis x[k] feeds outputs 2k − 1 … 2k + 2. One thread per x cell
// gathers its 4×4×4 contributions in a fixed order.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> dy: array<T>;
@group(0) @binding(1) var<storage, read_write> dx: array<T>;

const N: u32 = 2u;
const C: u32 = 4u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const DY_CT: u32 = 4u;
const DY_C0: u32 = 0u;
const ALIGN: bool = true; // align_corners
const WG: u32 = 64u;

// shared: upsampling_weights_dx
// Weights of x[k] in outputs 2k − 1, 2k, 2k + 1, 2k + 2 of an axis of n; zero outside.
fn weights(k: u32, n: u32) -> vec4f {
  let first = k == 0u;
  let last = k + 1u == n;
  if (ALIGN) {
    let taps = vec4f(f32(n - k), f32(2u * n - 1u - k), f32(n + k), f32(k + 1u));
    return select(taps, vec4f(), vec4<bool>(first, false, false, last)) / f32(2u * n - 1u);
  }
  let inner = vec2f(select(0.75, 1.0, first), select(0.75, 1.0, last));
  return vec4f(select(0.25, 0.0, first), inner, select(0.25, 0.0, last));
}
// end

fn row(base: u32, x: u32, w: vec4f) -> f32 {
  let o = base + 2u * x;
  let ends = vec2f(f32(dy[max(o, base + 1u) - 1u]), f32(dy[min(o + 2u, base + 2u * W - 1u)]));
  return w.x * ends.x + w.y * f32(dy[o]) + w.z * f32(dy[o + 1u]) + w.w * ends.y;
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
  let wx = weights(at.x, W);
  let wy = weights(at.y, H);
  let wz = weights(at.z, D);
  let base = ((nc / C) * DY_CT + DY_C0 + nc % C) * 8u * D * H * W;
  var sum = 0.0;
  for (var kz = 0u; kz < 4u; kz++) {
    let z = clamp(2u * at.z + kz, 1u, 2u * D) - 1u;
    for (var ky = 0u; ky < 4u; ky++) {
      let y = clamp(2u * at.y + ky, 1u, 2u * H) - 1u;
      sum += wz[kz] * wy[ky] * row(base + (z * 2u * H + y) * 2u * W, at.x, wx);
    }
  }
  dx[i] = T(sum);
}
