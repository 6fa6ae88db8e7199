// Weight gradient of a 3×3×3 convolution, for GPUs: register blocks fed from workgroup memory.
// x: (N, CIN, D, H, W) in vectors V along a row, a channel view (CT channels a sample, first C0);
// dy: (N, COUT, D, H, W); parts: (SPLITS, COUT, CIN, 27), summed by conv3d_reduce in a fixed order.
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl.
// A workgroup takes CI input by CO output channels and one of SPLITS runs of columns. A column is
// 8 × TY voxels (x, y) of a sample, walked along z plane by plane: of x (with a border) the planes
// before, at and after z are in workgroup memory, of dy the one at z, and the next of each are on
// their way in. A thread keeps the 9 taps of a plane of one kernel for 4 output channels, and sums
// over one half of the column along x; it reads a row of x once for three rows of dy.
// Rows of x as in conv3d_blocked.wgsl, 3 vectors each; a channel of dy takes DS vectors, which puts
// the lanes next to each other, of different channels, on different banks.
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
const CI: u32 = 8u; // input channels of a workgroup, a multiple of 4
const CO: u32 = 16u; // and output channels
const TY: u32 = 4u;
const NORM: bool = false;

const FOURS: u32 = CO / 4u;
const PAIRS: u32 = 3u * CI * FOURS; // pairs of threads, one for each half
const WG: u32 = 2u * PAIRS;
const ROWS: u32 = TY + 2u;
const PLANE: u32 = CI * ROWS * 3u + 1u; // vectors of a plane of x, of which there are four
const DS: u32 = 2u * TY + 2u;
const DY: u32 = 4u * PLANE; // where dy starts, two planes
const SCRATCH: u32 = 9u * PAIRS;
const X_LOADS: u32 = (CI * ROWS * 2u + WG - 1u) / WG; // of a thread
const EDGE_LOADS: u32 = (CI * ROWS + WG) / WG;
const DY_LOADS: u32 = (CO * TY * 2u + WG - 1u) / WG;

var<workgroup> tile: array<vec4f, max(DY + 2u * CO * DS, SCRATCH)>;

// Where the walk goes next: the step in the column, its corner and its sample.
var<private> t: u32;
var<private> x0: u32;
var<private> y0: u32;
var<private> n: u32;
// What a thread has loaded of the next planes.
var<private> quads: array<vec4f, X_LOADS>;
var<private> edges: array<vec2f, EDGE_LOADS>; // left of row e, right of row e − 1
var<private> grads: array<vec4f, DY_LOADS>;
// The thread's sums, one matrix an output channel: a column for ky, a row for kx.
var<private> a0: mat3x3f;
var<private> a1: mat3x3f;
var<private> a2: mat3x3f;
var<private> a3: mat3x3f;

fn wide(v: V) -> vec4f { return vec4f(F(v)); }

// Elements at, at + 1, … of x, `count` of them inside.
fn load_x(at: u32, count: u32) -> vec4f {
  if (WIDTH == 4u) {
    return wide(x[at / 4u]);
  }
  let last = max(count, 1u) - 1u;
  let first = wide(x[at]).x;
  let second = wide(x[at + min(1u, last)]).x;
  let third = wide(x[at + min(2u, last)]).x;
  return vec4f(first, second, third, wide(x[at + min(3u, last)]).x);
}

fn load_dy(at: u32, count: u32) -> vec4f {
  if (WIDTH == 4u) {
    return wide(dy[at / 4u]);
  }
  let last = max(count, 1u) - 1u;
  let first = wide(dy[at]).x;
  let second = wide(dy[at + min(1u, last)]).x;
  let third = wide(dy[at + min(2u, last)]).x;
  return vec4f(first, second, third, wide(dy[at + min(3u, last)]).x);
}

// Mean, scale and shift of channel c.
fn norm_of(c: u32) -> vec3f {
  let group = 2u * ((n * args.CIN + c) / args.CG);
  return vec3f(stats[group], stats[group + 1u] * weight[c], bias[c]);
}

