// 3×3×3 convolution, zero padding, for GPUs with few registers for each lane and a cache for what all
// lanes read: AMD's GCN.  x, y, stats, weight, bias, parts, NORM and STATS: as in conv3d_blocked.wgsl;
// wp: (ceil(COUT / 8), 1 + CIN · 27, 8) from conv3d_pack.
// A workgroup computes TX × TY × TZ voxels by 8 output channels, one input channel after the other,
// with its tile of x in workgroup memory while the next channel's is on its way, as conv3d_blocked.wgsl
// does. A thread keeps 4 voxels of one row by 8 channels, half of what it keeps there, and memory has
// room for one tile, not two, so that a SIMD has room for four waves of 64 lanes: 64 registers
// each. Weights are not there: all lanes use the same, which AMD's compiler loads into scalar
// registers, and so the smaller block reads no more from workgroup memory for each product.
alias V = vec4f; // or f32, where rows are no multiples of 4; f16 likewise: as stored
alias F = vec4f; // or f32
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> wp: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<V>;
@group(0) @binding(6) var<storage, read_write> parts: array<f32>;

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
}
@group(0) @binding(7) var<uniform> args: Args;

const WIDTH: u32 = 4u; // elements of V
const TX: u32 = 32u;
const TY: u32 = 8u;
const TZ: u32 = 4u;
const NORM: bool = false;
const STATS: bool = false;

const CB: u32 = 8u;
const QUADS: u32 = TX / 4u;
const RS: u32 = QUADS + 1u; // vectors of a row: its edges (.w left, .x right), then voxels
const PY: u32 = TY + 2u;
const ROWS: u32 = PY * (TZ + 2u);
const WG: u32 = QUADS * TY * TZ;
const X_LOADS: u32 = (ROWS * QUADS + WG - 1u) / WG; // of a thread
const EDGE_LOADS: u32 = (ROWS + WG - 1u) / WG;

var<workgroup> xs: array<vec4f, max(ROWS * RS, 2u * WG)>;
var<workgroup> first_voxel: vec4f;

// What a thread has loaded of the next channel, where in a channel that lies, and how many elements
// of a vector, whether any, or which edges, are inside the volume.
var<private> quads: array<vec4f, X_LOADS>;
var<private> quadAt: array<u32, X_LOADS>;
var<private> quadIn: array<u32, X_LOADS>;
var<private> quadHere: array<bool, X_LOADS>;
var<private> edges: array<vec2f, EDGE_LOADS>; // left and right
var<private> edgeAt: array<vec2u, EDGE_LOADS>;
var<private> edgeIn: array<vec2<bool>, EDGE_LOADS>;
var<private> norm: array<f32, 4>; // mean, 1 / standard deviation, weight and bias
// The thread's sums by channels 0–3 and 4–7, a column a channel.
var<private> a0: mat4x4f;
var<private> a1: mat4x4f;

fn wide(v: V) -> vec4f { return vec4f(F(v)); }
fn narrow(v: vec4f) -> V { return V(v); }

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

fn place(corner: vec3u, lane: u32) {
  let size = vec3u(args.W, args.H, args.D);
  for (var k = 0u; k < X_LOADS; k++) {
    let row = (k * WG + lane) / QUADS;
    // Positions before the border wrap to large numbers and fail the test like those after it.
    let p = corner + vec3u((k * WG + lane) % QUADS * 4u, row % PY - 1u, row / PY - 1u);
    let inside = row < ROWS && all(p < size);
    quadAt[k] = select(0u, (p.z * args.H + p.y) * args.W + p.x, inside);
    quadIn[k] = select(0u, min(4u, args.W - p.x), inside);
    quadHere[k] = inside;
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let row = k * WG + lane;
    let z = row / PY + corner.z - 1u;
    let yy = row % PY + corner.y - 1u;
    let xx = corner.x + vec2u(0u - 1u, TX);
    let inside = row < ROWS && z < args.D && yy < args.H;
    edgeIn[k] = vec2<bool>(inside) & (xx < size.xx);
    edgeAt[k] = select(vec2u(), (z * args.H + yy) * args.W + xx, edgeIn[k]);
  }
}

