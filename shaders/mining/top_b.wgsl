// Indices of the COUNT largest errors, largest first; equal errors in order of their index.
// errors: (E) f32, read as bits; sums: (E, 3) = …, …, Σy; indices: (COUNT).
// QUOTA: POSITIVES places for patches with Σy > 0, the others for the rest, as far as there are such;
// each class by its own order, all of them by the common one.
// One thread per error counts those that come before it: that count is its place. O(E²) reads, no
// sorting network, nothing to synchronise; E is a few thousand at most.
@group(0) @binding(0) var<storage, read> errors: array<u32>;
@group(0) @binding(1) var<storage, read> sums: array<f32>;
@group(0) @binding(2) var<storage, read_write> indices: array<u32>;

const E: u32 = 128u;
const COUNT: u32 = 32u;
const QUOTA: bool = false;
const POSITIVES: u32 = 0u;
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
  let positive = QUOTA && sums[i * 3u + 2u] > 0.0;
  var before = vec2u(0u); // of the other class, of the own one
  var positives = 0u;
  for (var j = 0u; j < E; j++) {
    let other = key(errors[j]);
    let one = select(0u, 1u, other > mine || (other == mine && j < i));
    var same = true;
    if (QUOTA) {
      let is_positive = sums[j * 3u + 2u] > 0.0;
      positives += select(0u, 1u, is_positive);
      same = is_positive == positive;
    }
    before += select(vec2u(one, 0u), vec2u(0u, one), same);
  }
  var place = before.y;
  if (QUOTA) {
    let least = COUNT - min(COUNT, E - positives);
    let taken = clamp(POSITIVES, least, min(COUNT, positives));
    let own = select(COUNT - taken, taken, positive);
    place = select(COUNT, before.y + min(before.x, COUNT - own), before.y < own);
  }
  if (place < COUNT) {
    indices[place] = i;
  }
}
