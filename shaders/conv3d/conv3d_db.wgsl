// Bias gradient of a 3-D convolution: sums of dy over a part of the voxels of one sample.
// dy: (N, COUT, S) in vectors V; parts: (N, SPLITS, COUT), summed over N and SPLITS by sum_parts.
// One workgroup per (n, co, part).
alias V = vec4f; // or f32; f16 likewise: as stored
alias F = vec4f; // or f32: as computed
@group(0) @binding(0) var<storage, read> dy: array<V>;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;

const ROWS: u32 = 2u; // N · COUT
const COUT: u32 = 2u;
const S: u32 = 64u; // vectors
const SPLITS: u32 = 1u;
const WIDTH: u32 = 4u; // elements of V
const WG: u32 = 64u; // a power of two

var<workgroup> sums: array<f32, WG>;

fn components(v: F) -> f32 {
  // shared: components
  // vec4f(f32) repeats it.
  return dot(vec4f(v), vec4f(f32(WIDTH) / 4.0));
  // end
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  if (group >= ROWS * SPLITS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let row = group / SPLITS;
  let split = group % SPLITS;
  let size = (S + SPLITS - 1u) / SPLITS;
  let end = min((split + 1u) * size, S);
  var sum = F();
  for (var s = split * size + lane; s < end; s += WG) {
    sum += F(dy[row * S + s]);
  }
  sums[lane] = components(sum);
  for (var stride = WG / 2u; stride > 0u; stride /= 2u) {
    workgroupBarrier();
    if (lane < stride) {
      sums[lane] += sums[lane + stride];
    }
  }
  if (lane == 0u) {
    parts[(row / COUT * SPLITS + split) * COUT + row % COUT] = sums[0];
  }
}
