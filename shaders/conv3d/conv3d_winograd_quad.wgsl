enable subgroups;

// 3×3×3 convolution by Winograd's F(4, 3) along z, for quads of invocations, which is what a subgroup
// is on SwiftShader. v: (COUNT, CIN, ZT, 6, HP, WP) from conv3d_winograd_input with a border, zero
// outside of the volume; u: (BLOCKS, 6, CIN, 3, 8, 4) from conv3d_winograd_weights; b: (COUT), ignored
// unless BIAS; y: (N, COUT, D, H, W), of which samples [FIRST, FIRST + COUNT) are written; W is a
// multiple of 4.
// STATS: parts: (N, COUT, ZT · TILES_Y · TILES_X, 3) = count, mean and sum of squared deviations of y
// over each tile, for group normalisation.
// A quad computes four planes of 4 × 8 voxels by 8 output channels. A lane loads its own column of the
// input and its own two channels of the weights, and sees the other three columns by swapping: sum p
// of a row is of this lane's channel and of column lane ^ p. On SwiftShader a load costs as much as
// seventeen multiply-adds, whatever its address, and a swap as one (docs/engine/convolution.md).
@group(0) @binding(0) var<storage, read> v: array<f32>;
@group(0) @binding(1) var<storage, read> u: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> parts: array<f32>;

struct Args {
  FIRST: u32,
  COUNT: u32,
  CIN: u32,
  COUT: u32,
  D: u32,
  H: u32,
  W: u32,
  BIAS: u32, // 1 or 0, as STATS
  STATS: u32,
}
@group(0) @binding(5) var<uniform> args: Args;

const LANES: u32 = 4u; // of a workgroup, and of a subgroup: whole quads

// shared: winograd_points
const A: f32 = 0.75;
const B: f32 = 1.5;
// end
const TX: u32 = 4u;
const TY: u32 = 8u;
const GROUPS: u32 = 2u; // of four output channels
const P: u32 = TY * GROUPS; // vectors of sums of a plane

var<private> near: array<f32, 120>; // input tile, [(row · 3 + column) · 4 + p]
var<private> m: array<f32, 4u * P>; // sums of one transformed plane, [(row · GROUPS + group) · 4 + p]
var<private> total: array<vec4f, 4u * P>; // of the four planes
var<private> w: array<f32, 18>; // nine taps of two channels

// Loads row r of the input tile. Functions here are called with literals: SwiftShader unrolls no loop,
// and an array that is indexed at run time is loaded from as slowly as a buffer.
fn load_row(r: u32, at: u32) {
  load_column(3u * r, v[at]);
  load_column(3u * r + 1u, v[at + 1u]);
  load_column(3u * r + 2u, v[at + 2u]);
}

// shared: quad_column
fn load_column(i: u32, a: f32) {
  near[4u * i] = a;
  near[4u * i + 1u] = quadSwapX(a);
  near[4u * i + 2u] = quadSwapY(a);
  near[4u * i + 3u] = quadSwapDiagonal(a);
}
// end

// Sum p of a row and group. One sum after the other: nothing reorders what is written here, and all
// values but the sum come from memory.
fn multiply_one(row: u32, group: u32, p: u32) {
  let at = (row * GROUPS + group) * 4u + p;
  let tile = row * 12u + p;
  var sum = fma(near[tile], w[group], m[at]);
  sum = fma(near[tile + 4u], w[group + 2u], sum);
  sum = fma(near[tile + 8u], w[group + 4u], sum);
  sum = fma(near[tile + 12u], w[group + 6u], sum);
  sum = fma(near[tile + 16u], w[group + 8u], sum);
  sum = fma(near[tile + 20u], w[group + 10u], sum);
  sum = fma(near[tile + 24u], w[group + 12u], sum);
  sum = fma(near[tile + 28u], w[group + 14u], sum);
  m[at] = fma(near[tile + 32u], w[group + 16u], sum);
}

fn multiply(row: u32) {
  multiply_one(row, 0u, 0u);
  multiply_one(row, 0u, 1u);
  multiply_one(row, 0u, 2u);
  multiply_one(row, 0u, 3u);
  multiply_one(row, 1u, 0u);
  multiply_one(row, 1u, 1u);
  multiply_one(row, 1u, 2u);
  multiply_one(row, 1u, 3u);
}

// Weights of tap t, which lie in vectors of four for eight channels.
fn load_tap(t: u32, at: u32) {
  w[2u * t] = u[at + t / 4u * 32u + t % 4u];
  w[2u * t + 1u] = u[at + t / 4u * 32u + 16u + t % 4u];
}

// Adds sum i of m to the four planes with the factors k, a column of Winograd's Aᵀ.
fn finish(i: u32, k: vec4f) {
  let sums = vec4f(m[4u * i], m[4u * i + 1u], m[4u * i + 2u], m[4u * i + 3u]);
  total[i] = fma(vec4f(k.x), sums, total[i]);
  total[P + i] = fma(vec4f(k.y), sums, total[P + i]);
  total[2u * P + i] = fma(vec4f(k.z), sums, total[2u * P + i]);
  total[3u * P + i] = fma(vec4f(k.w), sums, total[3u * P + i]);
  m[4u * i] = 0.0;
  m[4u * i + 1u] = 0.0;
  m[4u * i + 2u] = 0.0;
  m[4u * i + 3u] = 0.0;
}

