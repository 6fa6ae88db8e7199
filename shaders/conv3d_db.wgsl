// Bias gradient of a 3-D convolution: parts sums of dy over the voxels of one sample.
// dy: (N, COUT, S); parts: (N, COUT), summed over N by conv3d_reduce. One workgroup per (n, co).
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> dy: array<T>;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;

const ROWS: u32 = 2u; // N · COUT
const S: u32 = 64u;
const WG: u32 = 64u; // a power of two

var<workgroup> sums: array<f32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = wid.y * nwg.x + wid.x;
  if (row >= ROWS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  var sum = 0.0;
  for (var s = lane; s < S; s += WG) {
    sum += f32(dy[row * S + s]);
  }
  sums[lane] = sum;
  for (var stride = WG / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      sums[lane] += sums[lane + stride];
    }
  }
  if (lane == 0u) {
    parts[row] = sums[0];
  }
}
