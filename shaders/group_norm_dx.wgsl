// GroupNorm backward with respect to x: with d = dy (zero where RELU cut the output),
// dx = rstd · (w·d − mean(w·d) − x̂ · mean(w·d·x̂)), means over the group.
// x, dy, dx: (N, C, S), dy may be a channel view; sums: (N, C, 2) = Σ d, Σ d·x̂ over space.
// One thread per element.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> sums: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

const N: u32 = 2u;
const C: u32 = 4u;
const S: u32 = 32u;
const CG: u32 = 2u; // channels of a group
const DY_CT: u32 = 4u;
const DY_C0: u32 = 0u;
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
  let mean = stats[2u * group];
  let rstd = stats[2u * group + 1u];
  var means = vec2f();
  for (var k = 0u; k < CG; k++) {
    let at = 2u * (group * CG + k);
    means += weight[(group * CG + k) % C] * vec2f(sums[at], sums[at + 1u]);
  }
  means /= f32(CG * S);
  let xhat = (x[i] - mean) * rstd;
  var d = dy[(n * DY_CT + DY_C0 + c) * S + i % S] * weight[c];
  if (RELU && (x[i] - mean) * (rstd * weight[c]) + bias[c] <= 0.0) {
    d = 0.0;
  }
  dx[i] = rstd * (d - means.x - xhat * means.y);
}
