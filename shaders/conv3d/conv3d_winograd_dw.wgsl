enable subgroups;

// Weight gradient of a 3×3×3 convolution by Winograd's F(4, 3) along z, for adapters whose subgroups
// always have 8 invocations: sums of one transformed plane against another.
// v: (COUNT, CIN, ZT, 6, H, W) from conv3d_winograd_input; d: (COUNT, COUT, ZT, 6, H, W) from
// conv3d_winograd_gradient; parts: (SPLITS, 6, COUT, CIN, 9), which conv3d_winograd_dw_reduce sums
// and transforms back; W is a multiple of 4.
// A workgroup is one subgroup. It takes 8 output channels, one a lane, 8 input channels, one of the
// six transformed planes and one of SPLITS runs of samples and tiles along z, and keeps 8 · 9 sums a
// lane. It walks a plane in columns of 8 voxels, a row a step: each lane loads its own channel's row
// of d; of v the lanes load one further row of all 8 channels together, hand the values round, and
// keep the two rows before.
@group(0) @binding(0) var<storage, read> v: array<f32>;
@group(0) @binding(1) var<storage, read> v4: array<vec4f>; // the same
@group(0) @binding(2) var<storage, read> d: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

struct Args {
  COUNT: u32,
  CIN: u32,
  COUT: u32,
  ZT: u32,
  H: u32,
  W: u32,
  SPLITS: u32,
}
@group(0) @binding(4) var<uniform> args: Args;

const LANES: u32 = 8u;
const TX: u32 = 8u;
const CB: u32 = 8u; // input channels of a workgroup
const TAPS: u32 = 9u;
const ROW: u32 = 10u; // vectors of a row: 2 loads of quads, 2 of the columns left and right

var<private> acc: array<f32, CB * TAPS>;
var<private> dd: array<f32, TX>;
// Three rows of v for each input channel. Quad q of channel q / 2 is with lane q % 8 in
// near[row · ROW + q / 8 · 4 + component], edge h (left or right of channel h / 2) with lane h % 8
// in near[row · ROW + 8 + h / 8].
var<private> near: array<f32, 3u * ROW>;

// The value of channel c at row r and column x (one more than in the column of 8). No branch: Mesa
// would count both sides when it decides what to unroll.
fn value(c: u32, r: u32, x: u32) -> f32 {
  let edge = x == 0u || x > TX;
  let h = c * 2u + x / (TX + 1u);
  let q = c * 2u + (x - 1u) / 4u;
  let slot = select(q / LANES * 4u + (x - 1u) % 4u, 8u + h / LANES, edge);
  return subgroupShuffle(near[r * ROW + slot], select(q, h, edge) % LANES);
}

// Functions called with literals, because Mesa unrolls no loop as long as one over the channels
// would be, and arrays indexed at run time make it five times slower.
fn multiply_line(c: u32, ky: u32) {
  for (var kx = 0u; kx < 3u; kx++) {
    var sum = acc[c * TAPS + ky * 3u + kx];
    for (var x = 0u; x < TX; x++) {
      sum = fma(dd[x], value(c, ky, x + kx), sum);
    }
    acc[c * TAPS + ky * 3u + kx] = sum;
  }
}

fn multiply(c: u32) {
  multiply_line(c, 0u);
  multiply_line(c, 1u);
  multiply_line(c, 2u);
}

fn store(c: u32, at: u32, valid: bool) {
  if (valid) {
    for (var t = 0u; t < TAPS; t++) {
      parts[at + t] = acc[c * TAPS + t];
    }
  }
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let CIN = args.CIN;
  let COUT = args.COUT;
  let H = args.H;
  let W = args.W;
  let sets = (CIN + CB - 1u) / CB;
  let blocks = (COUT + LANES - 1u) / LANES;
  let i = wid.y * nwg.x + wid.x;
  if (i >= args.SPLITS * 6u * sets * blocks) {
    return;
  }
  let firstIn = i % sets * CB;
  let co = i / sets % blocks * LANES + lane;
  let plane = i / (sets * blocks) % 6u;
  let split = i / (sets * blocks * 6u);
  let tiles = args.COUNT * args.ZT;
  let run = (tiles + args.SPLITS - 1u) / args.SPLITS;
  let end = min(tiles, (split + 1u) * run);
  let S = 6u * args.ZT * H * W; // of a channel
  let first = min(firstIn + lane / 2u, CIN - 1u) * S; // where this lane's channels begin
  let second = min(firstIn + 4u + lane / 2u, CIN - 1u) * S;
  let mine = min(co, COUT - 1u) * S;

  for (var p = split * run; p < end; p++) {
    let n = p / args.ZT;
    let inChannel = (p % args.ZT * 6u + plane) * H * W;
    let vBase = n * CIN * S + inChannel;
    let dBase = n * COUT * S + inChannel + mine;
    for (var x0 = 0u; x0 < W; x0 += TX) {
      let quad = x0 + lane % 2u * 4u;
      let quadIn = quad < W;
      let edge = x0 + select(0u - 1u, TX, lane % 2u == 1u); // wraps left of the first column
      let edgeIn = edge < W;
      for (var k = 0u; k < 2u * ROW; k++) {
        near[ROW + k] = 0.0;
      }
      // Row y of v is loaded a step before row y of d.
      for (var y = 0u; y <= H; y++) {
        for (var k = 0u; k < 2u * ROW; k++) {
          near[k] = near[ROW + k];
        }
        let rowIn = y < H;
        let row = vBase + min(y, H - 1u) * W;
        let quadAt = row + select(0u, quad, quadIn);
        let edgeAt = row + select(0u, edge, edgeIn);
        let a = select(vec4f(), v4[(quadAt + first) / 4u], quadIn && rowIn);
        let c = select(vec4f(), v4[(quadAt + second) / 4u], quadIn && rowIn);
        for (var k = 0u; k < 4u; k++) {
          near[2u * ROW + k] = a[k];
          near[2u * ROW + 4u + k] = c[k];
        }
        near[2u * ROW + 8u] = select(0.0, v[edgeAt + first], edgeIn && rowIn);
        near[2u * ROW + 9u] = select(0.0, v[edgeAt + second], edgeIn && rowIn);
        if (y > 0u) {
          let start = dBase + (y - 1u) * W + x0;
          let left = d[start / 4u];
          let right = select(vec4f(), d[select(start, start + 4u, x0 + 4u < W) / 4u], x0 + 4u < W);
          for (var k = 0u; k < 4u; k++) {
            dd[k] = left[k];
            dd[4u + k] = right[k];
          }
          multiply(0u);
          multiply(1u);
          multiply(2u);
          multiply(3u);
          multiply(4u);
          multiply(5u);
          multiply(6u);
          multiply(7u);
        }
      }
    }
  }
  let at = (((split * 6u + plane) * COUT + co) * CIN + firstIn) * TAPS;
  store(0u, at, co < COUT);
  store(1u, at + TAPS, co < COUT && firstIn + 1u < CIN);
  store(2u, at + 2u * TAPS, co < COUT && firstIn + 2u < CIN);
  store(3u, at + 3u * TAPS, co < COUT && firstIn + 3u < CIN);
  store(4u, at + 4u * TAPS, co < COUT && firstIn + 4u < CIN);
  store(5u, at + 5u * TAPS, co < COUT && firstIn + 5u < CIN);
  store(6u, at + 6u * TAPS, co < COUT && firstIn + 6u < CIN);
  store(7u, at + 7u * TAPS, co < COUT && firstIn + 7u < CIN);
}
