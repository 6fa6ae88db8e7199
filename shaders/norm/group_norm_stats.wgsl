// GroupNorm statistics.  x: (N, C, S) in vectors V; stats: (N, G, 2) = mean, 1/√(variance + EPS).
// One workgroup per (n, group), whose M vectors are contiguous, and one pass: each component of each
// thread sums differences from the first value it sees (E[x²] − E[x]² would cancel; these differences
// are of the order of what they measure), and the partial means and variances are then merged.
alias V = vec4f; // or f32; f16 likewise: as stored
alias F = vec4f; // or f32: as computed
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;

const NG: u32 = 4u; // N · G
const M: u32 = 64u; // vectors of a group
const WIDTH: u32 = 4u; // elements of V
const EPS: f32 = 1e-5f;
const WG: u32 = 64u;
const ROWS: u32 = 8u;

var<workgroup> partial: array<f32, WG>;
var<workgroup> rows: array<f32, ROWS>;

fn components(v: F) -> f32 {
  // shared: components
  // vec4f(f32) repeats it.
  return dot(vec4f(v), vec4f(f32(WIDTH) / 4.0));
  // end
}

fn total(lane: u32, value: f32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  // shared: rows_of_numbers
  if (lane < ROWS) {
    var row = 0.0;
    for (var k = lane; k < WG; k += ROWS) {
      row += partial[k];
    }
    rows[lane] = row;
  }
  workgroupBarrier();
  // end
  var sum = 0.0;
  for (var i = 0u; i < ROWS; i++) {
    sum += rows[i];
  }
  return sum;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  if (group >= NG) {
    return;
  }
  let base = group * M;
  let shift = F(x[base + min(lane, M - 1u)]);
  var sum = F();
  var squares = F();
  var count = 0.0;
  for (var i = lane; i < M; i += WG) {
    let d = F(x[base + i]) - shift;
    sum += d;
    squares += d * d;
    count += 1.0;
  }
  let mine = shift + sum / max(count, 1.0);
  let mean = total(lane, count * components(mine)) / f32(M * WIDTH);
  let off = mine - mean;
  let spread = squares - sum * sum / max(count, 1.0) + count * off * off;
  let variance = total(lane, components(spread)) / f32(M * WIDTH);
  if (lane == 0u) {
    stats[2u * group] = mean;
    stats[2u * group + 1u] = inverseSqrt(variance + EPS);
  }
}
