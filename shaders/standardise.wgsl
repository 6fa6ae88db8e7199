// y = (x − mean) · rstd.  x, y: (COUNT); params: (2) = mean, rstd.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 64u;
const WG: u32 = 64u;
const VPT: u32 = 8u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (wid.y * nwg.x + wid.x) * WG * VPT + lane;
  let mean = params[0];
  let rstd = params[1];
  for (var k = 0u; k < VPT; k++) {
    let i = start + k * WG;
    if (i < COUNT) {
      y[i] = (x[i] - mean) * rstd;
    }
  }
}
