// Sums of the weighted normal equations of a small motion, one row for each piece of the points.
// samples: (6, D, H, W), see halfway_samples.wgsl; motion: (COLS + 7) = δ, step (x, y, z), origin, width;
// sums: (PIECES, SUMS) = upper triangle of Σ w·J·Jᵀ by rows, Σ w·J·r, Σ w, Σ w·e², number of points.
// e = r − Jδ, and w = max(0, 1 − (e / width)²)² is Tukey's biweight (Beaton & Tukey 1974). J is that of
// residual_histogram.wgsl.
// One workgroup per piece and block of 4 × 4 products of (J, r), with J anew for each: all sums of a
// lane at once are more than a GPU has registers for. A lane sums points in their order, then two
// lanes are added, then lane k adds up sum k of all pairs, so that the order is fixed; the rows are
// added up on the host in float64.
@group(0) @binding(0) var<storage, read> samples: array<f32>;
@group(0) @binding(1) var<storage, read> motion: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

struct Args {
  D: u32, H: u32, W: u32,
  PIECES: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const COLS: u32 = 7u;
const SUMS: u32 = 38u;
const PIECE: u32 = 1024u;
const BLOCKS: u32 = 3u; // 4 × 4 products each, of the upper triangle of COLS + 1
const WG: u32 = 64u;

// Sums of a lane in fours: rows of the block, then w, w·e² and the number of points.
const FOURS: u32 = 5u;
const PAIRS: u32 = WG / 2u;
var<workgroup> pairs: array<vec4f, FOURS * PAIRS>;

// shared: motion_entries
// Entries of (J, r) in fours, and 0 beyond, at a point of gradient g, mean m and place Y.
fn entries(g: vec3f, m: f32, r: f32, Y: vec3f) -> mat4x4f {
  if (COLS == 7u) {
    return mat4x4f(vec4f(cross(Y, g), g.x), vec4f(g.yz, m, r), vec4f(), vec4f());
  }
  let last = vec4f(m, r, 0.0, 0.0);
  return mat4x4f(vec4f(g.x * Y, g.y * Y.x), vec4f(g.y * Y.yz, g.z * Y.xy), vec4f(g.z * Y.z, g), last);
}

fn factor(c: u32) -> f32 {
  if (c < COLS) {
    return -motion[c];
  }
  return select(0.0, 1.0, c == COLS);
}

fn factors4(c: u32) -> vec4f {
  return vec4f(factor(c), factor(c + 1u), factor(c + 2u), factor(c + 3u));
}

// What the entries are multiplied by for e.
fn factors() -> mat4x4f {
  return mat4x4f(factors4(0u), factors4(4u), factors4(8u), factors4(12u));
}

fn residual(a: mat4x4f, by: mat4x4f) -> f32 {
  var e = dot(a[0], by[0]) + dot(a[1], by[1]);
  if (COLS > 7u) {
    e += dot(a[2], by[2]) + dot(a[3], by[3]);
  }
  return e;
}

// x, y and z of the point with this number.
fn split(at: u32) -> vec3u {
  let row = at / args.W;
  return vec3u(at % args.W, row % args.H, row / args.H);
}

fn place(index: vec3u) -> vec3f {
  let step = vec3f(motion[COLS], motion[COLS + 1u], motion[COLS + 2u]);
  return step * vec3f(index) + vec3f(motion[COLS + 3u], motion[COLS + 4u], motion[COLS + 5u]);
}
// end

fn four(a: mat4x4f, which: u32) -> vec4f {
  return select(select(a[0], a[1], which == 1u), select(a[2], a[3], which == 3u), which > 1u);
}

// First row and column of a block: those of the upper triangle row by row.
fn corner(block: u32) -> vec2u {
  var at = vec2u(0u, block);
  for (var left = (COLS + 4u) / 4u; at.y >= left; left--) {
    at = vec2u(at.x + 1u, at.y - left);
  }
  return 4u * vec2u(at.x, at.x + at.y);
}

// Where sum k of a block goes; SUMS: nowhere. The weights' are those of the first block.
fn position(first: vec2u, k: u32) -> u32 {
  let at = first + vec2u(k / 4u, k % 4u);
  if (k >= 16u) {
    return select(SUMS, SUMS - 19u + k, k < 19u && first.y == 0u);
  }
  if (at.x > at.y || at.x >= COLS || at.y > COLS) {
    return SUMS;
  }
  if (at.y == COLS) {
    return COLS * (COLS + 1u) / 2u + at.x;
  }
  return at.x * COLS - at.x * (at.x + 1u) / 2u + at.y;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wid.y * nwg.x + wid.x;
  let piece = group / BLOCKS;
  if (piece >= args.PIECES) {
    return;
  }
  let first = corner(group % BLOCKS);
  let count = args.D * args.H * args.W;
  let start = piece * PIECE;
  let by = factors();
  var own: array<vec4f, FOURS>;
  let hop = split(WG);
  var next = split(start + lane);
  for (var at = start + lane; at < min(start + PIECE, count); at += WG) {
    // The sum of two places, carried: divisions take long.
    let index = next;
    next += hop;
    if (next.x >= args.W) {
      next = vec3u(next.x - args.W, next.y + 1u, next.z);
    }
    if (next.y >= args.H) {
      next = vec3u(next.x, next.y - args.H, next.z + 1u);
    }
    if (samples[5u * count + at] == 0.0) {
      continue;
    }
    let r = samples[at];
    let g = vec3f(samples[count + at], samples[2u * count + at], samples[3u * count + at]);
    let m = samples[4u * count + at];
    let Y = place(index);
    let a = entries(g, m, r, Y);
    let e = residual(a, by);
    let far = e / motion[COLS + 6u];
    let kept = max(0.0, 1.0 - far * far);
    let w = kept * kept;
    let rows = w * four(a, first.x / 4u);
    let columns = four(a, first.y / 4u);
    own[0] += rows.x * columns;
    own[1] += rows.y * columns;
    own[2] += rows.z * columns;
    own[3] += rows.w * columns;
    own[4] += vec4f(w, w * e * e, 1.0, 0.0);
  }
  let slot = FOURS * (lane % PAIRS);
  if (lane >= PAIRS) {
    for (var i = 0u; i < FOURS; i++) {
      pairs[slot + i] = own[i];
    }
  }
  workgroupBarrier();
  if (lane < PAIRS) {
    for (var i = 0u; i < FOURS; i++) {
      pairs[slot + i] += own[i];
    }
  }
  workgroupBarrier();
  let to = position(first, lane);
  if (to >= SUMS) {
    return;
  }
  var sum = 0.0;
  for (var i = 0u; i < PAIRS; i++) {
    sum += pairs[FOURS * i + lane / 4u][lane % 4u];
  }
  sums[piece * SUMS + to] = sum;
}
