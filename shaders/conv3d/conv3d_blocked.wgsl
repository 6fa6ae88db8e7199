// 3×3×3 convolution, zero padding, for GPUs: register blocks fed from workgroup memory.
// x: (N, CIN, D, H, W) in vectors V along a row, a channel view (CT channels a sample, first C0);
// wp: (ceil(COUT / CB), 1 + CIN · 27, CB) from conv3d_pack; y: (N, COUT, D, H, W).
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl. STATS: parts: (N, COUT, TILES, 3),
// moments of y over each tile, for group_norm_merge.wgsl.
// A workgroup computes TX × TY × TZ voxels by CB output channels, one input channel after the other:
// its tile of x with a border and its weights wait in one half of workgroup memory while those of
// the next channel are on their way to the other, so that one barrier a channel is enough. What is
// on its way is untouched until it is put there: whoever used it would wait for it. A thread keeps
// 4 × 2 voxels (x, y) by 8 channels: 24 FMAs for each vector of weights. Sizes need not divide.
// Even and odd rows lie in arrays of their own, and weights in nested ones, so that most indices
// are constants after a few that are not: only those are clamped and added up when it runs.
// A row is a vector with its edges (.w left, .x right), then its voxels.
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
const TY: u32 = 4u;
const TZ: u32 = 4u;
const CB: u32 = 16u;
const NORM: bool = false;
const STATS: bool = false;

const QUADS: u32 = TX / 4u;
const RS: u32 = QUADS + 1u; // vectors of a row
const PY: u32 = TY + 2u;
const ROWS: u32 = PY * (TZ + 2u);
const OCTETS: u32 = CB / 8u;
const WG: u32 = QUADS * (TY / 2u) * TZ * OCTETS;
const HALF: u32 = ROWS / 2u * RS;
const W_SIZE: u32 = 27u * CB / 4u;
const X_LOADS: u32 = (ROWS * QUADS + WG - 1u) / WG; // of a thread
const EDGE_LOADS: u32 = (ROWS + WG - 1u) / WG;
const W_LOADS: u32 = (W_SIZE + WG - 1u) / WG;

var<workgroup> even: array<vec4f, max(2u * HALF, 2u * WG)>;
var<workgroup> odd: array<vec4f, max(2u * HALF, 2u * WG)>;
// Half and octet of channels, kz, then ky, kx and half an octet.
var<workgroup> taps: array<array<array<vec4f, 18>, 3>, 2u * OCTETS>;

// What a thread has loaded for the other half, where in a channel that lies, and how many elements
// of a vector, or which edges, are inside the volume.
var<private> quads: array<vec4f, X_LOADS>;
var<private> quadAt: array<u32, X_LOADS>;
var<private> quadIn: array<u32, X_LOADS>;
var<private> edges: array<vec2f, EDGE_LOADS>; // left and right
var<private> edgeAt: array<vec2u, EDGE_LOADS>;
var<private> edgeIn: array<vec2<bool>, EDGE_LOADS>;
var<private> weights: array<vec4f, W_LOADS>;
var<private> norm: array<f32, 4>; // mean, 1 / standard deviation, weight and bias
// The thread's sums: its rows by channels 0–3 and 4–7, a column a channel.
var<private> a0: mat4x4f;
var<private> a1: mat4x4f;
var<private> b0: mat4x4f;
var<private> b1: mat4x4f;

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

// Loads input channel ci of sample n, of its group, and its weights for the block of output channels.
fn fetch(n: u32, ci: u32, group: u32, block: u32, lane: u32) {
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
  let first = (block * (1u + args.CIN * 27u) + 1u + ci * 27u) * CB / 4u;
  for (var k = 0u; k < W_LOADS; k++) {
    weights[k] = wp[first + min(k * WG + lane, W_SIZE - 1u)];
  }
}

