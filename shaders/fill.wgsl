// y = VALUE everywhere.  One thread per element.
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 64u;
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
    y[i] = VALUE;
  }
}
