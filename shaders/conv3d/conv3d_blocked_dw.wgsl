// Weight gradient of a 3×3×3 convolution, for GPUs: register blocks fed from workgroup memory.
// x: (N, CIN, D, H, W) in vectors V along a row, a channel view (CT channels a sample, first C0);
// dy: (N, COUT, D, H, W); parts: (SPLITS, COUT, CIN, 27), summed by sum_parts in a fixed order.
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl.
// A workgroup takes CI input by CO output channels and one of SPLITS runs of columns. A column is
// 4 SIDES × TY voxels (x, y) of a sample, walked along z plane by plane: of x (with a border) the
// planes before, at and after z are in workgroup memory, of dy the one at z, and the next of each
// are on their way in. A thread keeps the 9 taps of a plane of the kernel for an input and 4 output
// channels, and sums over one vector of the column's rows; a row of x serves three rows of dy. (Two
// inputs would read less from workgroup memory, but with 218 registers for 127, on an H200.)
// What depends on the column only, addresses, bounds and norms, is found once a column. What is on
// its way is untouched until it is put into workgroup memory: whoever used it would wait for it. All
// loads are under one condition, and what they give is not kept beyond the step: NVIDIA's compiler
// moves what is unconditional down to where it is used, and what is conditional and kept costs copies
// that wait. Either way nothing is on its way any more while the products are summed.
// Both arrays there are nested, rows and channels of a thread inside: only the outer index is not
// constant, so that it is clamped and added up once a plane, not with each load.
alias V = vec4f; // or f32, where rows are no multiples of 4; f16 likewise: as stored
alias F = vec4f; // or f32
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
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

const WIDTH: u32 = 4u; // elements of V
const CI: u32 = 8u; // input channels of a workgroup
const CO: u32 = 16u; // and output channels, a multiple of 4
const SIDES: u32 = 2u; // vectors of a row
const TY: u32 = 4u; // or 8
const NORM: bool = false;
// For GPUs with few registers for each lane, which wait by changing to another wave: a thread has 2
// output channels, loads nothing ahead, and a row of x only before its turn.
const SPARING: bool = false;

const EACH: u32 = select(4u, 2u, SPARING); // output channels of a thread
const GROUPS: u32 = CO / EACH;
const TASKS: u32 = 3u * CI * GROUPS; // threads for each vector of a row
const WG: u32 = SIDES * TASKS;
const ROWS: u32 = TY + 2u;
const CELLS: u32 = SIDES + 1u; // vectors of a row of x: its edges (.w left, .x right), then voxels
const X_LOADS: u32 = (CI * ROWS * SIDES + WG - 1u) / WG; // of a thread
const EDGE_LOADS: u32 = (CI * ROWS + WG - 1u) / WG;
const DY_LOADS: u32 = (CO * TY * SIDES + WG - 1u) / WG;

// Four planes, channel and cell; row. The odd lengths put lanes side by side on different banks.
var<workgroup> xs: array<array<vec4f, ROWS + 1u>, 4u * CI * CELLS>;
// Two planes, EACH channels and vector; row and channel of those.
var<workgroup> grads: array<array<vec4f, EACH * TY + 1u>, 2u * GROUPS * SIDES>;

// Where the walk goes next: the plane in the column, D for the one of zeros after it, which is also
// the one before the next column; the column's corner and its sample.
var<private> t: u32;
var<private> x0: u32;
var<private> y0: u32;
var<private> n: u32;
// What a thread has loaded of the next planes, where that lies in the column's first, how many
// elements, or which edges, are inside the volume, and the norm of their channel.
var<private> quads: array<vec4f, X_LOADS>;
var<private> quadAt: array<u32, X_LOADS>;
var<private> quadIn: array<u32, X_LOADS>;
var<private> quadHere: array<bool, X_LOADS>;
var<private> quadNorm: array<vec3f, X_LOADS>;
var<private> edges: array<vec2f, EDGE_LOADS>; // left and right
var<private> edgeAt: array<vec2u, EDGE_LOADS>;
var<private> edgeIn: array<vec2<bool>, EDGE_LOADS>;
var<private> edgeNorm: array<vec3f, EDGE_LOADS>;
var<private> dys: array<vec4f, DY_LOADS>;
var<private> dyAt: array<u32, DY_LOADS>;
var<private> dyIn: array<u32, DY_LOADS>;
var<private> dyHere: array<bool, DY_LOADS>;
// The thread's sums, a matrix for each output channel: a column for ky, a row for kx.
var<private> a0: mat3x3f;
var<private> a1: mat3x3f;
var<private> a2: mat3x3f;
var<private> a3: mat3x3f;

