// Loss of each patch from its region and from its voxels.  logits, labels (0 … 1): (N, S);
// totals: (4), the terms of a whole batch of BATCH patches; loss: (N); sums: (N, 3) = Σpy, Σp, Σy;
// terms: (N, 4) = I = Σpy, FP = Σp(1 − y), FN = Σ(1 − p)y, V = Σ of the voxels' own losses.
// Region: F = (u / D)^POWER with u = W_FP · FP + W_FN · FN and D = 2I + u + ε; nothing cancels.
// OVER_BATCH: of the totals, F(totals) + BATCH · (the patch's share of dF), see kernels/patch_loss.ts.
// Voxel: POSITIVE · y(1 − p)^γ · −log p + NEGATIVE · (1 − y)p^γ · −log(1 − p).
// One workgroup per patch; lanes stride over it, then lane 0 adds them up: one fixed order, and one
// barrier (a tree's many barriers cost more on software adapters, and seconds to compile).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read> totals: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> terms: array<f32>;

struct Args {
  N: u32,
  S: u32,
}
@group(0) @binding(6) var<uniform> args: Args;

const REGION: f32 = 1.0f; // weights of the three parts
const VOXELS: f32 = 0.0f;
const ERRORS: f32 = 0.0f; // FP + FN
const W_FP: f32 = 1.0f;
const W_FN: f32 = 1.0f;
const EPSILON: f32 = 1e-5f;
const POWER: f32 = 1.0f;
const OVER_BATCH: bool = false;
const BATCH: f32 = 1.0f;
const POSITIVE: f32 = 1.0f;
const NEGATIVE: f32 = 1.0f;
const GAMMA: f32 = 0.0f;
const WG: u32 = 256u;

var<workgroup> partial: array<vec4f, WG>;
var<workgroup> partial_y: array<f32, WG>;

// log(1 + e), 0 ≤ e ≤ 1, as 2 artanh(e / (2 + e)): a few units in the last place at any e.
fn log1p(e: f32) -> f32 {
  let t = e / (2.0 + e);
  let s = t * t;
  let tail = 1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s / 15.0)));
  return 2.0 * t * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * tail)));
}

// exp of negative numbers only: nothing overflows at any logit.
fn voxel_loss(x: f32, y: f32, e: f32) -> f32 {
  let l = log1p(e);
  let log_p = max(-x, 0.0) + l; // −log p
  let log_q = max(x, 0.0) + l; // −log(1 − p)
  if (GAMMA == 0.0) {
    return POSITIVE * y * log_p + NEGATIVE * (1.0 - y) * log_q;
  }
  return POSITIVE * y * exp(-GAMMA * log_q) * log_p
    + NEGATIVE * (1.0 - y) * exp(-GAMMA * log_p) * log_q;
}

fn region_loss(own: vec4f) -> f32 {
  var all = own;
  if (OVER_BATCH) {
    all = vec4f(totals[0], totals[1], totals[2], totals[3]);
  }
  let n = 2.0 * all.x + EPSILON;
  let u = W_FP * all.y + W_FN * all.z;
  let d = n + u;
  var f = u / d;
  var slope = 1.0;
  if (POWER != 1.0) {
    let base = max(f, 1e-30);
    f = pow(base, POWER);
    slope = POWER * pow(base, POWER - 1.0);
  }
  if (!OVER_BATCH) {
    return f;
  }
  let share = n * (W_FP * own.y + W_FN * own.z) - u * (2.0 * own.x + EPSILON / BATCH);
  return f + BATCH * slope * (share / d / d);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = wid.y * nwg.x + wid.x;
  if (n >= args.N) {
    return;
  }
  var sum = vec4f(0.0);
  var sum_y = 0.0;
  for (var i = lane; i < args.S; i += WG) {
    let x = logits[n * args.S + i];
    let y = labels[n * args.S + i];
    let e = exp(-abs(x));
    let p = select(e, 1.0, x >= 0.0) / (1.0 + e);
    let q = select(1.0, e, x >= 0.0) / (1.0 + e);
    var v = 0.0;
    if (VOXELS != 0.0) {
      v = voxel_loss(x, y, e);
    }
    sum += vec4f(p * y, p * (1.0 - y), q * y, v);
    sum_y += y;
  }
  partial[lane] = sum;
  partial_y[lane] = sum_y;
  workgroupBarrier();
  if (lane == 0u) {
    var s = partial[0];
    var y = partial_y[0];
    for (var i = 1u; i < WG; i++) {
      s += partial[i];
      y += partial_y[i];
    }
    var l = VOXELS * (s.w / f32(args.S)) + ERRORS * (s.y + s.z);
    if (REGION != 0.0) {
      l += REGION * region_loss(s);
    }
    loss[n] = l;
    sums[n * 3u] = s.x;
    sums[n * 3u + 1u] = s.x + s.y;
    sums[n * 3u + 2u] = y;
    terms[n * 4u] = s.x;
    terms[n * 4u + 1u] = s.y;
    terms[n * 4u + 2u] = s.z;
    terms[n * 4u + 3u] = s.w;
  }
}
