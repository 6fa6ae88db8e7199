// Bias gradient of a convolution that a group normalisation follows, from the sums of the
// normalisation's own gradient: db = Σ_{n, voxels} dx of group_norm_dx.wgsl, without making dx.
// sums: (N, C, 2) = Σ d, Σ d · x̂; stats, means: (N, G, 2); weight: (C);
// channel_means: (N, C) of x over S voxels; db: (C), on top of what is there where ACCUMULATE.
// LANES threads do a channel: they take its samples in strides, and the first adds up what they have.
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
const LANES: u32 = 1u;
const WG: u32 = 64u; // a multiple of LANES

var<workgroup> partial: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let id = (wid.y * nwg.x + wid.x) * WG + local;
  let c = id / LANES;
  let lane = id % LANES;
  var sum = 0.0;
  if (c < args.C) {
    for (var n = lane; n < args.N; n += LANES) {
      let nc = n * args.C + c;
      let group = 2u * (nc / args.CG);
      let rstd = stats[group + 1u];
      let normalised = rstd * (channel_means[nc] - stats[group]);
      let constant = means[group] + normalised * means[group + 1u];
      sum += rstd * (weight[c] * sums[2u * nc] - f32(args.S) * constant);
    }
  }
  // shared: lanes_in_order
  if (LANES > 1u) {
    partial[local] = sum;
    workgroupBarrier();
    if (lane == 0u) {
      for (var i = 1u; i < LANES; i++) {
        sum += partial[local + i];
      }
    }
  }
  // end
  if (c < args.C && lane == 0u) {
    if (ACCUMULATE) {
      sum += db[c];
    }
    db[c] = sum;
  }
}
