// Soft Dice loss of each patch.  logits, labels: (N, S); loss: (N); sums: (N, 3) = Σpy, Σp, Σy.
// loss = 1 − (2Σpy + ε) / (Σp + Σy + ε), p = sigmoid(logit).
// One workgroup per patch; lanes stride over it, then lane 0 adds them up: one fixed order, and one
// barrier (a tree's many barriers cost more on software adapters, and seconds to compile).
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

struct Args {
  N: u32,
  S: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const EPSILON: f32 = 1e-5f;
const WG: u32 = 256u;

var<workgroup> partial: array<vec3f, WG>;

// exp of a negative number only: nothing overflows at any logit.
fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  return select(e, 1.0, x >= 0.0) / (1.0 + e);
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
  var sum = vec3f(0.0);
  for (var i = lane; i < args.S; i += WG) {
    let p = sigmoid(logits[n * args.S + i]);
    let y = labels[n * args.S + i];
    sum += vec3f(p * y, p, y);
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    var s = partial[0];
    for (var i = 1u; i < WG; i++) {
      s += partial[i];
    }
    loss[n] = 1.0 - (2.0 * s.x + EPSILON) / (s.y + s.z + EPSILON);
    sums[n * 3u] = s.x;
    sums[n * 3u + 1u] = s.y;
    sums[n * 3u + 2u] = s.z;
  }
}
