// Trilinear upsampling ×2, backward, where W is a multiple of 4.  dy: (N, C, 2D, 2H, 2W), may be a
// channel view; dx: (N, C, D, H, W); both in vectors along x, W4 = W / 4. As upsample3d_dx.wgsl, but a thread
// makes four dx along x and walks along z: what a plane of dy adds up to serves two dx.
// One thread per (n, c, chunk of RUN planes, y, four x).
alias V = vec4f; // or of f16
@group(0) @binding(0) var<storage, read> dy: array<V>;
@group(0) @binding(1) var<storage, read_write> dx: array<V>;

struct Args {
  N: u32,
  C: u32,
  D: u32,
  H: u32,
  W4: u32,
  DY_CT: u32,
  DY_C0: u32,
  RUN: u32,
}
@group(0) @binding(2) var<uniform> args: Args;

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

// What a row of dy adds to four dx; column j of `wx` is tap j of each.
fn row(base: u32, k: u32, wx: mat4x4f) -> vec4f {
  let a = vec4f(dy[base + 2u * k]);
  let b = vec4f(dy[base + 2u * k + 1u]);
  let left = f32(dy[base + max(2u * k, 1u) - 1u].w);
  let right = f32(dy[base + min(2u * k + 2u, 2u * args.W4 - 1u)].x);
  return wx[0] * vec4f(left, a.yw, b.y) + wx[1] * vec4f(a.xz, b.xz) + wx[2] * vec4f(a.yw, b.yw) +
    wx[3] * vec4f(a.z, b.xz, right);
}

// What plane z − 1 of dy adds, for z from 0 to 2D + 1; the planes outside have weight zero.
fn plane(base: u32, z: u32, at: vec2u, wx: mat4x4f, wy: vec4f) -> vec4f {
  let start = base + (clamp(z, 1u, 2u * args.D) - 1u) * 4u * args.H * args.W4;
  var sum = vec4f();
  for (var k = 0u; k < 4u; k++) {
    let y = clamp(2u * at.y + k, 1u, 2u * args.H) - 1u;
    sum += wy[k] * row(start + y * 2u * args.W4, at.x, wx);
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let D = args.D;
  let H = args.H;
  let W4 = args.W4;
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let chunks = (D + args.RUN - 1u) / args.RUN;
  if (i >= args.N * args.C * chunks * H * W4) {
    return;
  }
  let at = vec2u(i % W4, i / W4 % H);
  let start = i / (W4 * H) % chunks * args.RUN;
  let nc = i / (W4 * H * chunks);
  let k = 4u * at.x;
  let W = 4u * W4;
  let wx = transpose(
    mat4x4f(weights(k, W), weights(k + 1u, W), weights(k + 2u, W), weights(k + 3u, W)),
  );
  let wy = weights(at.y, H);
  let base = ((nc / args.C) * args.DY_CT + args.DY_C0 + nc % args.C) * 8u * D * H * W4;
  // The last four planes of dy; a plane is loaded in one place, so that there is little code.
  var first = vec4f();
  var second = vec4f();
  var third = vec4f();
  for (var p = 2u * start; p < 2u * min(start + args.RUN, D) + 2u; p++) {
    let fourth = plane(base, p, at, wx, wy);
    if (p >= 2u * start + 3u && p % 2u == 1u) {
      let z = (p - 3u) / 2u;
      let wz = weights(z, D);
      dx[((nc * D + z) * H + at.y) * W4 + at.x] = V(wz.x * first + wz.y * second +
        wz.z * third + wz.w * fourth);
    }
    first = second;
    second = third;
    third = fourth;
  }
}
