// Mean of the K largest cross-entropies of each patch.  logits, labels (0 … 1): (N, S); values:
// (N, S), scratch; errors: (N).
// One workgroup per patch. The K-th largest value is found exactly, a byte of its bits at a time from
// the top, by a histogram of the values that agree so far (radix selection): floats that are not
// negative order as their bits do. What is larger is added up in a fixed order, then ties fill up.
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> errors: array<f32>;

struct Args {
  N: u32,
  S: u32,
  K: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const WG: u32 = 256u;
const BINS: u32 = 256u;

var<workgroup> histogram: array<atomic<u32>, BINS>;
var<workgroup> found: vec2u; // the bits so far; how many of the values that agree are to be taken
var<workgroup> partial: array<f32, WG>;

// log(1 + e), 0 ≤ e ≤ 1, as 2 artanh(e / (2 + e)).
fn log1p(e: f32) -> f32 {
  let t = e / (2.0 + e);
  // shared: artanh_series
  let s = t * t;
  let tail = 1.0 / 7.0 + s * (1.0 / 9.0 + s * (1.0 / 11.0 + s * (1.0 / 13.0 + s / 15.0)));
  return 2.0 * t * (1.0 + s * (1.0 / 3.0 + s * (1.0 / 5.0 + s * tail)));
  // end
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
  let base = n * args.S;
  // A lane reads its own values only, so that no barrier of the storage is needed.
  for (var i = lane; i < args.S; i += WG) {
    let x = logits[base + i];
    let y = labels[base + i];
    let l = log1p(exp(-abs(x)));
    values[base + i] = y * (max(-x, 0.0) + l) + (1.0 - y) * (max(x, 0.0) + l);
  }
  var bits = 0u;
  var left = args.K;
  for (var round = 0u; round < 4u; round++) {
    let shift = 24u - 8u * round;
    for (var b = lane; b < BINS; b += WG) {
      atomicStore(&histogram[b], 0u);
    }
    workgroupBarrier();
    for (var i = lane; i < args.S; i += WG) {
      let v = bitcast<u32>(values[base + i]);
      // Shifts of 32 are no shifts: the first round compares nothing.
      if (round == 0u || (v >> (shift + 8u)) == (bits >> (shift + 8u))) {
        atomicAdd(&histogram[(v >> shift) & 255u], 1u);
      }
    }
    workgroupBarrier();
    if (lane == 0u) {
      var b = BINS - 1u;
      var take = left;
      var here = atomicLoad(&histogram[b]);
      while (here < take && b > 0u) {
        take -= here;
        b -= 1u;
        here = atomicLoad(&histogram[b]);
      }
      found = vec2u(bits | (b << shift), take);
    }
    workgroupBarrier();
    bits = found.x;
    left = found.y;
  }
  var sum = 0.0;
  for (var i = lane; i < args.S; i += WG) {
    let v = values[base + i];
    if (bitcast<u32>(v) > bits) {
      sum += v;
    }
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < WG; i++) {
      sum += partial[i];
    }
    errors[n] = (sum + f32(left) * bitcast<f32>(bits)) / f32(args.K);
  }
}
