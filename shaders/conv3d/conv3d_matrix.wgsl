enable f16;
enable chromium_experimental_subgroup_matrix;

// 3×3×3 convolution, zero padding, as products of matrices that a subgroup holds together:
// activations and weights as f16, sums as f32.
// x: (N, CIN, D, H, W) in vectors X along a row, a channel view (CT channels a sample, first C0);
// wp: from conv3d_matrix_weights; b: (COUT), unread unless BIAS; y: (N, COUT, D, H, W).
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl. STATS: parts: (N, COUT, TILES, 3),
// moments of y over each tile, for group_norm_merge.wgsl.
// A workgroup computes TX × TY × TZ voxels by 16 · CB output channels, 16 input channels at a time:
// their tile of x with a border goes to workgroup memory channels last, so that RUN voxels of a row
// by 16 channels from any voxel on are a matrix whose columns are aligned. A subgroup keeps runs in
// 4 rows of 2 planes by 16 channels, eight matrices of sums: a row of the tile that it loads serves
// the three taps along y. Sizes need not divide.
alias X = vec4f; // or f32, where rows are no multiples of 4; f16 likewise: as stored
alias Y = vec4f; // likewise
alias F = vec4f; // or f32
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> wp: array<f16>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Y>;
@group(0) @binding(7) var<storage, read_write> parts: array<f32>;

struct Args {
  N: u32,
  CIN: u32,
  COUT: u32,
  CT: u32,
  C0: u32,
  CG: u32,
  D: u32,
  H: u32,
  W: u32,
  BIAS: u32, // 1 or 0
}
@group(0) @binding(8) var<uniform> args: Args;

const WIDTH: u32 = 4u; // elements of X and Y
const TX: u32 = 32u;
const TY: u32 = 4u; // a multiple of 4
const TZ: u32 = 4u; // and of 2
const CB: u32 = 1u;
const RUN: u32 = 16u; // or 8: columns of a matrix
const VS: u32 = 16u; // from voxel to voxel; 24 keeps eight of them on different banks
const NORM: bool = false;
const STATS: bool = false;

const LANES: u32 = 32u; // of a subgroup, always
const EDGE: u32 = 16u; // channels of a matrix
const BLOCK: u32 = TX / RUN * (TY / 4u) * (TZ / 2u); // subgroups for 16 channels
const SUBGROUPS: u32 = BLOCK * CB;
const WG: u32 = SUBGROUPS * LANES;
const PX: u32 = TX + 2u;
const PY: u32 = TY + 2u;
const PLANE: u32 = PX * PY;
const ROWS: u32 = PY * (TZ + 2u);
const QUADS: u32 = TX / 4u;
const FOURS: u32 = ROWS * QUADS / 4u; // each four quads of voxels by 16 channels: 64 loads
const STEP: u32 = WG / 64u;
const SCRATCH: u32 = EDGE * RUN;
const SIZE: u32 = (TZ + 2u) * PLANE * VS;
// The last element of the tile from which six rows of RUN voxels can be read.
const LAST: u32 = SIZE - (5u * PX + RUN - 1u) * VS - EDGE;
const SHARES: u32 = RUN / 4u; // threads that write a channel of a run

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, RUN, 16>;
alias Sum = subgroup_matrix_result<f32, RUN, 16>;

var<workgroup> tile: array<f16, SIZE>; // begins as zeros
var<workgroup> results: array<f32, SUBGROUPS * SCRATCH>;

// Of the input channel that a thread loads.
var<private> mean: f32;
var<private> scale: f32;
var<private> shift: f32;
// Of the two output channels (one where RUN is 8) that it writes: the tile's first voxel, and sum and
// sum of squares of the differences from it, because squares of the values themselves would cancel.
var<private> origins: array<f32, 2>;
var<private> deviations: array<vec2f, 2>;

fn weights_at(at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&wp, at, EDGE);
}

fn voxels_at(at: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&tile, at, VS);
}

fn add_product(l: Left, r: Right, sum: Sum) -> Sum {
  return subgroupMatrixMultiplyAccumulate(l, r, sum);
}

fn put(at: u32, sum: Sum) {
  subgroupMatrixStore<row_major>(&results, at, sum, RUN);
}

fn wide(v: X) -> vec4f { return vec4f(F(v)); }
fn narrow(v: vec4f) -> Y { return Y(v); }

