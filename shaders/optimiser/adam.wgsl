// Adam (Kingma & Ba 2015, algorithm 1; epsilon outside the root as in PyTorch), in place, and the
// average of the weights over the steps, average = μ · average + (1 − μ) · w.
// w, g, m, v, average: (COUNT); step: [0] = lr / (1 − β1ᵗ), [1] = 1 / √(1 − β2ᵗ), [2] = μ, from the
// host in float64. μ = 1 changes no bit of average, μ = 0 copies w. 1 − β is a constant of its own: 1 − f32(0.999) would be off by 5e-5 of its value.
@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> step_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> average: array<f32>;
@group(0) @binding(6) var<storage, read> scale: array<f32>;

const COUNT: u32 = 64u;
const BETA1: f32 = 0.9f;
const BETA2: f32 = 0.999f;
const ONE_MINUS_BETA1: f32 = 0.1f;
const ONE_MINUS_BETA2: f32 = 0.001f;
const EPSILON: f32 = 1e-8f;
const SCALED: bool = false; // g is times a factor: scale[1] is its inverse, or 0 to skip the step
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= COUNT) {
    return;
  }
  if (SCALED && scale[1] == 0.0) {
    return;
  }
  let d = select(g[i], g[i] * scale[1], SCALED);
  let m_new = BETA1 * m[i] + ONE_MINUS_BETA1 * d;
  let v_new = BETA2 * v[i] + ONE_MINUS_BETA2 * d * d;
  m[i] = m_new;
  v[i] = v_new;
  let w_new = w[i] - step_values[0] * m_new / (sqrt(v_new) * step_values[1] + EPSILON);
  w[i] = w_new;
  let mu = step_values[2];
  if (mu == 0.0) {
    average[i] = w_new;
  } else if (mu != 1.0) {
    average[i] = mu * average[i] + (1.0 - mu) * w_new;
  }
}
