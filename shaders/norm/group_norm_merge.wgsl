// GroupNorm statistics from moments that the convolution before it left: parts: (N, C, T, 3) = count,
// mean and sum of squared deviations of T parts of each channel; stats: (N, G, 2) = mean and
// 1/√(variance + EPS) over CG channels; channel_means: (N, C). Merged in a fixed order (Chan, Golub &
// LeVeque 1983). CHANNELS · LANES threads do a group of a sample, of NG: LANES take the parts of a
// channel in strides, the first of them merges what they have, and the first of all the channels.
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
const LANES: u32 = 1u; // 1 with CHANNELS = 1: a thread does all, without a barrier
const CHANNELS: u32 = 1u; // that are done at the same time
const WG: u32 = 64u; // a multiple of CHANNELS · LANES

var<workgroup> partial: array<vec3f, WG>;

// Count, mean and sum of squared deviations of two sets together; either may be empty.
fn merge(a: vec3f, b: vec3f) -> vec3f {
  let count = a.x + b.x;
  let off = b.y - a.y;
  let share = b.x / max(count, 1.0);
  return vec3f(count, a.y + off * share, a.z + b.z + off * off * a.x * share);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let id = (wid.y * nwg.x + wid.x) * WG + local;
  let group = id / (LANES * CHANNELS);
  let lane = id % LANES;
  let column = id / LANES % CHANNELS;
  var all = vec3f();
  for (var first = 0u; first < args.CG; first += CHANNELS) {
    let k = first + column;
    let channel = group * args.CG + k;
    let mine = group < args.NG && k < args.CG;
    var sum = vec3f();
    if (mine) {
      for (var t = lane; t < args.T; t += LANES) {
        let at = 3u * (channel * args.T + t);
        sum = merge(sum, vec3f(parts[at], parts[at + 1u], parts[at + 2u]));
      }
    }
    if (LANES > 1u) {
      partial[local] = sum;
      workgroupBarrier();
      if (lane == 0u) {
        for (var i = 1u; i < LANES; i++) {
          sum = merge(sum, partial[local + i]);
        }
        partial[local] = sum;
      }
      workgroupBarrier();
    }
    if (mine && lane == 0u) {
      channel_means[channel] = sum.y;
    }
    if (CHANNELS == 1u) {
      all = merge(all, sum);
    } else if (lane == 0u && column == 0u) {
      for (var i = 0u; i < CHANNELS; i++) {
        all = merge(all, partial[local + i * LANES]);
      }
    }
    if (LANES > 1u) {
      workgroupBarrier(); // before the next channels overwrite what was just read
    }
  }
  if (group < args.NG && lane == 0u && column == 0u) {
    stats[2u * group] = all.y;
    stats[2u * group + 1u] = inverseSqrt(all.z / all.x + EPS);
  }
}
