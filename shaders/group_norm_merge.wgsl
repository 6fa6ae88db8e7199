// GroupNorm statistics from moments that the convolution before it left: parts: (N, C, T, 3) = count,
// mean and sum of squared deviations of T parts of each channel; stats: (N, G, 2) = mean and
// 1/√(variance + EPS) over CG channels; channel_means: (N, C). Merged in order (Chan, Golub & LeVeque
// 1983). A thread does a group of a sample, of NG.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;
@group(0) @binding(2) var<storage, read_write> channel_means: array<f32>;

struct Args {
  NG: u32,
  CG: u32,
  T: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const EPS: f32 = 1e-5f;
const WG: u32 = 64u;

// Count, mean and sum of squared deviations of two sets together.
fn merge(a: vec3f, b: vec3f) -> vec3f {
  let count = a.x + b.x;
  let off = b.y - a.y;
  let share = b.x / count;
  return vec3f(count, a.y + off * share, a.z + b.z + off * off * a.x * share);
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let group = id.x;
  if (group >= args.NG) {
    return;
  }
  var all = vec3f();
  for (var k = 0u; k < args.CG; k++) {
    let channel = group * args.CG + k;
    var sum = vec3f();
    for (var t = 0u; t < args.T; t++) {
      let at = 3u * (channel * args.T + t);
      sum = merge(sum, vec3f(parts[at], parts[at + 1u], parts[at + 2u]));
    }
    channel_means[channel] = sum.y;
    all = merge(all, sum);
  }
  stats[2u * group] = all.y;
  stats[2u * group + 1u] = inverseSqrt(all.z / all.x + EPS);
}
