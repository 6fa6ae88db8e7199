// GroupNorm backward: dweight, dbias: (C), the sums (N, C, 2) = Σ dy · x̂ and Σ dy added over n in
// order; ACC_* add to what is there. One thread per channel.
@group(0) @binding(0) var<storage, read> sums: array<f32>;
@group(0) @binding(1) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>;

const N: u32 = 2u;
const C: u32 = 4u;
const ACC_WEIGHT: bool = false;
const ACC_BIAS: bool = false;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let c = id.x;
  if (c >= C) {
    return;
  }
  var sum = vec2f();
  for (var n = 0u; n < N; n++) {
    let at = 2u * (n * C + c);
    sum += vec2f(sums[at], sums[at + 1u]);
  }
  if (ACC_BIAS) {
    sum.x += dbias[c];
  }
  if (ACC_WEIGHT) {
    sum.y += dweight[c];
  }
  dbias[c] = sum.x;
  dweight[c] = sum.y;
}
