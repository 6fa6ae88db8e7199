// GroupNorm, the map: y = (x − mean) · rstd · weight + bias, then max(y, 0) where RELU.
// x: (N, C, S) in vectors V; stats: (N, G, 2); weight, bias: (C); y: (N, C, S), may be a channel view.
// One workgroup per chunk of WG · ITEMS vectors of one channel, so that a thread loads the
// channel's numbers once.
alias V = vec4f; // or f32; f16 likewise: as stored
alias F = vec4f; // or f32: as computed
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> stats: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;

const N: u32 = 2u;
const C: u32 = 4u;
const S: u32 = 32u; // vectors of a channel
const CG: u32 = 2u; // channels of a group
const Y_CT: u32 = 4u;
const Y_C0: u32 = 0u;
const RELU: bool = true;
const WG: u32 = 64u;
// shared: chunks
const ITEMS: u32 = 4u;
// A thread's vectors lie WG apart (coalesced, for a GPU) or side by side (twice as fast on lavapipe).
const STRIDED: bool = false;

const CHUNKS: u32 = (S + WG * ITEMS - 1u) / (WG * ITEMS);
// end

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let chunk = wid.y * nwg.x + wid.x;
  let nc = chunk / CHUNKS;
  if (nc >= N * C) {
    return;
  }
  let c = nc % C;
  let mean = stats[2u * (nc / CG)];
  let scale = stats[2u * (nc / CG) + 1u] * weight[c];
  let shift = bias[c];
  let yBase = ((nc / C) * Y_CT + Y_C0 + c) * S;
  let start = (chunk % CHUNKS) * WG * ITEMS + select(lane * ITEMS, lane, STRIDED);
  for (var k = 0u; k < ITEMS; k++) {
    let i = start + k * select(1u, WG, STRIDED);
    if (i < S) {
      var v = (F(x[nc * S + i]) - mean) * scale + shift;
      if (RELU) {
        v = max(v, F());
      }
      y[yBase + i] = V(v);
    }
  }
}
