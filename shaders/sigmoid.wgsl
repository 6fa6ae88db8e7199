// y = 1 / (1 + e⁻ˣ), by e^−|x| so that nothing overflows.  One thread per element.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 64u;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i < COUNT) {
    let t = exp(-abs(x[i]));
    y[i] = select(t, 1.0, x[i] >= 0.0) / (1.0 + t);
  }
}
