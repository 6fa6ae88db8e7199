// 3×3×3 convolution, zero padding, for GPUs: register blocks fed from workgroup memory.
// x: (N, CIN, D, H, W) in vectors V along a row, a channel view (CT channels a sample, first C0);
// wp: (ceil(COUT / CB), 1 + CIN · 27, CB) from conv3d_pack; y: (N, COUT, D, H, W).
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl. STATS: parts: (N, COUT, TILES, 3),
// moments of y over each tile, for group_norm_merge.wgsl.
// A workgroup computes TX × TY × TZ voxels by CB output channels, one input channel after the other:
// its tile of x with a border and its weights wait in one half of `tile` while those of the next
// channel are on their way to the other, so that one barrier a channel is enough. A thread keeps
// 4 × 2 voxels (x, y) by 8 channels: 24 FMAs for each vector that it reads. Sizes need not divide.
// A row of the tile is its left edge (.w; .x is the right edge of the row before), then its voxels;
// RS, the way to the next row, is such that lanes next to each other read from different banks.
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
const RS: u32 = 9u;
const CB: u32 = 16u;
const NORM: bool = false;
const STATS: bool = false;

const QUADS: u32 = TX / 4u;
const PY: u32 = TY + 2u;
const ROWS: u32 = PY * (TZ + 2u);
const OCTETS: u32 = CB / 8u;
const WG: u32 = QUADS * TY / 2u * TZ * OCTETS;
const X_SIZE: u32 = ROWS * RS + 1u;
const W_SIZE: u32 = 27u * CB / 4u;
const HALF: u32 = X_SIZE + W_SIZE;
const SCRATCH: u32 = CB / 4u + 4u * WG;
const X_LOADS: u32 = (ROWS * QUADS + WG - 1u) / WG; // of a thread
const EDGE_LOADS: u32 = (ROWS + WG) / WG;
const W_LOADS: u32 = (W_SIZE + WG - 1u) / WG;

var<workgroup> tile: array<vec4f, max(2u * HALF, SCRATCH)>;

// What a thread has loaded for the other half, where in a channel that lies, and how many elements
// of a vector, or which edges, are inside the volume.
var<private> quads: array<vec4f, X_LOADS>;
var<private> quadAt: array<u32, X_LOADS>;
var<private> quadIn: array<u32, X_LOADS>;
var<private> edges: array<vec2f, EDGE_LOADS>; // left of row e, right of row e − 1
var<private> edgeAt: array<vec2u, EDGE_LOADS>;
var<private> edgeIn: array<vec2<bool>, EDGE_LOADS>;
var<private> weights: array<vec4f, W_LOADS>;
// The thread's sums: its two rows by channels 0–3 and 4–7, a column a channel.
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
  let last = max(count, 1u) - 1u;
  let first = wide(x[at]).x;
  let second = wide(x[at + min(1u, last)]).x;
  let third = wide(x[at + min(2u, last)]).x;
  return vec4f(first, second, third, wide(x[at + min(3u, last)]).x);
}

fn place(corner: vec3u, lane: u32) {
  let size = vec3u(args.W, args.H, args.D);
  for (var k = 0u; k < X_LOADS; k++) {
    let row = (k * WG + lane) / QUADS;
    // Positions before the border wrap to large numbers and fail the test like those behind it.
    let p = corner + vec3u((k * WG + lane) % QUADS * 4u, row % PY - 1u, row / PY - 1u);
    let inside = row < ROWS && all(p < size);
    quadAt[k] = select(0u, (p.z * args.H + p.y) * args.W + p.x, inside);
    quadIn[k] = select(0u, min(4u, args.W - p.x), inside);
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let row = vec2u(k * WG + lane) - vec2u(0u, 1u);
    let z = row / PY + corner.z - 1u;
    let yy = row % PY + corner.y - 1u;
    let xx = corner.x + vec2u(0u - 1u, TX);
    let inRow = (row < vec2u(ROWS)) & (z < size.zz) & (yy < size.yy);
    edgeIn[k] = inRow & (xx < size.xx);
    edgeAt[k] = select(vec2u(), (z * args.H + yy) * args.W + xx, edgeIn[k]);
  }
}

