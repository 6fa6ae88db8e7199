// GroupNorm backward, sums over space: sums: (N, C, 2) = Σ dy, Σ dy · x̂, with x̂ = (x − mean) · rstd
// and dy zero where RELU cut the output (recomputed from x, not read from y).
// x, dy: (N, C, S), dy may be a channel view. One workgroup per (n, c); S need not divide WG.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;

const N: u32 = 2u;
const C: u32 = 4u;
const S: u32 = 32u;
const CG: u32 = 2u; // channels of a group
const DY_CT: u32 = 4u;
const DY_C0: u32 = 0u;
const RELU: bool = true;
const WG: u32 = 64u;

var<workgroup> partial: array<vec2f, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let nc = wid.y * nwg.x + wid.x;
  if (nc >= N * C) {
    return;
  }
  let c = nc % C;
  let mean = stats[2u * (nc / CG)];
  let rstd = stats[2u * (nc / CG) + 1u];
  let scale = rstd * weight[c];
  let shift = bias[c];
  let dyBase = ((nc / C) * DY_CT + DY_C0 + c) * S;
  var sum = vec2f();
  for (var i = lane; i < S; i += WG) {
    let centred = x[nc * S + i] - mean;
    var d = dy[dyBase + i];
    if (RELU && centred * scale + shift <= 0.0) {
      d = 0.0;
    }
    sum += vec2f(d, d * (centred * rstd));
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var all = vec2f();
    for (var i = 0u; i < WG; i++) {
      all += partial[i];
    }
    sums[2u * nc] = all.x;
    sums[2u * nc + 1u] = all.y;
  }
}
