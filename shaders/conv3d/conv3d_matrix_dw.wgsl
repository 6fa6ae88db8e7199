enable f16;
enable chromium_experimental_subgroup_matrix;

// Weight gradient of a 3×3×3 convolution as products of matrices that a subgroup holds together:
// factors as f16, sums as f32.
// x: (N, CIN, D, H, W) in vectors X along a row, a channel view (CT channels a sample, first C0);
// dy: (N, COUT, D, H, W); parts: (SPLITS · RUNS, blocks of 16 output channels, of 16 input channels,
// 27, 16, 16), summed by conv3d_matrix_dw_reduce in a fixed order.
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl, and rounded to f16.
// A workgroup takes 16 input by 16 · COB output channels and one of SPLITS runs of columns. A column
// is TX × TY voxels (x, y) of a sample, walked along z plane by plane: of x (with a border) the
// planes before, at and after z are in workgroup memory, of dy the one at z, and the next of each
// are on their way in. dy lies there channels first, x channels last: 16 voxels of a row by 16
// channels from any voxel on are a matrix whose rows are aligned. A subgroup keeps the nine taps of
// one kx for 16 × 16 channels, and sums over one of RUNS blocks of 16 × 4 voxels of each plane: a row
// of x that it loads serves the three taps along y.
alias X = vec4f; // or f32, where rows are no multiples of 4; f16 likewise: as stored
alias Y = vec4f; // likewise
alias F = vec4f; // or f32
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> dy: array<Y>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;

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
  SPLITS: u32,
}
@group(0) @binding(6) var<uniform> args: Args;

const WIDTH: u32 = 4u; // elements of X and Y
const TX: u32 = 32u; // 16 or 32
const TY: u32 = 4u; // a multiple of 4
const COB: u32 = 1u;
const VS: u32 = 16u; // from voxel to voxel of x; 24 keeps eight of them on different banks
const NORM: bool = false;

const LANES: u32 = 32u; // of a subgroup, always
const EDGE: u32 = 16u; // of a matrix
const CO: u32 = EDGE * COB;
const ACROSS: u32 = TX / EDGE;
const RUNS: u32 = ACROSS * (TY / 4u);
const SUBGROUPS: u32 = 3u * RUNS * COB;
const WG: u32 = SUBGROUPS * LANES;
const PX: u32 = TX + 2u;
const PY: u32 = TY + 2u;
const PLANE: u32 = PX * PY;
const QUADS: u32 = TX / 4u;
const DS: u32 = TX * TY + 8u; // from channel to channel of dy: eight on different banks
const X_SIZE: u32 = 4u * PLANE * VS;
const DY_SIZE: u32 = 2u * CO * DS;
// The last elements from which six rows of x and four of dy can be read.
const X_LAST: u32 = X_SIZE - (5u * PX + EDGE - 1u) * VS - EDGE;
const DY_LAST: u32 = DY_SIZE - (EDGE - 1u) * DS - 3u * TX - EDGE;
const STEP: u32 = WG / 64u; // 64 threads load four quads of 16 channels
const X_LOADS: u32 = (PY * QUADS / 4u + STEP - 1u) / STEP; // of a thread
const DY_FOURS: u32 = TY * QUADS / 4u;
const DY_LOADS: u32 = (DY_FOURS * COB + STEP - 1u) / STEP;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

var<workgroup> tile: array<f16, X_SIZE>; // planes of x; begin as zeros, as do those of dy
var<workgroup> grads: array<f16, DY_SIZE>;

// What a thread has loaded of the next planes.
var<private> quads: array<vec4h, X_LOADS>;
var<private> dyQuads: array<vec4h, DY_LOADS>;

fn grads_at(at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&grads, at, DS);
}

fn voxels_at(at: u32) -> Right {
  return subgroupMatrixLoad<Right, row_major>(&tile, at, VS);
}

fn add_product(l: Left, r: Right, sum: Sum) -> Sum {
  return subgroupMatrixMultiplyAccumulate(l, r, sum);
}

