// Loss of each patch from its region and from its voxels.  parts: (N, SPLITS, 5), see
// patch_sums.wgsl, of patches of S voxels; totals: (4), the terms of a whole batch of BATCH patches;
// loss: (N); sums: (N, 3) = Σpy, Σp, Σy; terms: (N, 4) = I = Σpy, FP = Σp(1 − y), FN = Σ(1 − p)y,
// V = Σ of the voxels' own losses.
// Region: F = (u / D)^POWER with u = W_FP · FP + W_FN · FN and D = 2I + u + ε; nothing cancels.
// OVER_BATCH: of the totals, F(totals) + BATCH · (the patch's share of dF), see kernels/loss/patch_loss.ts.
// One workgroup per patch: its lanes load parts in strides, and lane 0 adds them up.
@group(0) @binding(0) var<storage, read> parts: array<f32>;
@group(0) @binding(1) var<storage, read> totals: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;
@group(0) @binding(4) var<storage, read_write> terms: array<f32>;

struct Args {
  N: u32,
  S: u32,
  SPLITS: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const REGION: f32 = 1.0f; // weights of the three parts
const VOXELS: f32 = 0.0f;
const ERRORS: f32 = 0.0f; // FP + FN
const W_FP: f32 = 1.0f;
const W_FN: f32 = 1.0f;
const EPSILON: f32 = 1e-5f;
const POWER: f32 = 1.0f;
const OVER_BATCH: bool = false;
const BATCH: f32 = 1.0f;
const WG: u32 = 32u;

var<workgroup> partial: array<vec4f, WG>;
var<workgroup> partial_y: array<f32, WG>;

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
    return; // the whole workgroup, so that the barrier below stays uniform
  }
  var sum = vec4f();
  var sum_y = 0.0;
  for (var i = lane; i < args.SPLITS; i += WG) {
    let at = (n * args.SPLITS + i) * 5u;
    sum += vec4f(parts[at], parts[at + 1u], parts[at + 2u], parts[at + 3u]);
    sum_y += parts[at + 4u];
  }
  partial[lane] = sum;
  partial_y[lane] = sum_y;
  workgroupBarrier();
  if (lane == 0u) {
    var s = partial[0];
    var y = partial_y[0];
    for (var i = 1u; i < min(WG, args.SPLITS); i++) {
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
