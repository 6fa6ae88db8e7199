// keys[i] = max(errors[i], 1e-30) / Eᵢ with Eᵢ standard exponential: the COUNT largest keys are a
// sample without replacement, each draw in proportion to the errors that are left (Efraimidis &
// Spirakis 2006; the first arrivals of Poisson processes).  errors, keys: (E); step: [8] to [11] =
// the key of the generator in four times 16 bits.
// Philox4x32-10 (Salmon et al. 2011) with counter (i, 0, 0, 0); its first word makes Eᵢ.
@group(0) @binding(0) var<storage, read> errors: array<f32>;
@group(0) @binding(1) var<storage, read> step_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> keys: array<f32>;

const E: u32 = 128u;
const WG: u32 = 64u;

// Upper 32 bits of a · b.
fn mul_high(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let mid = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let other = (a & 0xffffu) * (b >> 16u) + (mid & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (mid >> 16u) + (other >> 16u);
}

fn random_word(i: u32) -> u32 {
  var k = vec2u(
    u32(step_values[8]) | (u32(step_values[9]) << 16u),
    u32(step_values[10]) | (u32(step_values[11]) << 16u),
  );
  var c = vec4u(i, 0u, 0u, 0u);
  for (var round = 0u; round < 10u; round++) {
    c = vec4u(
      mul_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
      0xcd9e8d57u * c.z,
      mul_high(0xd2511f53u, c.x) ^ c.w ^ k.y,
      0xd2511f53u * c.x,
    );
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c.x;
}

// −log(1 − v), v one of the 2²³ midpoints in (0, 1): by 2 artanh(v / (2 − v)) where the logarithm's
// absolute error would be too large.
fn exponential(v: f32) -> f32 {
  if (v > 0.5) {
    return -log(1.0 - v);
  }
  let t = v / (2.0 - v);
  // shared: artanh_series
  let s = t * t;
  let tail = 1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s / 15.0)));
  return 2.0 * t * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * tail)));
  // end
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= E) {
    return;
  }
  let e = errors[i];
  if ((bitcast<u32>(e) & 0x7f800000u) == 0x7f800000u) {
    keys[i] = e; // infinite or no number: training diverged, and the selection should show it
    return;
  }
  let v = (f32(random_word(i) >> 9u) + 0.5) / 8388608.0;
  keys[i] = max(e, 1e-30) / exponential(v);
}
