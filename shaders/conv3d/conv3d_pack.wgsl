// Weights of a 3-D convolution in the order in which its kernels read them.
// w: (COUT, CIN, T) as stored; b: (COUT);
// wp: (ceil(COUT / CB), 1 + CIN · T, CB): per block of CB output channels one row of biases,
// then one row per input channel and tap; 0 where the last block passes COUT.
// TRANSPOSED packs for the gradient of the input: COUT and CIN are those of the transposed
// convolution, w is (CIN, COUT, T), taps are reversed, the row of biases is 0 (BIAS false).
@group(0) @binding(0) var<storage, read> w: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> wp: array<f32>;

const CIN: u32 = 2u;
const COUT: u32 = 3u;
const T: u32 = 27u;
const CB: u32 = 16u;
const TRANSPOSED: bool = false;
const BIAS: bool = true;
const WG: u32 = 64u;

const ROWS: u32 = 1u + CIN * T;
const COUNT: u32 = (COUT + CB - 1u) / CB * ROWS * CB;

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
  let row = i / CB % ROWS;
  let co = i / (CB * ROWS) * CB + i % CB;
  var value = 0.0;
  if (co < COUT) {
    if (row > 0u) {
      let ci = (row - 1u) / T;
      let t = (row - 1u) % T;
      if (TRANSPOSED) {
        value = w[(ci * COUT + co) * T + T - 1u - t];
      } else {
        value = w[(co * CIN + ci) * T + t];
      }
    } else if (BIAS) {
      value = b[co];
    }
  }
  wp[i] = value;
}
