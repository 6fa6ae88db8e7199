// y = VALUE · scale[0]: the gradient of the scaled loss with respect to itself.  y: (COUNT).
@group(0) @binding(0) var<storage, read> scale: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 32u;
const VALUE: f32 = 1.0f;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i < COUNT) {
    y[i] = VALUE * scale[0];
  }
}
