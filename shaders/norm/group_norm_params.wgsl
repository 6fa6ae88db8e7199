// GroupNorm backward, from the sums (N, C, 2) = Σ d, Σ d · x̂ of each channel: dbias, dweight: (C),
// added up over n in a fixed order (ACC_*: on top of what is there), and the means of w·d and w·d·x̂
// over each group of M elements, means: (N, G, 2). LANES threads do a channel: they take its samples
// in strides, and the first adds up what they have. A thread after those of the channels does a group.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>;

struct Args {
  N: u32,
  C: u32,
  CG: u32,
  M: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const ACC_WEIGHT: bool = false;
const ACC_BIAS: bool = false;
const LANES: u32 = 1u;
const WG: u32 = 64u; // a multiple of LANES

var<workgroup> partial: array<vec2f, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let id = (wid.y * nwg.x + wid.x) * WG + local;
  let c = id / LANES;
  let lane = id % LANES;
  var sum = vec2f();
  if (c < args.C) {
    for (var n = lane; n < args.N; n += LANES) {
      let at = 2u * (n * args.C + c);
      sum += vec2f(sums[at], sums[at + 1u]);
    }
  } else if (id - args.C * LANES < args.N * args.C / args.CG) {
    let i = id - args.C * LANES;
    for (var k = i * args.CG; k < (i + 1u) * args.CG; k++) {
      sum += weight[k % args.C] * vec2f(sums[2u * k], sums[2u * k + 1u]);
    }
    means[2u * i] = sum.x / f32(args.M);
    means[2u * i + 1u] = sum.y / f32(args.M);
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
    if (ACC_BIAS) {
      sum.x += dbias[c];
    }
    if (ACC_WEIGHT) {
      sum.y += dweight[c];
    }
    dbias[c] = sum.x;
    dweight[c] = sum.y;
  }
}
