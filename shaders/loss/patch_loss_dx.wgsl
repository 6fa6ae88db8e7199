// Gradient of patch_loss.wgsl, whose constants these are.  logits, labels, dx: (N, S); terms: (N, 4)
// or, OVER_BATCH, (4) of the whole batch; dloss: (N).  With N = 2I + ε and D = N + u, all of one
// sign: dF/dp = F' · (y · −(2u + W_FN · N) + (1 − y) · W_FP · N) / D², dp/dx = p(1 − p).
// A workgroup does WG·VPT voxels of one patch, so that a lane reads the patch's numbers once.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read> terms: array<f32>;
@group(0) @binding(3) var<storage, read> dloss: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

struct Args {
  N: u32,
  S: u32,
  CHUNKS: u32, // ⌈S / (WG · VPT)⌉
}
@group(0) @binding(5) var<uniform> args: Args;

const REGION: f32 = 1.0f;
const VOXELS: f32 = 0.0f;
const ERRORS: f32 = 0.0f;
const W_FP: f32 = 1.0f;
const W_FN: f32 = 1.0f;
const EPSILON: f32 = 1e-5f;
const POWER: f32 = 1.0f;
const OVER_BATCH: bool = false;
const BATCH: f32 = 1.0f;
const POSITIVE: f32 = 1.0f;
const NEGATIVE: f32 = 1.0f;
const GAMMA: f32 = 0.0f;
const ACCUMULATE: bool = false;
const WG: u32 = 64u;
const VPT: u32 = 8u;

// log(1 + e), 0 ≤ e ≤ 1, as 2 artanh(e / (2 + e)).
fn log1p(e: f32) -> f32 {
  let t = e / (2.0 + e);
  // shared: artanh_series
  let s = t * t;
  let tail = 1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s / 15.0)));
  return 2.0 * t * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * tail)));
  // end
}

// Of the voxel's own loss by its logit; p is its probability, q = 1 − p.
fn voxel_slope(x: f32, y: f32, e: f32, p: f32, q: f32) -> f32 {
  if (GAMMA == 0.0) {
    return NEGATIVE * (1.0 - y) * p - POSITIVE * y * q;
  }
  let l = log1p(e);
  let log_p = max(-x, 0.0) + l; // −log p
  let log_q = max(x, 0.0) + l; // −log q
  return NEGATIVE * (1.0 - y) * exp(-GAMMA * log_p) * (GAMMA * q * log_q + p)
    - POSITIVE * y * exp(-GAMMA * log_q) * (GAMMA * p * log_p + q);
}

// What a voxel's probability changes the region and the errors by: inside the lesion and outside.
fn region_slopes(n: u32) -> vec2f {
  var slopes = ERRORS * vec2f(-1.0, 1.0);
  if (REGION != 0.0) {
    let at = select(n * 4u, 0u, OVER_BATCH);
    let num = 2.0 * terms[at] + EPSILON;
    let u = W_FP * terms[at + 1u] + W_FN * terms[at + 2u];
    let d = num + u;
    var scale = REGION * select(1.0, BATCH, OVER_BATCH);
    if (POWER != 1.0) {
      scale *= POWER * pow(max(u / d, 1e-30), POWER - 1.0);
    }
    slopes += scale * (vec2f(-(2.0 * u + W_FN * num), W_FP * num) / d / d);
  }
  return slopes;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  let n = group / args.CHUNKS;
  if (n >= args.N) {
    return;
  }
  let slopes = region_slopes(n);
  let seed = dloss[n];
  let start = (group % args.CHUNKS) * WG * VPT;
  let end = min(start + WG * VPT, args.S);
  for (var i = start + lane; i < end; i += WG) {
    let j = n * args.S + i;
    let x = logits[j];
    let y = labels[j];
    let e = exp(-abs(x));
    let p = select(e, 1.0, x >= 0.0) / (1.0 + e);
    let q = select(1.0, e, x >= 0.0) / (1.0 + e);
    var d = (y * slopes.x + (1.0 - y) * slopes.y) * p * q;
    if (VOXELS != 0.0) {
      d += VOXELS / f32(args.S) * voxel_slope(x, y, e, p, q);
    }
    d *= seed;
    if (ACCUMULATE) {
      d += dx[j];
    }
    dx[j] = d;
  }
}
