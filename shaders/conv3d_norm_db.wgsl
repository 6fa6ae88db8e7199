// Bias gradient of a convolution behind which a group normalisation stands, from what the
// normalisation's own gradient summed up: db = Σ_{n, voxels} dx of group_norm_dx.wgsl, without
// making dx. sums: (N, C, 2) = Σ d, Σ d · x̂; stats, means: (N, G, 2); weight: (C);
// channel_means: (N, C) of x over S voxels; db: (C), on top of what is there where ACCUMULATE.
// A thread does a channel.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> channel_means: array<f32>;
@group(0) @binding(5) var<storage, read_write> db: array<f32>;

struct Args {
  N: u32,
  C: u32,
  CG: u32,
  S: u32,
}
@group(0) @binding(6) var<uniform> args: Args;

const ACCUMULATE: bool = false;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= args.C) {
    return;
  }
  var sum = 0.0;
  for (var n = 0u; n < args.N; n++) {
    let nc = n * args.C + c;
    let group = 2u * (nc / args.CG);
    let rstd = stats[group + 1u];
    let normalised = rstd * (channel_means[nc] - stats[group]);
    let constant = means[group] + normalised * means[group + 1u];
    sum += rstd * (weight[c] * sums[2u * nc] - f32(args.S) * constant);
  }
  if (ACCUMULATE) {
    sum += db[c];
  }
  db[c] = sum;
}