fn put_row(row: u32, at: u32, v: vec4f) {
  if (row % 2u == 0u) {
    even[at] = v;
  } else {
    odd[at] = v;
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

// Normalises what was fetched and puts it into half h.
fn put(h: u32, lane: u32) {
  let scale = norm[1] * norm[2];
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    let row = i / QUADS;
    if (row < ROWS) {
      var v = quads[k];
      if (NORM) {
        v = max((v - norm[0]) * scale + norm[3], vec4f());
      }
      put_row(row, h * HALF + row / 2u * RS + 1u + i % QUADS, masked(v, quadIn[k]));
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
      put_row(row, h * HALF + row / 2u * RS, vec4f(v.y, 0.0, 0.0, v.x));
    }
  }
  for (var k = 0u; k < W_LOADS; k++) {
    let i = k * WG + lane;
    if (i < W_SIZE) {
      let tap = i / (CB / 4u);
      let c = i % (CB / 4u);
      taps[h * OCTETS + c / 2u][tap / 9u][tap % 9u * 2u + c % 2u] = weights[k];
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

// One tap of the kernel, `tap` of plane kz, for a vector of each row of voxels.
fn multiply(va: vec4f, vb: vec4f, w: vec2u, tap: u32) {
  let w0 = taps[w.x][w.y][2u * tap];
  let w1 = taps[w.x][w.y][2u * tap + 1u];
  a0 = add_products(a0, va, w0);
  a1 = add_products(a1, va, w1);
  b0 = add_products(b0, vb, w0);
  b1 = add_products(b1, vb, w1);
}

struct Row {
  left: f32,
  v: vec4f,
  right: f32,
}

fn before(r: Row) -> vec4f { return vec4f(r.left, r.v.xyz); }
fn after(r: Row) -> vec4f { return vec4f(r.v.yzw, r.right); }

fn even_row(at: u32, right: u32) -> Row {
  return Row(even[at - 1u].w, even[at], even[at + right].x);
}

fn odd_row(at: u32, right: u32) -> Row {
  return Row(odd[at - 1u].w, odd[at], odd[at + right].x);
}

// A row of the kernel.
fn multiply_rows(a: Row, b: Row, w: vec2u, tap: u32) {
  multiply(before(a), before(b), w, tap);
  multiply(a.v, b.v, w, tap + 1u);
  multiply(after(a), after(b), w, tap + 2u);
}

// All taps of one input channel; own: the thread's first vector, right: the way from its vector to
// the one with its right neighbour, w: its half and octet of weights.
fn convolve(own: u32, right: u32, w: u32) {
  for (var kz = 0u; kz < 3u; kz++) {
    let at = own + kz * (PY / 2u) * RS;
    let r0 = even_row(at, right);
    let r1 = odd_row(at, right);
    let r2 = even_row(at + RS, right);
    let r3 = odd_row(at + RS, right);
    multiply_rows(r0, r1, vec2u(w, kz), 0u);
    multiply_rows(r1, r2, vec2u(w, kz), 3u);
    multiply_rows(r2, r3, vec2u(w, kz), 6u);
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

// Four channels from co on of one row.
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

fn put_deviations(at: u32, a: mat4x4f, b: mat4x4f, count: vec2u) {
  let origin = taps[0][0][at % (2u * OCTETS)];
  let sums = row_deviations(a, origin, count.x) + row_deviations(b, origin, count.y);
  even[at] = sums[0];
  odd[at] = sums[1];
}

// Moments of the tile: differences from its first voxel, because sums of squares of the values
// themselves would cancel.
fn put_moments(n: u32, t: u32, tiles: u32, block: u32, corner: vec3u, count: vec2u, lane: u32) {
  if (lane < OCTETS) {
    taps[0][0][2u * lane] = vec4f(a0[0].x, a0[1].x, a0[2].x, a0[3].x);
    taps[0][0][2u * lane + 1u] = vec4f(a1[0].x, a1[1].x, a1[2].x, a1[3].x);
  }
  workgroupBarrier();
  put_deviations(2u * lane, a0, b0, count);
  put_deviations(2u * lane + 1u, a1, b1, count);
  workgroupBarrier();
  if (lane < CB && block * CB + lane < args.COUT) {
    var sum = 0.0;
    var squares = 0.0;
    for (var k = lane / 4u; k < 2u * WG; k += 2u * OCTETS) {
      sum += even[k][lane % 4u];
      squares += odd[k][lane % 4u];
    }
    let inside = min(vec3u(TX, TY, TZ), vec3u(args.W, args.H, args.D) - corner);
    let total = f32(inside.x * inside.y * inside.z);
    let to = 3u * ((n * args.COUT + block * CB + lane) * tiles + t);
    parts[to] = total;
    parts[to + 1u] = taps[0][0][lane / 4u][lane % 4u] + sum / total;
    parts[to + 2u] = max(0.0, squares - sum * sum / total);
  }
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

  let octet = lane % OCTETS;
  let q = lane / OCTETS % QUADS;
  let line = lane / (OCTETS * QUADS) % (TY / 2u) * 2u; // the first of the thread's rows
  let z = lane / (OCTETS * QUADS * (TY / 2u));
  let own = (z * PY + line) / 2u * RS + 1u + q;
  let right = select(1u, 0u - QUADS, q == QUADS - 1u);

  let biases = (block * (1u + args.CIN * 27u) * CB + octet * 8u) / 4u;
  a0 = constant_columns(wp[biases]);
  a1 = constant_columns(wp[biases + 1u]);
  b0 = a0;
  b1 = a1;
  var group = n * args.CIN / args.CG; // of the channel that is fetched, and its place there
  var member = 0u;
  place(origin, lane);
  for (var ci = 0u; ci <= args.CIN; ci++) {
    let more = ci < args.CIN;
    if (more) {
      fetch(n, ci, group, block, lane);
      member++;
      if (member == args.CG) {
        member = 0u;
        group++;
      }
    }
    let half = ci % 2u;
    if (ci > 0u) {
      convolve((1u - half) * HALF + own, right, (1u - half) * OCTETS + octet);
    }
    if (more) {
      put(half, lane);
    }
    workgroupBarrier();
  }

  let p = origin + vec3u(4u * q, line, z);
  let inRow = p.x < args.W && p.z < args.D;
  let have = select(0u, min(4u, args.W - p.x), inRow);
  let count = select(vec2u(), vec2u(have), vec2u(p.y, p.y + 1u) < vec2u(args.H));
  let co = block * CB + octet * 8u;
  let at = ((n * args.COUT + co) * args.D + p.z) * args.H * args.W + p.y * args.W + p.x;
  let on = 4u * args.D * args.H * args.W;
  store(co, at, count.x, a0);
  store(co + 4u, at + on, count.x, a1);
  store(co, at + args.W, count.y, b0);
  store(co + 4u, at + args.W + on, count.y, b1);
  if (STATS) {
    put_moments(n, t, tiles, block, origin, count, lane);
  }
}
