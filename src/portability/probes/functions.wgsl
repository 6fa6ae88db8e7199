// The functions that the engine's kernels call, applied to each x: y (COUNT, 6).
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

const COUNT: u32 = 1u;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.x;
  if (i >= COUNT) {
    return;
  }
  let v = x[i];
  y[6u * i] = 1.0 / v;
  y[6u * i + 1u] = v / 3.0;
  y[6u * i + 2u] = sqrt(v);
  y[6u * i + 3u] = inverseSqrt(v);
  y[6u * i + 4u] = exp(min(v, 80.0));
  y[6u * i + 5u] = log(v);
}
