// Least and greatest value of both visits in each window.  page, table, coords as in
// gather_patches.wgsl; range: (N, 4) = min1, max1, min2, max2, over what a gathered patch would hold
// (outside the volume: its edge).
// One workgroup per window, a thread per line along x; it leaves when the window is not on this page.
@group(0) @binding(0) var<storage, read> page: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> coords: array<u32>;
@group(0) @binding(3) var<storage, read_write> range: array<f32>;

struct Args {
  page: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const N: u32 = 2u;
const PD: u32 = 4u;
const PH: u32 = 4u;
const PW: u32 = 4u;
const HALF: bool = false;
const WG: u32 = 64u;

var<workgroup> least: array<vec2f, WG>;
var<workgroup> greatest: array<vec2f, WG>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let n = wid.y * nwg.x + wid.x;
  if (n >= N) {
    return;
  }
  // shared: window_of_volume
  let row = coords[n * 4u] * 8u;
  if (table[row] != args.page) {
    return;
  }
  let base1 = table[row + 1u];
  let base2 = table[row + 2u];
  let size = vec3i(i32(table[row + 4u]), i32(table[row + 5u]), i32(table[row + 6u]));
  let swapped = (table[row + 7u] & 1u) == 1u;
  let corner = bitcast<vec3i>(vec3u(coords[n * 4u + 1u], coords[n * 4u + 2u], coords[n * 4u + 3u]));
  // end
  var low = vec2f(3.4028234e38);
  var high = -low;
  for (var line = lane; line < PD * PH; line += WG) {
    let zy = clamp(corner.xy + vec2i(vec2u(line / PH, line % PH)), vec2i(0), size.xy - 1);
    let start = (zy.x * size.y + zy.y) * size.z;
    for (var x = 0u; x < PW; x++) {
      let voxel = u32(start + clamp(corner.z + i32(x), 0, size.z - 1));
      var pair: vec2f;
      if (HALF) {
        pair = unpack2x16float(page[base1 + voxel]);
      } else {
        pair = bitcast<vec2f>(vec2u(page[base1 + voxel], page[base2 + voxel]));
      }
      low = min(low, pair);
      high = max(high, pair);
    }
  }
  least[lane] = low;
  greatest[lane] = high;
  workgroupBarrier();
  if (lane == 0u) {
    for (var i = 1u; i < WG; i++) {
      low = min(low, least[i]);
      high = max(high, greatest[i]);
    }
    let visits = vec4f(low.x, high.x, low.y, high.y);
    let ordered = select(visits, visits.zwxy, HALF && swapped);
    for (var k = 0u; k < 4u; k++) {
      range[n * 4u + k] = ordered[k];
    }
  }
}
