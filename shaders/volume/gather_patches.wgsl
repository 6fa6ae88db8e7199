// Cuts patches out of volumes that live on the device.  coords: (N, 4) = volume, z, y, x (i32 bits;
// may lie outside); table: (V, 8) = page, base1, base2, baseLabel, D, H, W, flags; x: (N, C, S);
// y: (N, 1, S), S = PD · PH · PW.  Bases are word offsets into the page, x fastest.
// Channels: visit 1, visit 2 and, with DIFFERENCE, visit 2 − visit 1.
// HALF: word base1 + i holds both visits of voxel i as f16 (visit 1 low), flag bit 0 swaps them;
// else one f32 a word for each visit.  Labels: bit i & 31 of word baseLabel + (i >> 5).
// Outside the volume the image repeats its edge and the label is 0.
// A workgroup does WG·VPT voxels of one patch and leaves when the patch is not on this page.
alias T = f32; // or f16
@group(0) @binding(0) var<storage, read> page: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<u32>;
@group(0) @binding(2) var<storage, read> coords: array<u32>;
@group(0) @binding(3) var<storage, read_write> x: array<T>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

struct Args {
  page: u32,
  N: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

// shared: patch_constants
const PD: u32 = 4u;
const PH: u32 = 4u;
const PW: u32 = 4u;
const CHUNKS: u32 = 1u; // ⌈S / (WG · VPT)⌉
const HALF: bool = false;
const LABEL: bool = true;
const DIFFERENCE: bool = false;
const WG: u32 = 64u;
const VPT: u32 = 8u;
const S: u32 = PD * PH * PW;
const C: u32 = select(2u, 3u, DIFFERENCE);
// end

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  let n = group / CHUNKS;
  if (n >= args.N) {
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
  let base_label = table[row + 3u];
  let start = (group % CHUNKS) * WG * VPT;
  let end = min(start + WG * VPT, S);
  for (var s = start + lane; s < end; s += WG) {
    let at = corner + vec3i(vec3u(s / (PH * PW), (s / PW) % PH, s % PW));
    let inside = clamp(at, vec3i(0), size - 1);
    let voxel = u32((inside.x * size.y + inside.y) * size.z + inside.z);
    var pair: vec2f;
    if (HALF) {
      pair = unpack2x16float(page[base1 + voxel]);
      pair = select(pair, pair.yx, swapped);
    } else {
      pair = bitcast<vec2f>(vec2u(page[base1 + voxel], page[base2 + voxel]));
    }
    // shared: put_visits
    x[n * C * S + s] = T(pair.x);
    x[(n * C + 1u) * S + s] = T(pair.y);
    if (DIFFERENCE) {
      x[(n * C + 2u) * S + s] = T(pair.y - pair.x);
    }
    // end
    if (LABEL) {
      let bit = (page[base_label + (voxel >> 5u)] >> (voxel & 31u)) & 1u;
      y[n * S + s] = select(0.0, f32(bit), all(at == inside));
    }
  }
}
