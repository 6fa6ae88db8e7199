// Weight gradient of a 3-D convolution, the readable reference: one thread per weight.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); dy: (N, COUT, D, H, W);
// dw: (COUT, CIN, K, K, K), added to when ACCUMULATE.
alias X = f32; // or f16
alias Y = f32; // or f16
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> dy: array<Y>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;

const N: u32 = 1u;
const CIN: u32 = 2u;
const COUT: u32 = 3u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const K: u32 = 3u;
const CT: u32 = 2u;
const C0: u32 = 0u;
const ACCUMULATE: bool = false;
const WG: u32 = 64u;

const S: u32 = D * H * W;
const R: u32 = K / 2u;
const T: u32 = K * K * K;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= COUT * CIN * T) {
    return;
  }
  let co = i / (CIN * T);
  let ci = i / T % CIN;
  let t = i % T;
  let tap = vec3u(t / (K * K), t / K % K, t % K);
  var sum = 0.0;
  for (var n = 0u; n < N; n++) {
    for (var s = 0u; s < S; s++) {
      let p = vec3u(s / (H * W), s / W % H, s % W) + tap - R;
      if (all(p < vec3u(D, H, W))) {
        let at = (n * CT + C0 + ci) * S + (p.x * H + p.y) * W + p.z;
        sum += f32(dy[(n * COUT + co) * S + s]) * f32(x[at]);
      }
    }
  }
  if (ACCUMULATE) {
    sum += dw[i];
  }
  dw[i] = sum;
}
