// 1×1×1 convolution: y = w x + b at each voxel. x: (N, CIN, S4) in vectors of four voxels, a channel
// view (CT channels a sample, first C0); w: (COUT, CIN), read as (CIN, COUT) where TRANSPOSED; b:
// (COUT), unread unless BIAS; y: (N, COUT, S4).
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl. A thread does RUN vectors of one
// channel of y, so that it loads weights and normalisation once for all of them.
alias X = vec4f; // or of f16
alias Y = vec4f; // or of f16
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Y>;

struct Args {
  N: u32,
  CIN: u32,
  COUT: u32,
  CT: u32,
  C0: u32,
  CG: u32,
  S4: u32,
  TRANSPOSED: u32, // 1 or 0, as these two: not constants, for every pipeline takes time to compile
  BIAS: u32,
  NORM: u32,
}
@group(0) @binding(7) var<uniform> args: Args;

const WG: u32 = 64u;
const RUN: u32 = 4u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let runs = (args.S4 + RUN - 1u) / RUN; // the vectors of a run lie `runs` apart: coalesced
  let row = i / runs;
  if (row >= args.N * args.COUT) {
    return;
  }
  let first = i - row * runs;
  let n = row / args.COUT;
  let co = row - n * args.COUT;
  var sums: array<vec4f, RUN>;
  for (var ci = 0u; ci < args.CIN; ci++) {
    let factor = w[select(co * args.CIN + ci, ci * args.COUT + co, args.TRANSPOSED == 1u)];
    var mean = 0.0;
    var scale = 1.0;
    var shift = 0.0;
    if (args.NORM == 1u) {
      // shared: read_norm
      let group = 2u * ((n * args.CIN + ci) / args.CG);
      mean = stats[group];
      scale = stats[group + 1u] * weight[ci];
      shift = bias[ci];
      // end
    }
    let base = (n * args.CT + args.C0 + ci) * args.S4;
    for (var k = 0u; k < RUN; k++) {
      var value = vec4f(x[base + min(first + k * runs, args.S4 - 1u)]);
      if (args.NORM == 1u) {
        value = max((value - mean) * scale + shift, vec4f());
      }
      sums[k] += factor * value;
    }
  }
  if (args.BIAS == 1u) {
    for (var k = 0u; k < RUN; k++) {
      sums[k] += b[co];
    }
  }
  for (var k = 0u; k < RUN; k++) {
    let at = first + k * runs;
    if (at < args.S4) {
      y[row * args.S4 + at] = Y(sums[k]);
    }
  }
}