fn put_sum(at: u32, sum: Sum) {
  subgroupMatrixStore<row_major>(&parts, at, sum, EDGE);
}

// Elements at, at + 1, … of x, `count` of them inside.
fn load_x(at: u32, count: u32) -> vec4h {
  if (WIDTH == 4u) {
    return vec4h(vec4f(F(x[at / 4u])));
  }
  let last = max(count, 1u) - 1u;
  let first = vec4f(F(x[at])).x;
  let second = vec4f(F(x[at + min(1u, last)])).x;
  let third = vec4f(F(x[at + min(2u, last)])).x;
  return vec4h(vec4f(first, second, third, vec4f(F(x[at + min(3u, last)])).x));
}

fn load_dy(at: u32, count: u32) -> vec4h {
  if (WIDTH == 4u) {
    return vec4h(vec4f(F(dy[at / 4u])));
  }
  let last = max(count, 1u) - 1u;
  let first = vec4f(F(dy[at])).x;
  let second = vec4f(F(dy[at + min(1u, last)])).x;
  let third = vec4f(F(dy[at + min(2u, last)])).x;
  return vec4h(vec4f(first, second, third, vec4f(F(dy[at + min(3u, last)])).x));
}

// Mean, scale and shift of channel c.
fn norm_of(n: u32, c: u32) -> vec3f {
  // shared: norm_of
  let group = 2u * ((n * args.CIN + c) / args.CG);
  return vec3f(stats[group], stats[group + 1u] * weight[c], bias[c]);
  // end
}

// Where a workgroup is: a column, and how many planes of it have been asked for.
struct Walk {
  n: u32,
  x0: u32,
  y0: u32,
  t: u32,
}

fn begin(column: u32) -> Walk {
  let across = (args.W + TX - 1u) / TX;
  let down = (args.H + TY - 1u) / TY;
  return Walk(
    column / (across * down),
    column % across * TX,
    column / across % down * TY,
    0u,
  );
}

// The first two steps of a column only fill the planes.
fn advance(given: Walk) -> Walk {
  var w = given;
  w.t++;
  if (w.t == args.D + 2u) {
    w.t = 0u;
    w.x0 += TX;
    if (w.x0 >= args.W) {
      w.x0 = 0u;
      w.y0 += TY;
    }
    if (w.y0 >= args.H) {
      w.y0 = 0u;
      w.n++;
    }
  }
  return w;
}

// Where in its channel a quad of a plane begins, and how many of its voxels are inside. Planes and
// positions before the first wrap to large numbers and fail the test like those after the last.
fn place(w: Walk, quad: u32, border: u32, z: u32) -> vec2u {
  let p = vec3u(w.x0 + quad % QUADS * 4u, w.y0 + quad / QUADS - border, z);
  let inside = all(p < vec3u(args.W, args.H, args.D));
  let at = (p.z * args.H + p.y) * args.W + p.x;
  return select(vec2u(), vec2u(at, min(4u, args.W - p.x)), inside);
}

fn x_base(n: u32, c: u32) -> u32 {
  return (n * args.CT + args.C0 + c) * args.D * args.H * args.W;
}

// Loads plane t − 1 of x and t − 2 of dy, in the blocks of channels from ci and co on.
fn fetch(w: Walk, ci: u32, co: u32, lane: u32) {
  let c = lane / 4u % EDGE;
  let base = x_base(w.n, min(ci + c, args.CIN - 1u));
  for (var k = 0u; k < X_LOADS; k++) {
    let at = place(w, 4u * (k * STEP + lane / 64u) + lane % 4u, 1u, w.t - 1u);
    quads[k] = load_x(base + at.x, at.y);
  }
  for (var k = 0u; k < DY_LOADS; k++) {
    let i = k * STEP + lane / 64u;
    let at = place(w, 4u * (i % DY_FOURS) + lane % 4u, 0u, w.t - 2u);
    let channel = min(co + i / DY_FOURS * EDGE + c, args.COUT - 1u);
    dyQuads[k] = load_dy((w.n * args.COUT + channel) * args.D * args.H * args.W + at.x, at.y);
  }
}

