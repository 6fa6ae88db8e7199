// 3-D convolution, zero padding, the readable reference: one thread per output voxel and channel.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); w: (COUT, CIN, K, K, K);
// b: (COUT); y: (N, COUT, D, H, W).
// TRANSPOSED: the gradient of the input, with dy for x and dx for y: w is then (CIN, COUT, K, K, K)
// and read with its taps reversed. BIAS false ignores b.
alias X = f32; // or f16
alias Y = f32; // or f16
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<Y>;

const N: u32 = 1u;
const CIN: u32 = 2u;
const COUT: u32 = 3u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const K: u32 = 3u;
const CT: u32 = 2u;
const C0: u32 = 0u;
const TRANSPOSED: bool = false;
const BIAS: bool = true;
const WG: u32 = 64u;

const S: u32 = D * H * W;
const R: u32 = K / 2u;
const T: u32 = K * K * K;

fn weight(co: u32, ci: u32, t: u32) -> f32 {
  if (TRANSPOSED) {
    return w[(ci * COUT + co) * T + T - 1u - t];
  }
  return w[(co * CIN + ci) * T + t];
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= N * COUT * S) {
    return;
  }
  let n = i / (COUT * S);
  let co = i / S % COUT;
  let at = vec3u(i / (H * W) % D, i / W % H, i % W);
  var sum = 0.0;
  if (BIAS) {
    sum = b[co];
  }
  for (var ci = 0u; ci < CIN; ci++) {
    for (var t = 0u; t < T; t++) {
      // Positions before the border wrap to large numbers and fail the test like those after it.
      let p = at + vec3u(t / (K * K), t / K % K, t % K) - R;
      if (all(p < vec3u(D, H, W))) {
        let i_x = (n * CT + C0 + ci) * S + (p.x * H + p.y) * W + p.z;
        sum += f32(x[i_x]) * weight(co, ci, t);
      }
    }
  }
  y[i] = Y(sum);
}
