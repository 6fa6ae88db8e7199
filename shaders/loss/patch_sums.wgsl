// Sums for the loss of a patch, over a part of its voxels.  parts: (N, SPLITS, 5) = Σpy,
// Σp(1 − y), Σ(1 − p)y, Σ of the voxels' own losses, Σy; p = sigmoid(logits).
// logits, labels (0 … 1): (N, S) in vectors V. patch_loss.wgsl adds the parts up.
// Voxel: POSITIVE · y(1 − p)^γ · −log p + NEGATIVE · (1 − y)p^γ · −log(1 − p).
// One workgroup per part; its lanes stride over it and are then added up in one fixed order, with two
// barriers (a tree's many cost more on software adapters, and seconds to compile).
alias V = vec4f; // or f32
@group(0) @binding(0) var<storage, read> logits: array<V>;
@group(0) @binding(1) var<storage, read> labels: array<V>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

struct Args {
  N: u32,
  S: u32,
  SPLITS: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const WIDTH: u32 = 4u; // elements of V
const VOXELS: bool = false; // whether there is a loss of voxels
const POSITIVE: f32 = 1.0f;
const NEGATIVE: f32 = 1.0f;
const GAMMA: f32 = 0.0f;
const WG: u32 = 256u;
const ROWS: u32 = 16u;

var<workgroup> partial: array<vec4f, WG>;
var<workgroup> partial_y: array<f32, WG>;
var<workgroup> rows: array<vec4f, ROWS>;
var<workgroup> rows_y: array<f32, ROWS>;

fn components(v: V) -> f32 {
  // shared: components
  // vec4f(f32) repeats it.
  return dot(vec4f(v), vec4f(f32(WIDTH) / 4.0));
  // end
}

// log(1 + e), 0 ≤ e ≤ 1, as 2 artanh(e / (2 + e)): a few units in the last place at any e.
fn log1p(e: V) -> V {
  let t = e / (2.0 + e);
  // shared: artanh_series
  let s = t * t;
  let tail = 1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s / 15.0)));
  return 2.0 * t * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * tail)));
  // end
}

// exp of negative numbers only: nothing overflows at any logit.
fn voxel_loss(x: V, y: V, e: V) -> V {
  let l = log1p(e);
  let log_p = max(-x, V()) + l; // −log p
  let log_q = max(x, V()) + l; // −log(1 − p)
  if (GAMMA == 0.0) {
    return POSITIVE * y * log_p + NEGATIVE * (1.0 - y) * log_q;
  }
  return POSITIVE * y * exp(-GAMMA * log_q) * log_p
    + NEGATIVE * (1.0 - y) * exp(-GAMMA * log_p) * log_q;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let part = wid.y * nwg.x + wid.x;
  if (part >= args.N * args.SPLITS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let base = part / args.SPLITS * args.S;
  let size = (args.S + args.SPLITS - 1u) / args.SPLITS;
  let start = part % args.SPLITS * size;
  let end = min(start + size, args.S);
  var inside = V(); // Σpy
  var outside = V(); // Σp(1 − y)
  var missed = V(); // Σ(1 − p)y
  var own = V();
  var lesion = V();
  for (var i = start + lane; i < end; i += WG) {
    let x = logits[base + i];
    let y = labels[base + i];
    let e = exp(-abs(x));
    let p = select(e, V(1.0), x >= V()) / (1.0 + e);
    let q = select(V(1.0), e, x >= V()) / (1.0 + e);
    inside += p * y;
    outside += p * (1.0 - y);
    missed += q * y;
    if (VOXELS) {
      own += voxel_loss(x, y, e);
    }
    lesion += y;
  }
  let sum = vec4f(components(inside), components(outside), components(missed), components(own));
  let sum_y = components(lesion);
  partial[lane] = sum;
  partial_y[lane] = sum_y;
  workgroupBarrier();
  if (lane < ROWS) {
    var row = vec4f();
    var row_y = 0.0;
    for (var i = lane; i < WG; i += ROWS) {
      row += partial[i];
      row_y += partial_y[i];
    }
    rows[lane] = row;
    rows_y[lane] = row_y;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var s = vec4f();
    var y = 0.0;
    for (var i = 0u; i < ROWS; i++) {
      s += rows[i];
      y += rows_y[i];
    }
    parts[part * 5u] = s.x;
    parts[part * 5u + 1u] = s.y;
    parts[part * 5u + 2u] = s.z;
    parts[part * 5u + 3u] = s.w;
    parts[part * 5u + 4u] = y;
  }
}
