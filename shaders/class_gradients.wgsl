// Σ dx² of each patch over the voxels of a lesion (label > 0.5) and over the others.
// dx, labels: (N, S); y: (N, 2).  One workgroup per patch; lanes stride, then lane 0 adds them up.
@group(0) @binding(0) var<storage, read> dx: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Args {
  N: u32,
  S: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const WG: u32 = 256u;

var<workgroup> partial: array<vec2f, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = wid.y * nwg.x + wid.x;
  if (n >= args.N) {
    return;
  }
  var sum = vec2f(0.0);
  for (var i = lane; i < args.S; i += WG) {
    let d = dx[n * args.S + i];
    sum += select(vec2f(0.0, d * d), vec2f(d * d, 0.0), labels[n * args.S + i] > 0.5);
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < WG; i++) {
      sum += partial[i];
    }
    y[n * 2u] = sum.x;
    y[n * 2u + 1u] = sum.y;
  }
}
