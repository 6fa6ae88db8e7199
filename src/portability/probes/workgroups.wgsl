// One word of y from each workgroup, at its place in the grid.
@group(0) @binding(0) var<storage, read_write> y: array<u32>;

const COUNT: u32 = 1u;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) nwg: vec3u) {
  let i = (wid.z * nwg.y + wid.y) * nwg.x + wid.x;
  if (i < COUNT) {
    y[i] = i * 0x9e3779b9u + 1u;
  }
}
