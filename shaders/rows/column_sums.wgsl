// y[k] = Σ over rows of x[·, k], rows in order.  x: (N, K); y: (K).  One thread per column: N is the
// patches of a batch.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

const N: u32 = 4u;
const K: u32 = 4u;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let k = (wid.y * nwg.x + wid.x) * WG + lane;
  if (k >= K) {
    return;
  }
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    sum += x[n * K + k];
  }
  y[k] = sum;
}