// Loads input channel ci of sample n, and its weights for the block of output channels.
fn fetch(n: u32, ci: u32, block: u32, lane: u32) {
  var mean = 0.0;
  var scale = 1.0;
  var shift = 0.0;
  if (NORM) {
    let group = 2u * ((n * args.CIN + ci) / args.CG);
    mean = stats[group];
    scale = stats[group + 1u] * weight[ci];
    shift = bias[ci];
  }
  let base = (n * args.CT + args.C0 + ci) * args.D * args.H * args.W;
  for (var k = 0u; k < X_LOADS; k++) {
    var value = load_quad(base + quadAt[k], quadIn[k]);
    if (NORM) {
      value = max((value - mean) * scale + shift, vec4f());
    }
    quads[k] = select(vec4f(), value, vec4u(0u, 1u, 2u, 3u) < vec4u(quadIn[k]));
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let at = (base + edgeAt[k]) / WIDTH;
    var value = vec2f(wide(x[at.x]).w, wide(x[at.y]).x);
    if (NORM) {
      value = max((value - mean) * scale + shift, vec2f());
    }
    edges[k] = select(vec2f(), value, edgeIn[k]);
  }
  let first = (block * (1u + args.CIN * 27u) + 1u + ci * 27u) * CB / 4u;
  for (var k = 0u; k < W_LOADS; k++) {
    weights[k] = wp[first + min(k * WG + lane, W_SIZE - 1u)];
  }
}

// Puts what was fetched into the half of the tile that starts at `to`.
fn put(to: u32, lane: u32) {
  for (var k = 0u; k < X_LOADS; k++) {
    let i = k * WG + lane;
    if (i < ROWS * QUADS) {
      tile[to + i / QUADS * RS + 1u + i % QUADS] = quads[k];
    }
  }
  for (var k = 0u; k < EDGE_LOADS; k++) {
    let e = k * WG + lane;
    if (e <= ROWS) {
      tile[to + e * RS] = vec4f(edges[k].y, 0.0, 0.0, edges[k].x);
    }
  }
  for (var k = 0u; k < W_LOADS; k++) {
    let i = k * WG + lane;
    if (i < W_SIZE) {
      tile[to + X_SIZE + i] = weights[k];
    }
  }
}

fn add_products(sums: mat4x4f, v: vec4f, w: vec4f) -> mat4x4f {
  return mat4x4f(
    fma(v, vec4f(w.x), sums[0]),
    fma(v, vec4f(w.y), sums[1]),
    fma(v, vec4f(w.z), sums[2]),
    fma(v, vec4f(w.w), sums[3]),
  );
}

// One tap for both rows of voxels.
fn multiply(va: vec4f, vb: vec4f, at: u32) {
  let w0 = tile[at];
  let w1 = tile[at + 1u];
  a0 = add_products(a0, va, w0);
  a1 = add_products(a1, va, w1);
  b0 = add_products(b0, vb, w0);
  b1 = add_products(b1, vb, w1);
}

