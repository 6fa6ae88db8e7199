// Gradient of the soft Dice loss.  logits, labels, dx: (N, S); sums: (N, 3) = Σpy, Σp, Σy;
// dloss: (N).  With A = 2Σpy + ε and B = Σp + Σy + ε: dx = dloss · (A/B − 2y)/B · p(1 − p).
// A workgroup does WG·VPT voxels of one patch, so that a lane reads the patch's numbers once.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read> sums: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

const N: u32 = 2u;
const S: u32 = 64u;
const CHUNKS: u32 = 1u; // ⌈S / (WG · VPT)⌉
const EPSILON: f32 = 1e-5f;
const ACCUMULATE: bool = false;
const WG: u32 = 64u;
const VPT: u32 = 8u;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  let n = group / CHUNKS;
  if (n >= N) {
    return;
  }
  let a = 2.0 * sums[n * 3u] + EPSILON;
  let b = sums[n * 3u + 1u] + sums[n * 3u + 2u] + EPSILON;
  let scale = dloss[n] / b;
  let dice = a / b;
  let start = (group % CHUNKS) * WG * VPT;
  let end = min(start + WG * VPT, S);
  for (var i = start + lane; i < end; i += WG) {
    let j = n * S + i;
    let e = exp(-abs(logits[j]));
    // p(1 − p) is even in the logit and loses nothing where p rounds to 1.
    var d = scale * (dice - 2.0 * labels[j]) * (e / ((1.0 + e) * (1.0 + e)));
    if (ACCUMULATE) {
      d += dx[j];
    }
    dx[j] = d;
  }
}
