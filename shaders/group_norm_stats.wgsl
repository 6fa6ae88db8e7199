// GroupNorm statistics.  x: (N, C, S); stats: (N, G, 2) = mean, 1/√(variance + EPS).
// One workgroup per (n, group); the group's M = C/G · S elements are contiguous. Two passes, the
// mean first: E[x²] − E[x]² would cancel. M need not divide WG.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;

const NG: u32 = 4u; // N · G
const M: u32 = 64u; // elements of a group
const EPS: f32 = 1e-5f;
const WG: u32 = 64u;

var<workgroup> partial: array<f32, WG>;

fn total(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  var sum = 0.0;
  for (var i = 0u; i < WG; i++) {
    sum += partial[i];
  }
  workgroupBarrier();
  return sum;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  if (group >= NG) {
    return;
  }
  let base = group * M;
  var sum = 0.0;
  for (var i = lane; i < M; i += WG) {
    sum += x[base + i];
  }
  let mean = total(lane, sum) / f32(M);
  var squares = 0.0;
  for (var i = lane; i < M; i += WG) {
    let d = x[base + i] - mean;
    squares += d * d;
  }
  let variance = total(lane, squares) / f32(M);
  if (lane == 0u) {
    stats[2u * group] = mean;
    stats[2u * group + 1u] = inverseSqrt(variance + EPS);
  }
}
