// GroupNorm backward with respect to x: dx = rstd · (w·d − mean(w·d) − x̂ · mean(w·d·x̂)), with
// d = dy, zero where RELU cut the output, and means: (N, G, 2) over the group.
// x, dy, dx: (N, C, S) in vectors V, dy may be a channel view. One workgroup per chunk of WG · ITEMS
// vectors of one channel, as in group_norm_apply.wgsl.
alias V = vec4f; // or f32; f16 likewise: as stored
alias F = vec4f; // or f32: as computed
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> means: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<V>;

const N: u32 = 2u;
const C: u32 = 4u;
const S: u32 = 32u; // vectors of a channel
const CG: u32 = 2u; // channels of a group
const DY_CT: u32 = 4u;
const DY_C0: u32 = 0u;
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
  let group = nc / CG;
  let mean = stats[2u * group];
  let rstd = stats[2u * group + 1u];
  let scale = rstd * weight[c];
  let shift = bias[c];
  let constant = rstd * means[2u * group];
  let slope = rstd * rstd * means[2u * group + 1u];
  let dyBase = ((nc / C) * DY_CT + DY_C0 + c) * S;
  let start = (chunk % CHUNKS) * WG * ITEMS + select(lane * ITEMS, lane, STRIDED);
  for (var k = 0u; k < ITEMS; k++) {
    let i = start + k * select(1u, WG, STRIDED);
    if (i < S) {
      let centred = F(x[nc * S + i]) - mean;
      var d = F(dy[dyBase + i]);
      if (RELU) {
        d = select(F(), d, centred * scale + shift > F());
      }
      dx[nc * S + i] = V(scale * d - constant - slope * centred);
    }
  }
}
