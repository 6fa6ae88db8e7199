// GroupNorm, the map: y = (x − mean) · rstd · weight + bias, then max(y, 0) where RELU.
// x: (N, C, S); stats: (N, G, 2); weight, bias: (C); y: (N, C, S), may be a channel view.
// One thread per element.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const N: u32 = 2u;
const C: u32 = 4u;
const S: u32 = 32u;
const CG: u32 = 2u; // channels of a group
const Y_CT: u32 = 4u;
const Y_C0: u32 = 0u;
const RELU: bool = true;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= N * C * S) {
    return;
  }
  let nc = i / S;
  let n = nc / C;
  let c = nc % C;
  let group = nc / CG;
  let scale = stats[2u * group + 1u] * weight[c];
  var v = (x[i] - stats[2u * group]) * scale + bias[c];
  if (RELU) {
    v = max(v, 0.0);
  }
  y[(n * Y_CT + Y_C0 + c) * S + i % S] = v;
}