fn wide(v: V) -> vec4f { return vec4f(F(v)); }

// Vector `at` of x, or where rows are no multiples of 4 elements at, at + 1, …, `count` of them inside.
fn load_x(at: u32, count: u32) -> vec4f {
  if (WIDTH == 4u) {
    return wide(x[at]);
  }
  // shared: quad_of_scalars
  let last = max(count, 1u) - 1u;
  let first = wide(x[at]).x;
  let second = wide(x[at + min(1u, last)]).x;
  let third = wide(x[at + min(2u, last)]).x;
  return vec4f(first, second, third, wide(x[at + min(3u, last)]).x);
  // end
}

fn load_dy(at: u32, count: u32) -> vec4f {
  if (WIDTH == 4u) {
    return wide(dy[at]);
  }
  let last = max(count, 1u) - 1u;
  let first = wide(dy[at]).x;
  let second = wide(dy[at + min(1u, last)]).x;
  let third = wide(dy[at + min(2u, last)]).x;
  return vec4f(first, second, third, wide(dy[at + min(3u, last)]).x);
}

// Mean, scale and shift of channel c.
fn norm_of(c: u32) -> vec3f {
  // shared: norm_of
  let group = 2u * ((n * args.CIN + c) / args.CG);
  return vec3f(stats[group], stats[group + 1u] * weight[c], bias[c]);
  // end
}

fn begin(column: u32) {
  let across = (args.W + 4u * SIDES - 1u) / (4u * SIDES);
  let down = (args.H + TY - 1u) / TY;
  t = 0u;
  x0 = column % across * 4u * SIDES;
  y0 = column / across % down * TY;
  n = column / (across * down);
}

fn advance() {
  t++;
  if (t > args.D) {
    t = 0u;
    x0 += 4u * SIDES;
    if (x0 >= args.W) {
      x0 = 0u;
      y0 += TY;
    }
    if (y0 >= args.H) {
      y0 = 0u;
      n++;
    }
  }
}

// What the thread loads of a column, in the blocks of channels from ci and co on. Positions before
// the first wrap to large numbers and fail the test like those after the last.
fn place(ci: u32, co: u32, lane: u32) {
  let size = args.D * args.H * args.W;
  let base = (n * args.CT + args.C0 + ci) * size;
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    let c = i / (SIDES * ROWS);
    let yy = y0 + i / SIDES % ROWS - 1u;
    let xx = x0 + i % SIDES * 4u;
    let inside = c < CI && ci + c < args.CIN && yy < args.H && xx < args.W;
    quadHere[k] = inside;
    quadIn[k] = select(0u, min(4u, args.W - xx), inside);
    quadAt[k] = select(0u, (base + c * size + yy * args.W + xx) / WIDTH, inside);
    if (NORM) {
      quadNorm[k] = norm_of(min(ci + c, args.CIN - 1u));
    }
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let c = (k * WG + lane) / ROWS;
    let yy = y0 + (k * WG + lane) % ROWS - 1u;
    let xx = x0 + vec2u(0u - 1u, 4u * SIDES);
    let inside = c < CI && ci + c < args.CIN && yy < args.H;
    edgeIn[k] = vec2<bool>(inside) & (xx < vec2u(args.W));
    let at = (base + c * size + yy * args.W + xx) / WIDTH;
    edgeAt[k] = select(vec2u(), at, edgeIn[k]);
    if (NORM) {
      edgeNorm[k] = norm_of(min(ci + c, args.CIN - 1u));
    }
  }
  for (var k = 0u; k < DY_LOADS; k++) {
    let i = k * WG + lane;
    let c = i / (SIDES * TY);
    let yy = y0 + i / SIDES % TY;
    let xx = x0 + i % SIDES * 4u;
    let inside = c < CO && co + c < args.COUT && yy < args.H && xx < args.W;
    dyHere[k] = inside;
    dyIn[k] = select(0u, min(4u, args.W - xx), inside);
    let at = ((n * args.COUT + co + c) * args.D * args.H + yy) * args.W + xx;
    dyAt[k] = select(0u, at / WIDTH, inside);
  }
}

// Loads plane t of x and t − 1 of dy, where there are such planes.
fn fetch() {
  let plane = args.H * args.W / WIDTH;
  let x_plane = min(t, args.D - 1u) * plane;
  let dy_plane = (max(t, 1u) - 1u) * plane;
  for (var k = 0u; k < X_LOADS; k++) {
    quads[k] = load_x(quadAt[k] + x_plane, quadIn[k]);
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let at = edgeAt[k] + x_plane;
    edges[k] = vec2f(wide(x[at.x]).w, wide(x[at.y]).x);
  }
  for (var k = 0u; k < DY_LOADS; k++) {
    dys[k] = load_dy(dyAt[k] + dy_plane, dyIn[k]);
  }
}