// Loads input channel ci of sample n, of its group.
fn fetch(n: u32, ci: u32, group: u32) {
  if (NORM) {
    norm = array<f32, 4>(stats[2u * group], stats[2u * group + 1u], weight[ci], bias[ci]);
  }
  let base = (n * args.CT + args.C0 + ci) * args.D * args.H * args.W;
  for (var k = 0u; k < X_LOADS; k++) {
    quads[k] = load_quad(base + quadAt[k], quadIn[k]);
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let at = (base + edgeAt[k]) / WIDTH;
    edges[k] = vec2f(wide(x[at.x]).w, wide(x[at.y]).x);
  }
}

// What lies inside of the volume of vector k: all or nothing where rows are whole vectors.
fn inside(v: vec4f, k: u32) -> vec4f {
  if (WIDTH == 4u) {
    return select(vec4f(), v, quadHere[k]);
  }
  return select(vec4f(), v, vec4u(0u, 1u, 2u, 3u) < vec4u(quadIn[k]));
}

// Normalises what was fetched and puts it into workgroup memory.
fn put(lane: u32) {
  let scale = norm[1] * norm[2];
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    if (i < ROWS * QUADS) {
      var v = quads[k];
      if (NORM) {
        v = max((v - norm[0]) * scale + norm[3], vec4f());
      }
      xs[i / QUADS * RS + 1u + i % QUADS] = inside(v, k);
    }
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let row = k * WG + lane;
    if (row < ROWS) {
      var v = edges[k];
      if (NORM) {
        v = max((v - norm[0]) * scale + norm[3], vec2f());
      }
      v = select(vec2f(), v, edgeIn[k]);
      xs[row * RS] = vec4f(v.y, 0.0, 0.0, v.x);
    }
  }
}

// shared: add_products
fn add_products(sums: mat4x4f, v: vec4f, w: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(v, vec4f(w.x), sums[0]),
    fma(v, vec4f(w.y), sums[1]),
    fma(v, vec4f(w.z), sums[2]),
    fma(v, vec4f(w.w), sums[3]),
  );
}
// end

// A tap of the kernel, its weights from `at` on: the same for all threads.
fn multiply(v: vec4f, at: u32) {
  a0 = add_products(a0, v, wp[at]);
  a1 = add_products(a1, v, wp[at + 1u]);
}

// All taps of one input channel; own: the thread's first vector, right: the way from its vector to
// the one with its right neighbour, w: the channel's weights.
fn convolve(own: u32, right: u32, w: u32) {
  for (var k = 0u; k < 9u; k++) {
    let at = own + (k / 3u * PY + k % 3u) * RS;
    let tap = w + 6u * k;
    let left = xs[at - 1u].w;
    let v = xs[at];
    let last = xs[at + right].x;
    multiply(vec4f(left, v.xyz), tap);
    multiply(v, tap + 2u);
    multiply(vec4f(v.yzw, last), tap + 4u);
  }
}

fn store_row(i: u32, v: vec4f, count: u32) {
  if (WIDTH == 4u && count > 0u) {
    y[i / 4u] = narrow(v);
  }
  for (var k = 0u; k < count && WIDTH == 1u; k++) {
    y[i + k] = narrow(vec4f(v[k]));
  }
}

// Four channels from co on.
fn store(co: u32, i: u32, count: u32, sums: mat4x4f) {
  let size = args.D * args.H * args.W;
  store_row(i, sums[0], select(0u, count, co < args.COUT));
  store_row(i + size, sums[1], select(0u, count, co + 1u < args.COUT));
  store_row(i + 2u * size, sums[2], select(0u, count, co + 2u < args.COUT));
  store_row(i + 3u * size, sums[3], select(0u, count, co + 3u < args.COUT));
}