fn finish_rows(r: u32, k: vec4f) {
  finish(r * GROUPS, k);
  finish(r * GROUPS + 1u, k);
  finish(r * GROUPS + 2u, k);
  finish(r * GROUPS + 3u, k);
}

// shared: winograd_powers
// Aᵀ's column: powers of the point.
fn powers(plane: u32) -> vec4f {
  let size = select(select(0.0, A, plane > 0u), B, plane > 2u);
  let point = select(size, -size, plane % 2u == 0u);
  let finite = vec4f(1.0, point, point * point, point * point * point);
  return select(finite, vec4f(0.0, 0.0, 0.0, 1.0), plane == 5u);
}
// end

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) id: u32,
) {
  let lane = id % 4u;
  let CIN = args.CIN;
  let D = args.D;
  let H = args.H;
  let W = args.W;
  let blocks = (args.COUT + 7u) / 8u;
  let tilesX = W / TX;
  let tilesY = (H + TY - 1u) / TY;
  let tilesZ = (D + 3u) / 4u;
  let tiles = tilesX * tilesY * tilesZ;
  // Quads without work do another's, and write nothing: swaps must be where all invocations come by.
  let task = (wid.y * nwg.x + wid.x) * (LANES / 4u) + id / 4u;
  let tasks = args.COUNT * tiles * blocks;
  let i = min(task, tasks - 1u);
  let block = i % blocks;
  let tile = i / blocks % tiles;
  let x0 = tile % tilesX * TX;
  let y0 = tile / tilesX % tilesY * TY;
  let tz = tile / (tilesX * tilesY);
  let n = i / (blocks * tiles);
  let WP = W + 8u; // a border of four columns on each side, and of one row
  let planeSize = (tilesY * TY + 2u) * WP;
  let corner = y0 * WP + x0 + 3u + lane; // left of this lane's column

  for (var plane = 0u; plane < 6u; plane++) {
    for (var ci = 0u; ci < CIN; ci++) {
      let row = ((block * 6u + plane) * CIN + ci) * 96u + lane * 4u;
      load_tap(0u, row);
      load_tap(1u, row);
      load_tap(2u, row);
      load_tap(3u, row);
      load_tap(4u, row);
      load_tap(5u, row);
      load_tap(6u, row);
      load_tap(7u, row);
      load_tap(8u, row);
      let at = (((n * CIN + ci) * tilesZ + tz) * 6u + plane) * planeSize + corner;
      load_row(0u, at);
      load_row(1u, at + WP);
      load_row(2u, at + 2u * WP);
      load_row(3u, at + 3u * WP);
      load_row(4u, at + 4u * WP);
      load_row(5u, at + 5u * WP);
      load_row(6u, at + 6u * WP);
      load_row(7u, at + 7u * WP);
      load_row(8u, at + 8u * WP);
      load_row(9u, at + 9u * WP);
      multiply(0u);
      multiply(1u);
      multiply(2u);
      multiply(3u);
      multiply(4u);
      multiply(5u);
      multiply(6u);
      multiply(7u);
    }
    let k = powers(plane);
    finish_rows(0u, k);
    finish_rows(2u, k);
    finish_rows(4u, k);
    finish_rows(6u, k);
  }

  for (var group = 0u; group < GROUPS; group++) {
    let co = block * 8u + group * 4u + lane;
    if (co >= args.COUT || task >= tasks) {
      continue;
    }
    var shift = 0.0;
    if (args.BIAS == 1u) {
      shift = b[co];
    }
    let channel = (args.FIRST + n) * args.COUT + co;
    let first = total[group].x;
    var count = 0.0;
    var sum = 0.0;
    var squares = 0.0;
    for (var k = 0u; k < 4u * TY; k++) {
      let z = 4u * tz + k / TY;
      let yy = y0 + k % TY;
      if (z < D && yy < H) {
        let four = total[k * GROUPS + group];
        let at = ((channel * D + z) * H + yy) * W + x0;
        y[at + lane] = four.x + shift;
        y[at + (lane ^ 1u)] = four.y + shift;
        y[at + (lane ^ 2u)] = four.z + shift;
        y[at + (lane ^ 3u)] = four.w + shift;
        // shared: winograd_deviations
        if (args.STATS == 1u) {
          // Differences from one of the values: sums of squares of the values would cancel.
          let off = four - first;
          count += 4.0;
          sum += off.x + off.y + off.z + off.w;
          squares += dot(off, off);
        }
        // end
      }
    }
    if (args.STATS == 1u) {
      let at = 3u * (channel * tiles + tile);
      parts[at] = count;
      parts[at + 1u] = shift + first + sum / count;
      parts[at + 2u] = max(0.0, squares - sum * sum / count);
    }
  }
}