// shared: masked
// The first `count` elements of v, which is a whole vector or nothing where rows are.
fn masked(v: vec4f, count: u32) -> vec4f {
  if (WIDTH == 4u) {
    return select(vec4f(), v, count > 0u);
  }
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}
// end

// What lies inside of the volume: `here` says the same as `count` where rows are whole vectors, in what
// on AMD takes no register of the lane.
fn inside(v: vec4f, count: u32, here: bool) -> vec4f {
  if (SPARING && WIDTH == 4u) {
    return select(vec4f(), v, here);
  }
  return masked(v, count);
}

// Puts what was fetched, or a plane of zeros, where step u will look for it.
fn put(u: u32, lane: u32) {
  let to = u % 4u * CI;
  let filled = t < args.D;
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    if (i < CI * ROWS * SIDES) {
      var v = quads[k];
      if (NORM) {
        v = max((v - quadNorm[k].x) * quadNorm[k].y + quadNorm[k].z, vec4f());
      }
      let cell = (to + i / (SIDES * ROWS)) * CELLS + 1u + i % SIDES;
      xs[cell][i / SIDES % ROWS] = inside(v, select(0u, quadIn[k], filled), quadHere[k] && filled);
    }
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let row = k * WG + lane;
    if (row < CI * ROWS) {
      var v = edges[k];
      if (NORM) {
        v = max((v - edgeNorm[k].x) * edgeNorm[k].y + edgeNorm[k].z, vec2f());
      }
      v = select(vec2f(), v, edgeIn[k] & vec2<bool>(filled));
      xs[(to + row / ROWS) * CELLS][row % ROWS] = vec4f(v.y, 0.0, 0.0, v.x);
    }
  }
  for (var k = 0u; k < DY_LOADS; k++) {
    let i = k * WG + lane;
    if (i < CO * TY * SIDES) {
      let c = i / (SIDES * TY);
      let cell = (u % 2u * GROUPS + c / EACH) * SIDES + i % SIDES;
      grads[cell][i / SIDES % TY * EACH + c % EACH] = inside(dys[k], dyIn[k], dyHere[k]);
    }
  }
}

struct Row {
  left: f32,
  v: vec4f,
  right: f32,
}

// Row y at a cell, from its left and right neighbours too.
fn row_at(cells: vec3u, y: u32) -> Row {
  return Row(xs[cells.x][y].w, xs[cells.y][y], xs[cells.z][y].x);
}

// The three taps of a kernel's row from four voxels.
fn taps(sum: vec3f, d: vec4f, r: Row) -> vec3f {
  let s0 = fma(vec3f(d.x), vec3f(r.left, r.v.xy), sum);
  let s1 = fma(vec3f(d.y), r.v.xyz, s0);
  let s2 = fma(vec3f(d.z), r.v.yzw, s1);
  return fma(vec3f(d.w), vec3f(r.v.zw, r.right), s2);
}

fn add_products(sums: mat3x3f, d: vec4f, r0: Row, r1: Row, r2: Row) -> mat3x3f {
  return mat3x3f(taps(sums[0], d, r0), taps(sums[1], d, r1), taps(sums[2], d, r2));
}

// Row y of dy in cell g with three rows of x.
fn multiply(g: u32, y: u32, r0: Row, r1: Row, r2: Row) {
  a0 = add_products(a0, grads[g][EACH * y], r0, r1, r2);
  a1 = add_products(a1, grads[g][EACH * y + 1u], r0, r1, r2);
  if (!SPARING) {
    a2 = add_products(a2, grads[g][EACH * y + EACH - 2u], r0, r1, r2);
    a3 = add_products(a3, grads[g][EACH * y + EACH - 1u], r0, r1, r2);
  }
}

// Four rows of dy from y on; spelt out, for constant indices.
fn multiply_rows(g: u32, cells: vec3u, y: u32) {
  let r0 = row_at(cells, y);
  let r1 = row_at(cells, y + 1u);
  let r2 = row_at(cells, y + 2u);
  if (SPARING) {
    multiply(g, y, r0, r1, r2);
    let r3 = row_at(cells, y + 3u);
    multiply(g, y + 1u, r1, r2, r3);
    let r4 = row_at(cells, y + 4u);
    multiply(g, y + 2u, r2, r3, r4);
    multiply(g, y + 3u, r3, r4, row_at(cells, y + 5u));
  } else {
    let r3 = row_at(cells, y + 3u);
    let r4 = row_at(cells, y + 4u);
    multiply(g, y, r0, r1, r2);
    multiply(g, y + 1u, r1, r2, r3);
    multiply(g, y + 2u, r2, r3, r4);
    multiply(g, y + 3u, r3, r4, row_at(cells, y + 5u));
  }
}

