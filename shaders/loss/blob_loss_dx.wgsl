// dx = dloss · slopes · p(1 − p).  logits, slopes, dx: (N, S); dloss: (N).  One thread per voxel.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> slopes: array<f32>;
@group(0) @binding(2) var<storage, read> dloss: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

struct Args {
  COUNT: u32, // N · S
  S: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const ACCUMULATE: bool = false;
const WG: u32 = 64u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= args.COUNT) {
    return;
  }
  let e = exp(-abs(logits[i]));
  // p(1 − p) is even in the logit and loses nothing where p rounds to 1.
  var d = dloss[i / args.S] * slopes[i] * (e / ((1.0 + e) * (1.0 + e)));
  if (ACCUMULATE) {
    d += dx[i];
  }
  dx[i] = d;
}
