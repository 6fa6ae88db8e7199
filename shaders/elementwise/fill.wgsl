// y = VALUE everywhere.  One thread per vector V.
alias V = vec4f; // or f32
@group(0) @binding(0) var<storage, read_write> y: array<V>;

const COUNT: u32 = 64u; // vectors
const VALUE: f32 = 0.0f;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i < COUNT) {
    y[i] = V(VALUE);
  }
}