fn load_quad(at: u32, count: u32) -> vec4f {
  if (WIDTH == 4u) {
    return wide(x[at / 4u]);
  }
  // shared: quad_of_scalars
  let last = max(count, 1u) - 1u;
  let first = wide(x[at]).x;
  let second = wide(x[at + min(1u, last)]).x;
  let third = wide(x[at + min(2u, last)]).x;
  return vec4f(first, second, third, wide(x[at + min(3u, last)]).x);
  // end
}

fn read_norm(n: u32, ci: u32) {
  // shared: read_norm
  let group = 2u * ((n * args.CIN + ci) / args.CG);
  mean = stats[group];
  scale = stats[group + 1u] * weight[ci];
  shift = bias[ci];
  // end
}

struct Quad {
  at: u32, // in its channel
  count: u32, // of voxels inside
  to: u32, // voxel of the tile
}

fn place(corner: vec3u, quad: u32) -> Quad {
  let row = quad / QUADS;
  let across = quad % QUADS * 4u;
  // Positions before the border wrap to large numbers and fail the test like those after it.
  let p = corner + vec3u(across, row % PY - 1u, row / PY - 1u);
  let inside = row < ROWS && all(p < vec3u(args.W, args.H, args.D));
  let at = select(0u, (p.z * args.H + p.y) * args.W + p.x, inside);
  return Quad(at, select(0u, min(4u, args.W - p.x), inside), row * PX + 1u + across);
}

// Puts four voxels of channel c into the tile, beginning with one that depends on the lane: lanes
// with quads side by side then write to different banks.
fn put_quad(quad: Quad, c: u32, given: vec4f, turn: u32) {
  var v = given;
  if (NORM) {
    v = max((v - mean) * scale + shift, vec4f());
  }
  v = select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(quad.count));
  v = select(v, v.zwxy, (turn & 2u) == 2u);
  v = select(v, v.yzwx, (turn & 1u) == 1u);
  if (quad.to < ROWS * PX) {
    let to = quad.to * VS + c;
    tile[to + turn * VS] = f16(v.x);
    tile[to + (turn + 1u) % 4u * VS] = f16(v.y);
    tile[to + (turn + 2u) % 4u * VS] = f16(v.z);
    tile[to + (turn + 3u) % 4u * VS] = f16(v.w);
  }
}

// Loads channels ci to ci + 15 of the tile at `corner` of sample n; zeros outside. Four loads are on
// their way together.
fn stage(n: u32, ci: u32, corner: vec3u, lane: u32) {
  let c = lane / 4u % EDGE;
  let turn = lane % 4u;
  let present = ci + c < args.CIN;
  if (!present && ci == 0u) {
    return; // still zeros
  }
  let channel = min(ci + c, args.CIN - 1u);
  if (NORM) {
    read_norm(n, channel);
  }
  let base = (n * args.CT + args.C0 + channel) * args.D * args.H * args.W;
  for (var four = lane / 64u; four < FOURS; four += 4u * STEP) {
    var q0 = place(corner, 4u * four + turn);
    var q1 = place(corner, 4u * (four + STEP) + turn);
    var q2 = place(corner, 4u * (four + 2u * STEP) + turn);
    var q3 = place(corner, 4u * (four + 3u * STEP) + turn);
    let v0 = load_quad(base + q0.at, q0.count);
    let v1 = load_quad(base + q1.at, q1.count);
    let v2 = load_quad(base + q2.at, q2.count);
    let v3 = load_quad(base + q3.at, q3.count);
    if (!present) {
      q0.count = 0u;
      q1.count = 0u;
      q2.count = 0u;
      q3.count = 0u;
    }
    put_quad(q0, c, v0, turn);
    put_quad(q1, c, v1, turn);
    put_quad(q2, c, v2, turn);
    put_quad(q3, c, v3, turn);
  }
}

