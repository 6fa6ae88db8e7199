enable subgroups;

// 3×3×3 convolution by Winograd's F(4, 3) along z, for adapters whose subgroups always have 8
// invocations. v: (COUNT, CIN, ZT, 6, H, W) from conv3d_winograd_input; u: (BLOCKS, 6, CIN, 3, 8, 4)
// from conv3d_winograd_weights; b: (COUT), ignored unless BIAS; y: (N, COUT, D, H, W), of which
// samples [FIRST, FIRST + COUNT) are written; W is a multiple of 4.
// STATS: parts: (N, COUT, ZT · TILES_Y · TILES_X, 3) = count, mean and sum of squared deviations of y
// over each tile, for group normalisation.
// A workgroup is one subgroup and computes four planes of TX × 8 voxels by 8 output channels, one a
// lane: for each of the six transformed planes a 2-D convolution over all input channels, then its
// share of the four planes. The lanes load a plane's tile together, each value once, and hand the
// values round; the shuffles' lanes are constants once the loops are unrolled, which makes them
// plain broadcasts. Why so: docs/engine/convolution.md.
@group(0) @binding(0) var<storage, read> v: array<f32>;
@group(0) @binding(1) var<storage, read> v4: array<vec4f>; // the same
@group(0) @binding(2) var<storage, read> u: array<vec4f>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;

struct Args {
  FIRST: u32,
  COUNT: u32,
  CIN: u32,
  COUT: u32,
  D: u32,
  H: u32,
  W: u32,
  BIAS: u32, // 1 or 0, as STATS: not constants, for every pipeline costs a second to compile
  STATS: u32,
}
@group(0) @binding(6) var<uniform> args: Args;

// shared: winograd_points
const A: f32 = 0.75;
const B: f32 = 1.5;
// end
const LANES: u32 = 8u;
const TX: u32 = 8u;
const TY: u32 = 8u;
const QUADS: u32 = TX / 4u; // vectors of a row
const ROWS: u32 = TY + 2u; // of the input tile
const INNER: u32 = (ROWS * QUADS + LANES - 1u) / LANES; // loads of vectors
const EDGE: u32 = (ROWS * 2u + LANES - 1u) / LANES; // loads of the columns left and right
const P: u32 = TX * TY;
const TAPS: u32 = 9u;

var<private> m: array<f32, P>; // sums of one transformed plane
var<private> total: array<f32, 4u * P>; // of the four planes
// Vector q of the input tile is with lane q % 8 in near[q / 8 · 4 + component]; value h of the edge
// (row h / 2, left or right) with lane h % 8 in near[4 · INNER + h / 8].
var<private> near: array<f32, 4u * INNER + EDGE>;
var<private> w: array<f32, 12>;

// The value at row r and column c (one more than in the tile) of the input tile. No branch: Mesa
// would count both sides when it decides what to unroll.
fn value(r: u32, c: u32) -> f32 {
  let edge = c == 0u || c > TX;
  let h = r * 2u + c / (TX + 1u);
  let q = r * QUADS + (c - 1u) / 4u;
  let slot = select(q / LANES * 4u + (c - 1u) % 4u, 4u * INNER + h / LANES, edge);
  return subgroupShuffle(near[slot], select(q, h, edge) % LANES);
}

// Four voxels of a row. Functions called with literals, because Mesa unrolls no loop as long as one
// over the tile would be, and arrays indexed at run time make it five times slower.
fn multiply(vy: u32, x0: u32) {
  for (var vx = x0; vx < x0 + 4u; vx++) {
    var sum = m[vy * TX + vx];
    for (var t = 0u; t < TAPS; t++) {
      sum = fma(w[t], value(vy + t / 3u, vx + t % 3u), sum);
    }
    m[vy * TX + vx] = sum;
  }
}

fn multiply_row(vy: u32) {
  multiply(vy, 0u);
  multiply(vy, 4u);
}