// Puts what was fetched where step u will look for it. Four lanes with quads of x side by side begin
// with different voxels of them, and so write to different banks.
fn put(w: Walk, u: u32, ci: u32, co: u32, lane: u32) {
  let four = vec4u(0u, 1u, 2u, 3u);
  let turn = lane % 4u;
  let c = lane / 4u % EDGE;
  var norm = vec3f();
  if (NORM) {
    norm = norm_of(w.n, min(ci + c, args.CIN - 1u));
  }
  for (var k = 0u; k < X_LOADS; k++) {
    let quad = 4u * (k * STEP + lane / 64u) + turn;
    var v = quads[k];
    if (NORM) {
      v = vec4h(max((vec4f(v) - norm.x) * norm.y + norm.z, vec4f()));
    }
    v = select(vec4h(), v, four < vec4u(place(w, quad, 1u, w.t - 1u).y));
    v = select(v, v.zwxy, (turn & 2u) == 2u);
    v = select(v, v.yzwx, (turn & 1u) == 1u);
    if (quad < PY * QUADS && ci + c < args.CIN) {
      let to = (u % 4u * PLANE + quad / QUADS * PX + 1u + quad % QUADS * 4u) * VS + c;
      tile[to + turn * VS] = v.x;
      tile[to + (turn + 1u) % 4u * VS] = v.y;
      tile[to + (turn + 2u) % 4u * VS] = v.z;
      tile[to + (turn + 3u) % 4u * VS] = v.w;
    }
  }
  for (var k = 0u; k < DY_LOADS; k++) {
    let i = k * STEP + lane / 64u;
    let quad = 4u * (i % DY_FOURS) + turn;
    let channel = i / DY_FOURS * EDGE + c;
    let v = select(vec4h(), dyQuads[k], four < vec4u(place(w, quad, 0u, w.t - 2u).y));
    if (channel < CO && co + channel < args.COUT) {
      let to = (u % 2u * CO + channel) * DS + 4u * quad;
      grads[to] = v.x;
      grads[to + 1u] = v.y;
      grads[to + 2u] = v.z;
      grads[to + 3u] = v.w;
    }
  }
}

// The border of x to the left and right, where the column does not hold whole rows.
fn put_edges(w: Walk, u: u32, ci: u32, lane: u32) {
  for (var i = lane; i < PY * 2u * EDGE; i += WG) {
    let c = i / (2u * PY);
    let row = i / 2u % PY;
    let right = i % 2u == 1u;
    let p = vec3u(w.x0 + select(0u - 1u, TX, right), w.y0 + row - 1u, w.t - 1u);
    let inside = ci + c < args.CIN && all(p < vec3u(args.W, args.H, args.D));
    let channel = min(ci + c, args.CIN - 1u);
    let at = x_base(w.n, channel) + select(0u, (p.z * args.H + p.y) * args.W + p.x, inside);
    let near = vec4f(F(x[at / WIDTH]));
    var value = select(near.w, near.x, right);
    if (NORM) {
      let norm = norm_of(w.n, channel);
      value = max((value - norm.x) * norm.y + norm.z, 0.0);
    }
    let to = u % 4u * PLANE + row * PX + select(0u, TX + 1u, right);
    tile[to * VS + c] = f16(select(0.0, value, inside));
  }
}

