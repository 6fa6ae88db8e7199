// average = μ · average + (1 − μ) · w in place, μ = step[2].  average, w: (COUNT).
// The ends are copies, so that μ = 1 and μ = 0 change no bit (−0, ∞ and NaN included).
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read> step_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> average: array<f32>;

const COUNT: u32 = 64u;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  let mu = step_values[2];
  if (i >= COUNT || mu == 1.0) {
    return;
  }
  if (mu == 0.0) {
    average[i] = w[i];
  } else {
    average[i] = mu * average[i] + (1.0 - mu) * w[i];
  }
}