// Adds a row of m to the four planes with the factors k, a column of Winograd's Aᵀ.
fn add_row(vy: u32, k: vec4f) {
  for (var i = vy * TX; i < vy * TX + TX; i++) {
    total[i] = fma(k.x, m[i], total[i]);
    total[P + i] = fma(k.y, m[i], total[P + i]);
    total[2u * P + i] = fma(k.z, m[i], total[2u * P + i]);
    total[3u * P + i] = fma(k.w, m[i], total[3u * P + i]);
    m[i] = 0.0;
  }
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
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let CIN = args.CIN;
  let D = args.D;
  let H = args.H;
  let W = args.W;
  let blocks = (args.COUT + 7u) / 8u;
  let tilesX = (W + TX - 1u) / TX;
  let tilesY = (H + TY - 1u) / TY;
  let tilesZ = (D + 3u) / 4u;
  let i = wid.y * nwg.x + wid.x;
  if (i >= args.COUNT * tilesX * tilesY * tilesZ * blocks) {
    return;
  }
  let block = i % blocks;
  let tile = i / blocks % (tilesX * tilesY * tilesZ);
  let x0 = tile % tilesX * TX;
  let y0 = tile / tilesX % tilesY * TY;
  let tz = tile / (tilesX * tilesY);
  let n = i / (blocks * tilesX * tilesY * tilesZ);

  // Where this lane's share of the input tile lies in a plane; before its edges numbers wrap.
  var innerAt: array<u32, INNER>;
  var innerIn: array<bool, INNER>;
  for (var k = 0u; k < INNER; k++) {
    let q = k * LANES + lane;
    let yy = y0 + q / QUADS - 1u;
    let xx = x0 + q % QUADS * 4u;
    innerIn[k] = q < ROWS * QUADS && yy < H && xx < W;
    innerAt[k] = select(0u, (yy * W + xx) / 4u, innerIn[k]);
  }
  var edgeAt: array<u32, EDGE>;
  var edgeIn: array<bool, EDGE>;
  for (var k = 0u; k < EDGE; k++) {
    let h = k * LANES + lane;
    let yy = y0 + h / 2u - 1u;
    let xx = x0 + select(0u - 1u, TX, h % 2u == 1u);
    edgeIn[k] = h < ROWS * 2u && yy < H && xx < W;
    edgeAt[k] = select(0u, yy * W + xx, edgeIn[k]);
  }

  for (var plane = 0u; plane < 6u; plane++) {
    for (var ci = 0u; ci < CIN; ci++) {
      let base = (((n * CIN + ci) * tilesZ + tz) * 6u + plane) * H * W;
      for (var k = 0u; k < INNER; k++) {
        let four = select(vec4f(), v4[base / 4u + innerAt[k]], innerIn[k]);
        near[4u * k] = four.x;
        near[4u * k + 1u] = four.y;
        near[4u * k + 2u] = four.z;
        near[4u * k + 3u] = four.w;
      }
      for (var k = 0u; k < EDGE; k++) {
        near[4u * INNER + k] = select(0.0, v[base + edgeAt[k]], edgeIn[k]);
      }
      let row = ((block * 6u + plane) * CIN + ci) * 3u * LANES + lane;
      for (var k = 0u; k < 3u; k++) {
        let four = u[row + k * LANES];
        w[4u * k] = four.x;
        w[4u * k + 1u] = four.y;
        w[4u * k + 2u] = four.z;
        w[4u * k + 3u] = four.w;
      }
      multiply_row(0u);
      multiply_row(1u);
      multiply_row(2u);
      multiply_row(3u);
      multiply_row(4u);
      multiply_row(5u);
      multiply_row(6u);
      multiply_row(7u);
    }
    let k = powers(plane);
    add_row(0u, k);
    add_row(1u, k);
    add_row(2u, k);
    add_row(3u, k);
    add_row(4u, k);
    add_row(5u, k);
    add_row(6u, k);
    add_row(7u, k);
  }

  let co = block * LANES + lane;
  if (co < args.COUT) {
    var shift = 0.0;
    if (args.BIAS == 1u) {
      shift = b[co];
    }
    let channel = (args.FIRST + n) * args.COUT + co;
    let first = total[0];
    var count = 0.0;
    var sum = 0.0;
    var squares = 0.0;
    for (var p = 0u; p < 4u; p++) {
      let z = 4u * tz + p;
      for (var q = 0u; q < P / 4u; q++) {
        let yy = y0 + q / QUADS;
        let xx = x0 + q % QUADS * 4u;
        if (z < D && yy < H && xx < W) {
          let at = p * P + q * 4u;
          let four = vec4f(total[at], total[at + 1u], total[at + 2u], total[at + 3u]);
          y[(((channel * D) + z) * H + yy) * W / 4u + xx / 4u] = four + shift;
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
    }
    if (args.STATS == 1u) {
      let at = 3u * (channel * tilesX * tilesY * tilesZ + tile);
      parts[at] = count;
      parts[at + 1u] = shift + first + sum / count;
      parts[at + 2u] = max(0.0, squares - sum * sum / count);
    }
  }
}