// Three taps along y, from four rows of dy and six of a plane of x.
fn add_plane(
  d0: Left,
  d1: Left,
  d2: Left,
  d3: Left,
  first: u32,
  a: ptr<function, Sum>,
  b: ptr<function, Sum>,
  c: ptr<function, Sum>,
) {
  // Dawn puts a test of bounds around each load, of which compilers can see now how it ends.
  let at = min(first, X_LAST);
  let r0 = voxels_at(at);
  let r1 = voxels_at(at + PX * VS);
  let r2 = voxels_at(at + 2u * PX * VS);
  *a = add_product(d0, r0, *a);
  *b = add_product(d0, r1, *b);
  *c = add_product(d0, r2, *c);
  let r3 = voxels_at(at + 3u * PX * VS);
  *a = add_product(d1, r1, *a);
  *b = add_product(d1, r2, *b);
  *c = add_product(d1, r3, *c);
  let r4 = voxels_at(at + 4u * PX * VS);
  *a = add_product(d2, r2, *a);
  *b = add_product(d2, r3, *b);
  *c = add_product(d2, r4, *c);
  let r5 = voxels_at(at + 5u * PX * VS);
  *a = add_product(d3, r3, *a);
  *b = add_product(d3, r4, *b);
  *c = add_product(d3, r5, *c);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
  @builtin(subgroup_id) id: u32,
) {
  let blocksI = (args.CIN + EDGE - 1u) / EDGE;
  let blocksO = (args.COUT + CO - 1u) / CO;
  let i = wid.y * nwg.x + wid.x;
  if (i >= blocksI * blocksO * args.SPLITS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let ci = i % blocksI * EDGE;
  let co = i / blocksI % blocksO * CO;
  let split = i / (blocksI * blocksO);
  let columns = args.N * ((args.H + TY - 1u) / TY) * ((args.W + TX - 1u) / TX);
  let each = (columns + args.SPLITS - 1u) / args.SPLITS;
  let first = min(columns, split * each);
  let steps = (min(columns, first + each) - first) * (args.D + 2u);

  let subgroup = id % SUBGROUPS; // itself, but compilers learn how large it can be
  let kx = subgroup % 3u;
  let run = subgroup / 3u % RUNS;
  let block = subgroup / (3u * RUNS);
  let row = run / ACROSS * 4u;
  let column = run % ACROSS * EDGE;
  let dyAt = block * EDGE * DS + row * TX + column;
  let xAt = (row * PX + column + kx) * VS;
  // Taps along z, then y: function variables, as matrices must be.
  var a0 = Sum();
  var a1 = Sum();
  var a2 = Sum();
  var b0 = Sum();
  var b1 = Sum();
  var b2 = Sum();
  var c0 = Sum();
  var c1 = Sum();
  var c2 = Sum();
  var w = begin(first);
  if (steps > 0u) {
    fetch(w, ci, co, lane);
    put(w, 0u, ci, co, lane);
    if (args.W > TX) {
      put_edges(w, 0u, ci, lane);
    }
  }
  workgroupBarrier();
  for (var u = 0u; u < steps; u++) {
    let filled = w.t >= 2u;
    let more = u + 1u < steps;
    w = advance(w);
    if (more) {
      fetch(w, ci, co, lane);
    }
    if (filled) {
      let from_dy = min(u % 2u * CO * DS + dyAt, DY_LAST);
      let d0 = grads_at(from_dy);
      let d1 = grads_at(from_dy + TX);
      let d2 = grads_at(from_dy + 2u * TX);
      let d3 = grads_at(from_dy + 3u * TX);
      add_plane(d0, d1, d2, d3, (u + 2u) % 4u * PLANE * VS + xAt, &a0, &a1, &a2);
      add_plane(d0, d1, d2, d3, (u + 3u) % 4u * PLANE * VS + xAt, &b0, &b1, &b2);
      add_plane(d0, d1, d2, d3, u % 4u * PLANE * VS + xAt, &c0, &c1, &c2);
    }
    if (more) {
      put(w, u + 1u, ci, co, lane);
      if (args.W > TX) {
        put_edges(w, u + 1u, ci, lane);
      }
    }
    workgroupBarrier();
  }

  let pair = ((split * RUNS + run) * blocksO * COB + co / EDGE + block) * blocksI + ci / EDGE;
  let to = (pair * 27u + kx) * EDGE * EDGE;
  const LINE = 3u * EDGE * EDGE;
  put_sum(to, a0);
  put_sum(to + LINE, a1);
  put_sum(to + 2u * LINE, a2);
  put_sum(to + 3u * LINE, b0);
  put_sum(to + 4u * LINE, b1);
  put_sum(to + 5u * LINE, b2);
  put_sum(to + 6u * LINE, c0);
  put_sum(to + 7u * LINE, c1);
  put_sum(to + 8u * LINE, c2);
}
