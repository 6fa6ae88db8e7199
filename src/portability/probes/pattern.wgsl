// y[i] = a hash of i, in vectors of four.
@group(0) @binding(0) var<storage, read_write> y: array<vec4u>;

const COUNT: u32 = 64u; // vectors
const WG: u32 = 256u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i < COUNT) {
    y[i] = (4u * i + vec4u(0u, 1u, 2u, 3u)) * 0x9e3779b9u;
  }
}