// The border to the left and right, where the tile does not hold whole rows.
fn stage_edges(n: u32, ci: u32, corner: vec3u, lane: u32) {
  for (var i = lane; i < ROWS * 2u * EDGE; i += WG) {
    let c = ci + i / (2u * ROWS);
    let row = i / 2u % ROWS;
    let right = i % 2u == 1u;
    let p = corner + vec3u(select(0u - 1u, TX, right), row % PY - 1u, row / PY - 1u);
    let inside = c < args.CIN && all(p < vec3u(args.W, args.H, args.D));
    let channel = min(c, args.CIN - 1u);
    let base = (n * args.CT + args.C0 + channel) * args.D * args.H * args.W;
    let four = wide(x[(base + select(0u, (p.z * args.H + p.y) * args.W + p.x, inside)) / WIDTH]);
    var value = select(four.w, four.x, right);
    if (NORM) {
      read_norm(n, channel);
      value = max((value - mean) * scale + shift, 0.0);
    }
    let to = row * PX + select(0u, TX + 1u, right);
    tile[to * VS + i / (2u * ROWS)] = f16(select(0.0, value, inside));
  }
}

// Three taps along y of a plane: six rows of voxels for four of sums.
fn add_plane(
  l0: Left,
  l1: Left,
  l2: Left,
  first: u32,
  a: ptr<function, Sum>,
  b: ptr<function, Sum>,
  c: ptr<function, Sum>,
  d: ptr<function, Sum>,
) {
  // Dawn puts a test of bounds around each load, of which compilers can see now how it ends.
  let at = min(first, LAST);
  let r0 = voxels_at(at);
  let r1 = voxels_at(at + PX * VS);
  let r2 = voxels_at(at + 2u * PX * VS);
  *a = add_product(l0, r0, *a);
  *b = add_product(l0, r1, *b);
  *c = add_product(l0, r2, *c);
  *a = add_product(l1, r1, *a);
  *b = add_product(l1, r2, *b);
  let r3 = voxels_at(at + 3u * PX * VS);
  *a = add_product(l2, r2, *a);
  *c = add_product(l1, r3, *c);
  *b = add_product(l2, r3, *b);
  *d = add_product(l0, r3, *d);
  let r4 = voxels_at(at + 4u * PX * VS);
  *c = add_product(l2, r4, *c);
  *d = add_product(l1, r4, *d);
  let r5 = voxels_at(at + 5u * PX * VS);
  *d = add_product(l2, r5, *d);
}

// Where the runs of a subgroup begin in the tile.
fn place_of(subgroup: u32) -> vec3u {
  let across = TX / RUN;
  let down = TY / 4u;
  let i = subgroup % BLOCK;
  return vec3u(i % across * RUN, i / across % down * 4u, i / (across * down) * 2u);
}

// Writes run `i` of every subgroup, four voxels of a channel a thread and turn.
fn store(sum: Sum, i: u32, n: u32, block: u32, corner: vec3u, subgroup: u32, lane: u32) {
  put(subgroup * SCRATCH, sum);
  workgroupBarrier();
  let whose = lane / LANES;
  let quad = lane % SHARES;
  let p = corner + place_of(whose) + vec3u(4u * quad, i % 4u, i / 4u);
  let inside = all(p < vec3u(args.W, args.H, args.D));
  let count = select(0u, min(4u, args.W - p.x), inside);
  for (var k = 0u; k < RUN / 8u; k++) {
    let row = (lane % LANES + k * LANES) / SHARES;
    let first = whose * SCRATCH + row * RUN + 4u * quad;
    var v = vec4f(results[first], results[first + 1u], results[first + 2u], results[first + 3u]);
    if (STATS) {
      if (i == 0u) {
        origins[k] = results[whose / BLOCK * BLOCK * SCRATCH + row * RUN];
      }
      let off = select(vec4f(), v - origins[k], vec4u(0u, 1u, 2u, 3u) < vec4u(count));
      deviations[k] += vec2f(dot(off, vec4f(1.0)), dot(off, off));
    }
    let co = (block * CB + whose / BLOCK) * EDGE + row;
    if (co < args.COUT) {
      if (args.BIAS == 1u) {
        v += b[co];
      }
      let to = (((n * args.COUT + co) * args.D + p.z) * args.H + p.y) * args.W + p.x;
      if (WIDTH == 4u && count > 0u) {
        y[to / 4u] = narrow(v);
      }
      for (var e = 0u; e < count && WIDTH == 1u; e++) {
        y[to + e] = narrow(vec4f(v[e]));
      }
    }
  }
  workgroupBarrier();
}

