enable subgroups;

// Weight gradient of a 3×3×3 convolution by Winograd's F(4, 3) along z, for quads of invocations, which
// is what a subgroup is on SwiftShader: sums of one transformed plane against another.
// v: (COUNT, CIN, ZT, 6, HP, WP) from conv3d_winograd_input, d: (COUNT, COUT, ZT, 6, HP, WP) from
// conv3d_winograd_gradient, both with a border, zero outside of the volume; parts: (SPLITS, 6, COUT,
// CIN, 9), which conv3d_winograd_dw_reduce sums and transforms back; W is a multiple of 4.
// A quad takes 8 output channels, two a lane, 4 input channels, one of the six transformed planes and
// one of SPLITS runs of samples and tiles along z, and walks the planes in blocks of 4 × 2 voxels. A
// lane loads its own input channel and its own output channels, and sees the other input channels by
// swapping: sum p is of the input channel lane ^ p. Why so: conv3d_winograd_quad.wgsl.
@group(0) @binding(0) var<storage, read> v: array<f32>;
@group(0) @binding(1) var<storage, read> d: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

struct Args {
  COUNT: u32,
  CIN: u32,
  COUT: u32,
  ZT: u32,
  H: u32,
  W: u32,
  SPLITS: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const LANES: u32 = 4u; // of a workgroup, and of a subgroup: whole quads

const TX: u32 = 4u;
const TY: u32 = 2u;
const TAPS: u32 = 9u;
const ROW: u32 = TX + 2u;
const GROUPS: u32 = 2u; // of four output channels

var<private> near: array<f32, 96>; // of v, [(row · ROW + column) · 4 + p]
var<private> dd: array<f32, 16>; // of d, [(row · TX + column) · GROUPS + group]
var<private> acc: array<f32, 72>; // [(group · TAPS + tap) · 4 + p]

// Functions here are called with literals: SwiftShader unrolls no loop, and an array that is indexed at
// run time is loaded from as slowly as a buffer.
// shared: quad_column
fn load_column(i: u32, a: f32) {
  near[4u * i] = a;
  near[4u * i + 1u] = quadSwapX(a);
  near[4u * i + 2u] = quadSwapY(a);
  near[4u * i + 3u] = quadSwapDiagonal(a);
}
// end

fn load_row(r: u32, at: u32) {
  load_column(r * ROW, v[at]);
  load_column(r * ROW + 1u, v[at + 1u]);
  load_column(r * ROW + 2u, v[at + 2u]);
  load_column(r * ROW + 3u, v[at + 3u]);
  load_column(r * ROW + 4u, v[at + 4u]);
  load_column(r * ROW + 5u, v[at + 5u]);
}

fn load_gradient(r: u32, group: u32, at: u32) {
  let i = r * TX * GROUPS + group;
  dd[i] = d[at];
  dd[i + GROUPS] = d[at + 1u];
  dd[i + 2u * GROUPS] = d[at + 2u];
  dd[i + 3u * GROUPS] = d[at + 3u];
}

// Eight voxels of one sum.
fn multiply_one(group: u32, tap: u32, p: u32) {
  let at = (group * TAPS + tap) * 4u + p;
  let a = (tap / 3u * ROW + tap % 3u) * 4u + p; // upper row
  let b = a + ROW * 4u;
  var sum = fma(near[a], dd[group], acc[at]);
  sum = fma(near[a + 4u], dd[group + 2u], sum);
  sum = fma(near[a + 8u], dd[group + 4u], sum);
  sum = fma(near[a + 12u], dd[group + 6u], sum);
  sum = fma(near[b], dd[group + 8u], sum);
  sum = fma(near[b + 4u], dd[group + 10u], sum);
  sum = fma(near[b + 8u], dd[group + 12u], sum);
  acc[at] = fma(near[b + 12u], dd[group + 14u], sum);
}

fn multiply(group: u32, tap: u32) {
  multiply_one(group, tap, 0u);
  multiply_one(group, tap, 1u);
  multiply_one(group, tap, 2u);
  multiply_one(group, tap, 3u);
}

fn multiply_taps(group: u32) {
  multiply(group, 0u);
  multiply(group, 1u);
  multiply(group, 2u);
  multiply(group, 3u);
  multiply(group, 4u);
  multiply(group, 5u);
  multiply(group, 6u);
  multiply(group, 7u);
  multiply(group, 8u);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) id: u32,
) {
  let lane = id % 4u;
  let CIN = args.CIN;
  let COUT = args.COUT;
  let sets = (CIN + 3u) / 4u;
  let blocks = (COUT + 7u) / 8u;
  // The quads of a workgroup take the same run: swaps must be where all invocations come by. Those
  // without work do another's, and write nothing.
  let workgroup = wid.y * nwg.x + wid.x;
  let split = workgroup % args.SPLITS;
  let task = workgroup / args.SPLITS * (LANES / 4u) + id / 4u;
  let tasks = 6u * sets * blocks;
  let i = min(task, tasks - 1u);
  let firstIn = i % sets * 4u;
  let block = i / sets % blocks;
  let plane = i / (sets * blocks);
  let WP = args.W + 8u; // a border of four columns on each side, and of one row
  let planeSize = ((args.H + 7u) / 8u * 8u + 2u) * WP;
  let S = 6u * args.ZT * planeSize; // of a channel
  let tiles = args.COUNT * args.ZT;
  let run = (tiles + args.SPLITS - 1u) / args.SPLITS;
  let end = min(tiles, (split + 1u) * run);
  let mine = min(firstIn + lane, CIN - 1u) * S;
  let co = 8u * block + lane;
  let first = min(co, COUT - 1u) * S;
  let second = min(co + 4u, COUT - 1u) * S;

  for (var t = split * run; t < end; t++) {
    let n = t / args.ZT;
    let inChannel = (t % args.ZT * 6u + plane) * planeSize;
    let vBase = n * CIN * S + mine + inChannel;
    let dBase = n * COUT * S + inChannel;
    for (var y0 = 0u; y0 < args.H; y0 += TY) {
      for (var x0 = 0u; x0 < args.W; x0 += TX) {
        let corner = y0 * WP + x0 + 3u; // left and above of the block
        let upper = dBase + corner + WP + 1u;
        load_gradient(0u, 0u, upper + first);
        load_gradient(0u, 1u, upper + second);
        load_gradient(1u, 0u, upper + WP + first);
        load_gradient(1u, 1u, upper + WP + second);
        let at = vBase + corner;
        load_row(0u, at);
        load_row(1u, at + WP);
        load_row(2u, at + 2u * WP);
        load_row(3u, at + 3u * WP);
        multiply_taps(0u);
        multiply_taps(1u);
      }
    }
  }

  if (task >= tasks) {
    return;
  }
  for (var group = 0u; group < GROUPS; group++) {
    let out = co + 4u * group;
    for (var p = 0u; p < 4u; p++) {
      let ci = firstIn + (lane ^ p);
      if (out < COUT && ci < CIN) {
        let at = (((split * 6u + plane) * COUT + out) * CIN + ci) * TAPS;
        for (var tap = 0u; tap < TAPS; tap++) {
          parts[at + tap] = acc[(group * TAPS + tap) * 4u + p];
        }
      }
    }
  }
}