// All taps of one input channel; own: the thread's first vector, right: the way from its vector to
// the one with its right neighbour, taps: its weights.
fn convolve(own: u32, right: u32, taps: u32) {
  for (var kz = 0u; kz < 3u; kz++) {
    var at = own + kz * PY * RS;
    var v = tile[at];
    var left = tile[at - 1u].w;
    var next = tile[at + right].x;
    for (var ky = 0u; ky < 3u; ky++) {
      at += RS;
      let vb = tile[at];
      let leftB = tile[at - 1u].w;
      let nextB = tile[at + right].x;
      let w = taps + (kz * 3u + ky) * 3u * CB / 4u;
      multiply(vec4f(left, v.xyz), vec4f(leftB, vb.xyz), w);
      multiply(v, vb, w + CB / 4u);
      multiply(vec4f(v.yzw, next), vec4f(vb.yzw, nextB), w + CB / 2u);
      v = vb;
      left = leftB;
      next = nextB;
    }
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

fn store(co: u32, n: u32, at: u32, count: vec2u, a: vec4f, b: vec4f) {
  if (co < args.COUT) {
    let i = (n * args.COUT + co) * args.D * args.H * args.W + at;
    store_row(i, a, count.x);
    store_row(i + args.W, b, count.y);
  }
}

// Sum and sum of squares of a channel's eight voxels, less `origin`.
fn deviations(va: vec4f, vb: vec4f, origin: f32, count: vec2u) -> vec2f {
  let lanes = vec4u(0u, 1u, 2u, 3u);
  let a = select(vec4f(), va - origin, lanes < vec4u(count.x));
  let b = select(vec4f(), vb - origin, lanes < vec4u(count.y));
  return vec2f(dot(a, vec4f(1.0)) + dot(b, vec4f(1.0)), dot(a, a) + dot(b, b));
}

// The same for four channels: sums, then squares, into the scratch.
fn put_deviations(at: u32, a: mat4x4f, b: mat4x4f, origin: vec4f, count: vec2u) {
  let d0 = deviations(a[0], b[0], origin.x, count);
  let d1 = deviations(a[1], b[1], origin.y, count);
  let d2 = deviations(a[2], b[2], origin.z, count);
  let d3 = deviations(a[3], b[3], origin.w, count);
  tile[at] = vec4f(d0.x, d1.x, d2.x, d3.x);
  tile[at + 1u] = vec4f(d0.y, d1.y, d2.y, d3.y);
}

// Moments of the tile: differences from its first voxel, because sums of squares of the values
// themselves would cancel.
fn put_moments(n: u32, t: u32, tiles: u32, block: u32, corner: vec3u, count: vec2u, lane: u32) {
  let octet = lane % OCTETS;
  let at = CB / 4u + 4u * lane;
  workgroupBarrier();
  if (lane < OCTETS) {
    tile[2u * lane] = vec4f(a0[0].x, a0[1].x, a0[2].x, a0[3].x);
    tile[2u * lane + 1u] = vec4f(a1[0].x, a1[1].x, a1[2].x, a1[3].x);
  }
  workgroupBarrier();
  put_deviations(at, a0, b0, tile[2u * octet], count);
  put_deviations(at + 2u, a1, b1, tile[2u * octet + 1u], count);
  workgroupBarrier();
  if (lane < CB && block * CB + lane < args.COUT) {
    let first = CB / 4u + lane / 8u * 4u + lane / 4u % 2u * 2u;
    var sum = 0.0;
    var squares = 0.0;
    for (var k = first; k < first + 4u * WG; k += 4u * OCTETS) {
      sum += tile[k][lane % 4u];
      squares += tile[k + 1u][lane % 4u];
    }
    let inside = min(vec3u(TX, TY, TZ), vec3u(args.W, args.H, args.D) - corner);
    let total = f32(inside.x * inside.y * inside.z);
    let to = 3u * ((n * args.COUT + block * CB + lane) * tiles + t);
    parts[to] = total;
    parts[to + 1u] = tile[lane / 4u][lane % 4u] + sum / total;
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
  let pair = lane / (OCTETS * QUADS) % (TY / 2u);
  let z = lane / (OCTETS * QUADS * TY / 2u);
  let own = (z * PY + 2u * pair) * RS + 1u + q;
  let right = select(1u, RS - QUADS, q == QUADS - 1u);
  let taps = X_SIZE + 2u * octet;

  let biases = (block * (1u + args.CIN * 27u) * CB + octet * 8u) / 4u;
  a0 = constant_columns(wp[biases]);
  a1 = constant_columns(wp[biases + 1u]);
  b0 = a0;
  b1 = a1;
  place(origin, lane);
  fetch(n, 0u, block, lane);
  put(0u, lane);
  workgroupBarrier();
  for (var ci = 0u; ci < args.CIN; ci++) {
    let more = ci + 1u < args.CIN;
    if (more) {
      fetch(n, ci + 1u, block, lane);
    }
    let half = ci % 2u * HALF;
    convolve(half + own, right, half + taps);
    if (more) {
      put(HALF - half, lane);
    }
    workgroupBarrier();
  }

  let p = origin + vec3u(4u * q, 2u * pair, z);
  let inRow = p.x < args.W && p.z < args.D;
  let have = select(0u, min(4u, args.W - p.x), inRow);
  let count = select(vec2u(), vec2u(have), vec2u(p.y, p.y + 1u) < vec2u(args.H));
  let at = (p.z * args.H + p.y) * args.W + p.x;
  let co = block * CB + octet * 8u;
  store(co, n, at, count, a0[0], b0[0]);
  store(co + 1u, n, at, count, a0[1], b0[1]);
  store(co + 2u, n, at, count, a0[2], b0[2]);
  store(co + 3u, n, at, count, a0[3], b0[3]);
  store(co + 4u, n, at, count, a1[0], b1[0]);
  store(co + 5u, n, at, count, a1[1], b1[1]);
  store(co + 6u, n, at, count, a1[2], b1[2]);
  store(co + 7u, n, at, count, a1[3], b1[3]);
  if (STATS) {
    put_moments(n, t, tiles, block, origin, count, lane);
  }
}