// shared: row_deviations
// Sum and sum of squares of `count` voxels, less `origin`.
fn deviations(v: vec4f, origin: f32, count: u32) -> vec2f {
  let d = select(vec4f(), v - origin, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
  return vec2f(dot(d, vec4f(1.0)), dot(d, d));
}

// The same for four channels, a component each: a column of sums, one of squares.
fn row_deviations(sums: mat4x4f, origin: vec4f, count: u32) -> mat2x4f {
  let e0 = deviations(sums[0], origin.x, count);
  let e1 = deviations(sums[1], origin.y, count);
  let e2 = deviations(sums[2], origin.z, count);
  let e3 = deviations(sums[3], origin.w, count);
  return mat2x4f(vec4f(e0.x, e1.x, e2.x, e3.x), vec4f(e0.y, e1.y, e2.y, e3.y));
}
// end

// Moments of four channels over the tile: differences from its first voxel, because sums of squares of
// the values themselves would cancel.
fn put_moments(
  sums: mat4x4f,
  to: u32,
  tiles: u32,
  left: u32,
  total: f32,
  count: u32,
  lane: u32,
) {
  if (lane == 0u) {
    first_voxel = vec4f(sums[0].x, sums[1].x, sums[2].x, sums[3].x);
  }
  workgroupBarrier();
  let both = row_deviations(sums, first_voxel, count);
  xs[lane] = both[0];
  xs[WG + lane] = both[1];
  workgroupBarrier();
  if (lane < min(4u, left)) {
    var sum = 0.0;
    var squares = 0.0;
    for (var k = 0u; k < WG; k++) {
      sum += xs[k][lane];
      squares += xs[WG + k][lane];
    }
    let at = to + 3u * lane * tiles;
    parts[at] = total;
    parts[at + 1u] = first_voxel[lane] + sum / total;
    parts[at + 2u] = max(0.0, squares - sum * sum / total);
  }
  workgroupBarrier();
}

fn constant_columns(w: vec4f) -> mat4x4f {
  return mat4x4f(vec4f(w.x), vec4f(w.y), vec4f(w.z), vec4f(w.w));
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let size = vec3u(args.W, args.H, args.D);
  let counts = (size + vec3u(TX, TY, TZ) - 1u) / vec3u(TX, TY, TZ);
  let tiles = counts.x * counts.y * counts.z;
  let blocks = (args.COUT + CB - 1u) / CB;
  let i = wid.y * nwg.x + wid.x;
  if (i >= args.N * tiles * blocks) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let block = i % blocks;
  let t = i / blocks % tiles;
  let n = i / (blocks * tiles);
  let corner = vec3u(t % counts.x, t / counts.x % counts.y, t / (counts.x * counts.y));
  let origin = corner * vec3u(TX, TY, TZ);

  let q = lane % QUADS;
  let line = lane / QUADS % TY;
  let z = lane / (QUADS * TY);
  let own = (z * PY + line) * RS + 1u + q;
  let right = select(1u, 0u - QUADS, q == QUADS - 1u);

  let first = block * (1u + args.CIN * 27u) * 2u; // the biases, then the weights
  a0 = constant_columns(wp[first]);
  a1 = constant_columns(wp[first + 1u]);
  var group = n * args.CIN / args.CG; // of the channel that is fetched, and its place there
  var member = 0u;
  place(origin, lane);
  for (var ci = 0u; ci <= args.CIN; ci++) {
    let more = ci < args.CIN;
    if (more) {
      fetch(n, ci, group);
      member++;
      if (member == args.CG) {
        member = 0u;
        group++;
      }
    }
    if (ci > 0u) {
      convolve(own, right, first + 2u + (ci - 1u) * 54u);
    }
    workgroupBarrier();
    if (more) {
      put(lane);
    }
    workgroupBarrier();
  }

  // Not by q, line and z, which would be kept until here.
  let voxel = 4u * lane;
  let p = origin + vec3u(voxel % TX, voxel / TX % TY, voxel / (TX * TY));
  let inside = p.x < args.W && p.y < args.H && p.z < args.D;
  let count = select(0u, min(4u, args.W - p.x), inside);
  let co = block * CB;
  let at = ((n * args.COUT + co) * args.D + p.z) * args.H * args.W + p.y * args.W + p.x;
  store(co, at, count, a0);
  store(co + 4u, at + 4u * args.D * args.H * args.W, count, a1);
  if (STATS) {
    let in_tile = min(vec3u(TX, TY, TZ), size - origin);
    let total = f32(in_tile.x * in_tile.y * in_tile.z);
    let to = 3u * ((n * args.COUT + co) * tiles + t);
    let left = args.COUT - co;
    put_moments(a0, to, tiles, left, total, count, lane);
    put_moments(a1, to + 12u * tiles, tiles, max(left, 4u) - 4u, total, count, lane);
  }
}