// Moments of the tile, from the threads' sums in a fixed order.
fn store_moments(n: u32, t: u32, tiles: u32, block: u32, corner: vec3u, lane: u32) {
  for (var k = 0u; k < RUN / 8u; k++) {
    let to = lane / LANES * SCRATCH + 2u * (lane % LANES + k * LANES);
    results[to] = deviations[k].x;
    results[to + 1u] = deviations[k].y;
    // The threads that end up with the sums have these channels as their first or second ones.
    if (lane / LANES % BLOCK == 0u && lane % SHARES == 0u) {
      let row = (lane % LANES + k * LANES) / SHARES;
      results[lane / LANES * SCRATCH + LANES * SHARES + row] = origins[k];
    }
  }
  workgroupBarrier();
  let co = block * CB * EDGE + lane;
  if (lane < CB * EDGE && co < args.COUT) {
    let first = lane / EDGE * BLOCK * SCRATCH;
    var sum = 0.0;
    var squares = 0.0;
    for (var i = 0u; i < BLOCK * SHARES; i++) {
      let at = first + i / SHARES * SCRATCH + 2u * (lane % EDGE * SHARES + i % SHARES);
      sum += results[at];
      squares += results[at + 1u];
    }
    let inside = min(vec3u(TX, TY, TZ), vec3u(args.W, args.H, args.D) - corner);
    let total = f32(inside.x * inside.y * inside.z);
    var middle = results[first + LANES * SHARES + lane % EDGE] + sum / total;
    if (args.BIAS == 1u) {
      middle += b[co];
    }
    let to = 3u * ((n * args.COUT + co) * tiles + t);
    parts[to] = total;
    parts[to + 1u] = middle;
    parts[to + 2u] = max(0.0, squares - sum * sum / total);
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) id: u32,
) {
  let edges = vec3u(TX, TY, TZ);
  let counts = (vec3u(args.W, args.H, args.D) + edges - 1u) / edges;
  let tiles = counts.x * counts.y * counts.z;
  let matrices = (args.COUT + EDGE - 1u) / EDGE;
  let blocks = (matrices + CB - 1u) / CB;
  let chunks = (args.CIN + EDGE - 1u) / EDGE;
  let i = wid.y * nwg.x + wid.x;
  if (i >= args.N * tiles * blocks) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let block = i % blocks;
  let t = i / blocks % tiles;
  let n = i / (blocks * tiles);
  let corner = vec3u(t % counts.x, t / counts.x % counts.y, t / (counts.x * counts.y)) * edges;
  let subgroup = id % SUBGROUPS; // itself, but compilers learn how large it can be
  let begin = place_of(subgroup);
  let start = (begin.z * PLANE + begin.y * PX + begin.x) * VS;
  // After the last channel its matrices are read again, and what comes of them is not written.
  let own = min(block * CB + subgroup / BLOCK, matrices - 1u);
  // Runs of two planes: function variables, as matrices must be.
  var a0 = Sum();
  var a1 = Sum();
  var a2 = Sum();
  var a3 = Sum();
  var b0 = Sum();
  var b1 = Sum();
  var b2 = Sum();
  var b3 = Sum();
  for (var chunk = 0u; chunk < chunks; chunk++) {
    workgroupBarrier();
    stage(n, chunk * EDGE, corner, lane);
    if (args.W > TX) {
      stage_edges(n, chunk * EDGE, corner, lane);
    }
    workgroupBarrier();
    for (var line = 0u; line < 9u; line++) { // taps along z and x
      let w = ((own * chunks + chunk) * 9u + line) * 3u * EDGE * EDGE;
      let l0 = weights_at(w);
      let l1 = weights_at(w + EDGE * EDGE);
      let l2 = weights_at(w + 2u * EDGE * EDGE);
      let at = start + (line / 3u * PLANE + line % 3u) * VS;
      add_plane(l0, l1, l2, at, &a0, &a1, &a2, &a3);
      add_plane(l0, l1, l2, at + PLANE * VS, &b0, &b1, &b2, &b3);
    }
  }
  store(a0, 0u, n, block, corner, subgroup, lane);
  store(a1, 1u, n, block, corner, subgroup, lane);
  store(a2, 2u, n, block, corner, subgroup, lane);
  store(a3, 3u, n, block, corner, subgroup, lane);
  store(b0, 4u, n, block, corner, subgroup, lane);
  store(b1, 5u, n, block, corner, subgroup, lane);
  store(b2, 6u, n, block, corner, subgroup, lane);
  store(b3, 7u, n, block, corner, subgroup, lane);
  if (STATS) {
    store_moments(n, t, tiles, block, corner, lane);
  }
}