// A plane; no loop, which would move all sums from its end to its beginning.
fn multiply_plane(g: u32, cells: vec3u) {
  multiply_rows(g, cells, 0u);
  if (TY > 4u) {
    multiply_rows(g, cells, 4u);
  }
}

// A row of the kernel, four output channels, summed over the vectors of a row of dy one after the
// other: the threads of the first get it. xs, which holds nothing else any more, has two tasks an entry.
fn over_vectors(side: u32, task: u32, sums: mat4x3f) -> mat4x3f {
  let entry = task / 2u;
  let at = task % 2u * 3u;
  var all = sums;
  for (var s = 1u; s < SIDES; s++) {
    if (side == s) {
      let v = transpose(sums);
      xs[entry][at] = v[0];
      xs[entry][at + 1u] = v[1];
      xs[entry][at + 2u] = v[2];
    }
    workgroupBarrier();
    if (side == 0u) {
      all += transpose(mat3x4f(xs[entry][at], xs[entry][at + 1u], xs[entry][at + 2u]));
    }
    workgroupBarrier();
  }
  return all;
}

fn store_line(to: u32, co: u32, v: vec3f) {
  if (co < args.COUT) {
    let at = to + co * args.CIN * 27u;
    parts[at] = v.x;
    parts[at + 1u] = v.y;
    parts[at + 2u] = v.z;
  }
}

// A row of the kernel for the output channels from co on.
fn store_row(to: u32, co: u32, sums: mat4x3f) {
  store_line(to, co, sums[0]);
  store_line(to, co + 1u, sums[1]);
  if (!SPARING) {
    store_line(to, co + 2u, sums[2]);
    store_line(to, co + 3u, sums[3]);
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let blocksI = (args.CIN + CI - 1u) / CI;
  let blocksO = (args.COUT + CO - 1u) / CO;
  let i = wid.y * nwg.x + wid.x;
  if (i >= blocksI * blocksO * args.SPLITS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let ci = i % blocksI * CI;
  let co = i / blocksI % blocksO * CO;
  let split = i / (blocksI * blocksO);
  let across = (args.W + 4u * SIDES - 1u) / (4u * SIDES);
  let columns = args.N * ((args.H + TY - 1u) / TY) * across;
  let each = (columns + args.SPLITS - 1u) / args.SPLITS;
  let first = split * each;
  let steps = (min(columns, first + each) - first) * (args.D + 1u); // SPLITS leaves none without

  let side = lane % SIDES;
  let group = lane / SIDES % GROUPS;
  let own = lane / (SIDES * GROUPS) % CI;
  let kz = lane / (SIDES * GROUPS * CI);
  // From the edges of a row: its left neighbour, itself and the right one, which may be the edges.
  let cells = side + vec3u(0u, 1u, select(2u, 0u - side, side == SIDES - 1u));

  // The plane before the first step's, the fourth, is zero as all workgroup memory is at first.
  begin(first);
  var filled = false; // whether the step before has planes to multiply
  for (var u = 0u; u <= steps; u++) {
    if (u < steps) {
      if (t == 0u) {
        place(ci, co, lane);
      }
      if (!SPARING) {
        fetch();
      }
    } else {
      quads = array<vec4f, X_LOADS>();
      edges = array<vec2f, EDGE_LOADS>();
      dys = array<vec4f, DY_LOADS>();
    }
    if (filled) {
      let at = ((u + 1u + kz) % 4u * CI + own) * CELLS;
      multiply_plane(((u + 1u) % 2u * GROUPS + group) * SIDES + side, at + cells);
    }
    if (SPARING && u < steps) {
      fetch();
    }
    put(u, lane);
    filled = t > 0u;
    advance();
    workgroupBarrier();
  }

  let task = lane / SIDES;
  let row0 = over_vectors(side, task, mat4x3f(a0[0], a1[0], a2[0], a3[0]));
  let row1 = over_vectors(side, task, mat4x3f(a0[1], a1[1], a2[1], a3[1]));
  let row2 = over_vectors(side, task, mat4x3f(a0[2], a1[2], a2[2], a3[2]));
  if (side == 0u && ci + own < args.CIN) {
    let to = (split * args.COUT * args.CIN + ci + own) * 27u + kz * 9u;
    store_row(to, co + EACH * group, row0);
    store_row(to + 3u, co + EACH * group, row1);
    store_row(to + 6u, co + EACH * group, row2);
  }
}