fn begin(column: u32) {
  let across = (args.W + 7u) / 8u;
  let down = (args.H + TY - 1u) / TY;
  t = 0u;
  x0 = column % across * 8u;
  y0 = column / across % down * TY;
  n = column / (across * down);
}

// The first two steps of a column only fill the planes.
fn advance() {
  t++;
  if (t == args.D + 2u) {
    t = 0u;
    x0 += 8u;
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

// Loads plane t − 1 of x and t − 2 of dy, in the blocks of channels from ci and co on. Planes and
// positions before the first wrap to large numbers and fail the test like those behind the last.
fn fetch(ci: u32, co: u32, lane: u32) {
  let size = args.D * args.H * args.W;
  let base = (n * args.CT + args.C0 + ci) * size + (t - 1u) * args.H * args.W;
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    let c = i / (2u * ROWS);
    let yy = y0 + i / 2u % ROWS - 1u;
    let xx = x0 + i % 2u * 4u;
    let inRow = c < CI && ci + c < args.CIN && t - 1u < args.D && yy < args.H && xx < args.W;
    let count = select(0u, min(4u, args.W - xx), inRow);
    var value = load_x(select(0u, base + c * size + yy * args.W + xx, inRow), count);
    if (NORM) {
      let norm = norm_of(min(ci + c, args.CIN - 1u));
      value = max((value - norm.x) * norm.y + norm.z, vec4f());
    }
    quads[k] = select(vec4f(), value, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let e = vec2u(k * WG + lane) - vec2u(0u, 1u);
    let c = e / ROWS;
    let yy = y0 + e % ROWS - 1u;
    let xx = x0 + vec2u(0u - 1u, 8u);
    let inRow = (c < vec2u(CI)) & (c + ci < vec2u(args.CIN)) & (yy < vec2u(args.H));
    let inside = inRow & (xx < vec2u(args.W)) & vec2<bool>(t - 1u < args.D);
    let at = select(vec2u(), base + c * size + yy * args.W + xx, inside) / WIDTH;
    var value = vec2f(wide(x[at.x]).w, wide(x[at.y]).x);
    if (NORM) {
      let left = norm_of(min(ci + c.x, args.CIN - 1u));
      let right = norm_of(min(ci + c.y, args.CIN - 1u));
      value.x = max((value.x - left.x) * left.y + left.z, 0.0);
      value.y = max((value.y - right.x) * right.y + right.z, 0.0);
    }
    edges[k] = select(vec2f(), value, inside);
  }
  let dyBase = (n * args.COUT + co) * size + (t - 2u) * args.H * args.W;
  for (var k = 0u; k < DY_LOADS; k++) {
    let i = k * WG + lane;
    let c = i / (2u * TY);
    let yy = y0 + i / 2u % TY;
    let xx = x0 + i % 2u * 4u;
    let inRow = c < CO && co + c < args.COUT && t - 2u < args.D && yy < args.H && xx < args.W;
    let count = select(0u, min(4u, args.W - xx), inRow);
    let value = load_dy(select(0u, dyBase + c * size + yy * args.W + xx, inRow), count);
    grads[k] = select(vec4f(), value, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
  }
}

// Puts what was fetched where step u will look for it.
fn put(u: u32, lane: u32) {
  let to = u % 4u * PLANE;
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    if (i < CI * ROWS * 2u) {
      tile[to + i / 2u * 3u + 1u + i % 2u] = quads[k];
    }
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let e = k * WG + lane;
    if (e <= CI * ROWS) {
      tile[to + 3u * e] = vec4f(edges[k].y, 0.0, 0.0, edges[k].x);
    }
  }
  for (var k = 0u; k < DY_LOADS; k++) {
    let i = k * WG + lane;
    if (i < CO * TY * 2u) {
      tile[DY + (u % 2u * CO + i / (2u * TY)) * DS + i % (2u * TY)] = grads[k];
    }
  }
}

struct Row {
  left: f32,
  v: vec4f,
  right: f32,
}

fn row_at(at: u32) -> Row {
  return Row(tile[at - 1u].w, tile[at], tile[at + 1u].x);
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

// A row of the kernel for all four channels: tap k of the pair's scratch holds one a component.
fn put_line(at: u32, v0: vec3f, v1: vec3f, v2: vec3f, v3: vec3f) {
  tile[at] = vec4f(v0.x, v1.x, v2.x, v3.x);
  tile[at + 1u] = vec4f(v0.y, v1.y, v2.y, v3.y);
  tile[at + 2u] = vec4f(v0.z, v1.z, v2.z, v3.z);
}

// The other half's sums from there and these, component c, to partial sums.
fn store_line(to: u32, at: u32, c: u32, v: vec3f) {
  parts[to] = v.x + tile[at][c];
  parts[to + 1u] = v.y + tile[at + 1u][c];
  parts[to + 2u] = v.z + tile[at + 2u][c];
}

fn store_channel(row: u32, co: u32, at: u32, c: u32, sums: mat3x3f) {
  if (co < args.COUT) {
    let to = row + co * args.CIN * 27u;
    store_line(to, at, c, sums[0]);
    store_line(to + 3u, at + 3u, c, sums[1]);
    store_line(to + 6u, at + 6u, c, sums[2]);
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
  let columns = args.N * ((args.H + TY - 1u) / TY) * ((args.W + 7u) / 8u);
  let each = (columns + args.SPLITS - 1u) / args.SPLITS;
  let first = min(columns, split * each);
  let steps = (min(columns, first + each) - first) * (args.D + 2u);

  let four = lane % FOURS; // output channels four, four + FOURS, …
  let side = lane / FOURS % 2u;
  let line = lane / (2u * FOURS);
  let own = line % CI;
  let kz = line / CI;

  begin(first);
  if (steps > 0u) {
    fetch(ci, co, lane);
    put(0u, lane);
  }
  workgroupBarrier();
  for (var u = 0u; u < steps; u++) {
    let filled = t >= 2u;
    let more = u + 1u < steps;
    advance();
    if (more) {
      fetch(ci, co, lane);
    }
    if (filled) {
      let at = (u + 2u + kz) % 4u * PLANE + own * ROWS * 3u + 1u + side;
      var d = DY + (u % 2u * CO + four) * DS + side;
      var r0 = row_at(at);
      var r1 = row_at(at + 3u);
      for (var row = 2u; row < ROWS; row++) {
        let r2 = row_at(at + 3u * row);
        a0 = add_products(a0, tile[d], r0, r1, r2);
        a1 = add_products(a1, tile[d + FOURS * DS], r0, r1, r2);
        a2 = add_products(a2, tile[d + 2u * FOURS * DS], r0, r1, r2);
        a3 = add_products(a3, tile[d + 3u * FOURS * DS], r0, r1, r2);
        r0 = r1;
        r1 = r2;
        d += 2u;
      }
    }
    if (more) {
      put(u + 1u, lane);
    }
    workgroupBarrier();
  }

  // The two halves: one leaves its sums, the other adds them to its own.
  let pair = (line * FOURS + four) * 9u;
  if (side == 1u) {
    put_line(pair, a0[0], a1[0], a2[0], a3[0]);
    put_line(pair + 3u, a0[1], a1[1], a2[1], a3[1]);
    put_line(pair + 6u, a0[2], a1[2], a2[2], a3[2]);
  }
  workgroupBarrier();
  if (side == 0u && ci + own < args.CIN) {
    let row = (split * args.COUT * args.CIN + ci + own) * 27u + kz * 9u;
    store_channel(row, co + four, pair, 0u, a0);
    store_channel(row, co + four + FOURS, pair, 1u, a1);
    store_channel(row, co + four + 2u * FOURS, pair, 2u, a2);
    store_channel(row, co + four + 3u * FOURS, pair, 3u, a3);
  }
}
