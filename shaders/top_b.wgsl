// Indices of the COUNT largest errors, largest first; equal errors in order of their index.
// errors: (E) f32, read as bits; indices: (COUNT).
// One thread per error counts those that come before it: that count is its place. O(E²) reads, no
// sorting network, nothing to synchronise; E is a few thousand at most.
@group(0) @binding(0) var<storage, read> errors: array<u32>;
@group(0) @binding(1) var<storage, read_write> indices: array<u32>;

const E: u32 = 128u;
const COUNT: u32 = 32u;
const WG: u32 = 64u;

// Orders as the floats do, −0 = +0, NaN of any kind above +∞: comparisons with NaN are not to be
// trusted in WGSL.
fn key(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return 0xffffffffu;
  }
  if (magnitude == 0u) {
    return 0x80000000u;
  }
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u) {
  let i = gid.x;
  if (i >= E) {
    return;
  }
  let mine = key(errors[i]);
  var place = 0u;
  for (var j = 0u; j < E; j++) {
    let other = key(errors[j]);
    place += select(0u, 1u, other > mine || (other == mine && j < i));
  }
  if (place < COUNT) {
    indices[place] = i;
  }
}
