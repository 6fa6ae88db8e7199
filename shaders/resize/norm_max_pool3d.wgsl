// Group normalisation with ReLU and max pooling 2×2×2 of it in one pass: y = max((x − mean) · rstd ·
// weight + bias, 0). x: (N, C, D, H, W4) in vectors along x, D and H even; stats: (N, G, 2) = mean and
// rstd of groups of CG channels; y: as x, may be a channel view (Y_CT channels a sample, first Y_C0);
// pooled, argmax: (N, C, D/2, H/2, W4) in vectors of two, as in max_pool3d.wgsl. A thread does four
// vectors and two outputs.
alias V = vec4f; // or of f16
alias P = vec2f; // or of f16
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;
@group(0) @binding(5) var<storage, read_write> pooled: array<P>;
@group(0) @binding(6) var<storage, read_write> argmax: array<vec2u>;

struct Args {
  N: u32,
  C: u32,
  CG: u32,
  D: u32,
  H: u32,
  W4: u32,
  Y_CT: u32,
  Y_C0: u32,
}
@group(0) @binding(7) var<uniform> args: Args;

const WG: u32 = 64u;

var<private> best: vec2f;
var<private> which: vec2u;

// Two candidates for each of the two outputs, the k-th and the one after.
fn consider(v: vec4f, k: u32) {
  let even = v.xz > best;
  best = select(best, v.xz, even);
  which = select(which, vec2u(k), even);
  let odd = v.yw > best;
  best = select(best, v.yw, odd);
  which = select(which, vec2u(k + 1u), odd);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let plane = args.H / 2u * args.W4;
  let nc = i / (args.D / 2u * plane);
  if (nc >= args.N * args.C) {
    return;
  }
  let o = i - nc * (args.D / 2u * plane);
  let z = o / plane;
  let row = (o - z * plane) / args.W4;
  let column = o - z * plane - row * args.W4;
  let c = nc % args.C;
  let group = 2u * (nc / args.CG);
  let mean = stats[group];
  let scale = stats[group + 1u] * weight[c];
  let shift = bias[c];
  let corner = (2u * z * args.H + 2u * row) * args.W4 + column;
  let S = args.D * args.H * args.W4;
  let to = (nc / args.C * args.Y_CT + args.Y_C0 + c) * S + corner;
  best = vec2f(-1.0); // below every ReLU
  for (var k = 0u; k < 4u; k++) {
    let offset = ((k >> 1u) * args.H + (k & 1u)) * args.W4;
    let value = max((vec4f(x[nc * S + corner + offset]) - mean) * scale + shift, vec4f());
    y[to + offset] = V(value);
    consider(value, 2u * k);
  }
  pooled[i] = P(best);
  argmax[i] = which;
}
