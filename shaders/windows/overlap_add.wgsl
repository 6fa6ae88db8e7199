// Adds weighted window predictions to a slab of planes of a volume.  p: (·, S), S = PD · PH · PW;
// windows: (N, 4) = z, y, x of the corner (i32 bits; may lie outside), row of p (NONE: no window);
// weights: (PD + PH + PW), a voxel of a window counts by the product of its three; total:
// (PLANES, H, W), its first plane is plane args.z0 of the volume.
// Windows of one launch may overlap.  A voxel belongs to the first window that covers it: that
// window's thread adds all contributions in the order of the windows, so that no two threads touch
// one voxel and the sum does not depend on how the windows are split into launches.
// A thread does a column of VPT planes, to read the other windows' corners once for all of them.
@group(0) @binding(0) var<storage, read> p: array<f32>;
@group(0) @binding(1) var<storage, read> windows: array<vec4u>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

struct Args {
  z0: u32,
  N: u32,
  PLANES: u32,
  H: u32,
  W: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const PD: u32 = 4u;
const PH: u32 = 4u;
const PW: u32 = 4u;
const CHUNKS: u32 = 1u; // ⌈PD / VPT⌉ · PH · PW / WG, rounded up
const WG: u32 = 64u;
const VPT: u32 = 32u; // at most the bits of a word
const NONE: u32 = 0xffffffffu;

// Where the voxel lies in window w along y and x, or a negative number when outside.
fn offset_in(w: vec4u, at: vec3i) -> i32 {
  let d = at.yz - bitcast<vec2i>(w.yz);
  if (w.w == NONE || any(d < vec2i(0)) || d.x >= i32(PH) || d.y >= i32(PW)) {
    return -1;
  }
  return d.x * i32(PW) + d.y;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  let n = group / CHUNKS;
  let column = (group % CHUNKS) * WG + lane;
  let first = column / (PH * PW) * VPT;
  if (n >= args.N || first >= PD || windows[n].w == NONE) {
    return;
  }
  let inside = vec3u(first, column / PW % PH, column % PW);
  let at = bitcast<vec3i>(windows[n].xyz) + vec3i(inside) - vec3i(i32(args.z0), 0, 0);
  if (any(at.yz < vec2i(0)) || at.y >= i32(args.H) || at.z >= i32(args.W)) {
    return;
  }
  var mine = 0u; // bit k: plane k of the column is this thread's
  for (var k = 0u; k < VPT; k++) {
    let z = at.x + i32(k);
    mine |= select(0u, 1u << k, first + k < PD && z >= 0 && z < i32(args.PLANES));
  }
  if (mine == 0u) {
    return;
  }
  for (var j = 0u; j < n; j++) {
    let other = windows[j];
    let z = at.x + i32(args.z0) - bitcast<i32>(other.x);
    if (offset_in(other, at) >= 0) {
      for (var k = 0u; k < VPT; k++) {
        let d = z + i32(k);
        mine &= select(~0u, ~(1u << k), d >= 0 && d < i32(PD));
      }
    }
  }
  if (mine == 0u) {
    return;
  }
  var sum: array<f32, VPT>;
  let base = (at.x * i32(args.H) + at.y) * i32(args.W) + at.z;
  for (var k = 0u; k < VPT; k++) {
    if ((mine & (1u << k)) != 0u) {
      sum[k] = total[base + i32(k * args.H * args.W)];
    }
  }
  for (var j = n; j < args.N; j++) {
    let other = windows[j];
    let z = at.x + i32(args.z0) - bitcast<i32>(other.x);
    let yx = offset_in(other, at);
    if (yx >= 0) {
      let weight = weights[PD + u32(yx) / PW] * weights[PD + PH + u32(yx) % PW];
      for (var k = 0u; k < VPT; k++) {
        let d = z + i32(k);
        if ((mine & (1u << k)) != 0u && d >= 0 && d < i32(PD)) {
          sum[k] += weight * weights[d] * p[other.w * (PD * PH * PW) + u32(d) * (PH * PW) + u32(yx)];
        }
      }
    }
  }
  for (var k = 0u; k < VPT; k++) {
    if ((mine & (1u << k)) != 0u) {
      total[base + i32(k * args.H * args.W)] = sum[k];
    }
  }
}
