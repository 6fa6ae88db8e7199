// Count, mean and sum of squared deviations of each piece of x.  x, mask: (S); partials: (P, 3).
// One workgroup per piece, two passes over it: the deviations are from the
// piece's own mean, so that nothing cancels.  The pieces are merged on the host in float64.
// MASKED takes elements where mask ≠ 0, NONZERO those where x ≠ 0.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> mask: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<f32>;

struct Args {
  S: u32,
  PIECES: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const MASKED: bool = false;
const NONZERO: bool = false;
const PIECE: u32 = 8192u;
const WG: u32 = 64u;

var<workgroup> lanes: array<vec2f, WG>;
var<workgroup> total: vec2f;

fn taken(i: u32) -> bool {
  if (MASKED) {
    if (mask[i] == 0.0) {
      return false;
    }
  }
  return !NONZERO || x[i] != 0.0;
}

// Sum over the workgroup in order of the lanes, for every lane.
fn workgroup_sum(value: vec2f, lane: u32) -> vec2f {
  lanes[lane] = value;
  workgroupBarrier();
  if (lane == 0u) {
    var sum = lanes[0];
    for (var i = 1u; i < WG; i++) {
      sum += lanes[i];
    }
    total = sum;
  }
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let piece = wid.y * nwg.x + wid.x;
  if (piece >= args.PIECES) {
    return;
  }
  let start = piece * PIECE;
  let end = min(start + PIECE, args.S);
  var sum = vec2f(0.0); // count, Σx
  for (var i = start + lane; i < end; i += WG) {
    if (taken(i)) {
      sum += vec2f(1.0, x[i]);
    }
  }
  sum = workgroup_sum(sum, lane);
  let mean = sum.y / max(sum.x, 1.0);
  var squares = 0.0;
  for (var i = start + lane; i < end; i += WG) {
    if (taken(i)) {
      squares += (x[i] - mean) * (x[i] - mean);
    }
  }
  squares = workgroup_sum(vec2f(squares, 0.0), lane).x;
  if (lane == 0u) {
    partials[piece * 3u] = sum.x;
    partials[piece * 3u + 1u] = mean;
    partials[piece * 3u + 2u] = squares;
  }
}
