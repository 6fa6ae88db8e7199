// Counts the elements of g: (COUNT) that are infinite or NaN, by their bits (a compiler may drop
// comparisons with NaN).  parts: (P), the count in a run of WG · ITEMS each. One workgroup per run.
@group(0) @binding(0) var<storage, read> g: array<u32>;
@group(0) @binding(1) var<storage, read_write> parts: array<u32>;

const COUNT: u32 = 64u;
const ITEMS: u32 = 16u;
const WG: u32 = 64u;

const EXPONENT: u32 = 0x7f800000u;

var<workgroup> counts: array<u32, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let run = wid.y * nwg.x + wid.x;
  if (run * ITEMS * WG >= COUNT) {
    return; // the whole workgroup, so that the barrier below stays uniform
  }
  var count = 0u;
  for (var k = 0u; k < ITEMS; k++) {
    let i = (run * ITEMS + k) * WG + lane;
    if (i < COUNT && (g[i] & EXPONENT) == EXPONENT) {
      count++;
    }
  }
  counts[lane] = count;
  workgroupBarrier();
  if (lane == 0u) {
    var sum = 0u;
    for (var i = 0u; i < WG; i++) {
      sum += counts[i];
    }
    parts[run] = sum;
  }
}
