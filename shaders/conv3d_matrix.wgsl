enable f16;
enable chromium_experimental_subgroup_matrix;

// 3×3×3 convolution, zero padding, as products of 16×16 matrices that a subgroup holds together:
// activations and weights as f16, sums as f32.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); wp: from
// conv3d_matrix_weights; b: (COUT), unread unless BIAS; y: (N, COUT, D, H, W).
// NORM: x is normalised first, as in conv3d_winograd_input.wgsl.
// A workgroup computes TX × TY × PLANES voxels by 32 output channels, 16 input channels at a time:
// their tile of x with a border goes to workgroup memory channels last, so that 16 voxels by 16
// channels from any voxel on are a matrix whose columns are aligned. Each subgroup does a plane, in
// five runs of 16 voxels that go on from row to row through the border; what falls on the border is
// thrown away. Sums: 32 channels by 16 voxels each.
alias X = f32; // as stored; the variant is for f16
alias Y = f32;
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> wp: array<f16>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> stats: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> bias: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<Y>;

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
  BIAS: u32, // 1 or 0, as NORM
  NORM: u32,
}
@group(0) @binding(7) var<uniform> args: Args;

const LANES: u32 = 32u; // of a subgroup, always
const TX: u32 = 16u;
const TY: u32 = 4u;
const VS: u32 = 24u; // from voxel to voxel: a multiple of 16 bytes, beyond 16 for other banks

const PLANES: u32 = 4u; // and subgroups
const EDGE: u32 = 16u; // of a matrix
const SIZE: u32 = EDGE * EDGE;
const CO: u32 = 2u * EDGE;
const RUNS: u32 = 5u;
const WG: u32 = PLANES * LANES;
const PX: u32 = TX + 2u;
const PLANE: u32 = PX * (TY + 2u);
const VOXELS: u32 = (PLANES + 2u) * PLANE;
// The last run of the last plane reads on.
const ROOM: u32 = (PLANES + 1u) * PLANE + RUNS * EDGE + 2u * PX + 2u;

alias Left = subgroup_matrix_left<f16, 16, 16>;
alias Right = subgroup_matrix_right<f16, 16, 16>;
alias Sum = subgroup_matrix_result<f32, 16, 16>;

var<workgroup> tile: array<f16, ROOM * VS>;
var<workgroup> results: array<f32, PLANES * SIZE>;

fn weights_at(at: u32) -> Left {
  return subgroupMatrixLoad<Left, row_major>(&wp, at, EDGE);
}

fn voxels_at(at: u32) -> Right {
  return subgroupMatrixLoad<Right, col_major>(&tile, at, VS);
}

fn add_product(l: Left, r: Right, sum: Sum) -> Sum {
  return subgroupMatrixMultiplyAccumulate(l, r, sum);
}

fn put(at: u32, sum: Sum) {
  subgroupMatrixStore<row_major>(&results, at, sum, EDGE);
}

// Loads channels ci to ci + 15 of the tile at `corner` of sample n; zeros outside.
fn stage(n: u32, ci: u32, corner: vec3u, lane: u32) {
  let size = vec3u(args.W, args.H, args.D);
  for (var i = lane; i < VOXELS * EDGE; i += WG) {
    let v = i % VOXELS;
    let c = ci + i / VOXELS;
    // Positions before the border wrap to large numbers and fail the test like those behind it.
    let p = corner + vec3u(v % PX, v % PLANE / PX, v / PLANE) - 1u;
    let inside = c < args.CIN && all(p < size);
    let at = (((n * args.CT + args.C0 + c) * args.D + p.z) * args.H + p.y) * args.W + p.x;
    var value = f32(x[select(0u, at, inside)]);
    if (args.NORM == 1u) {
      let channel = min(c, args.CIN - 1u);
      let group = 2u * ((n * args.CIN + channel) / args.CG);
      let scale = stats[group + 1u] * weight[channel];
      value = max((value - stats[group]) * scale + bias[channel], 0.0);
    }
    tile[v * VS + i / VOXELS] = f16(select(0.0, value, inside));
  }
}

// One tap of a run of voxels, for both halves of the channels.
fn add_run(l0: Left, l1: Left, at: u32, a: ptr<function, Sum>, b: ptr<function, Sum>) {
  let r = voxels_at(at);
  *a = add_product(l0, r, *a);
  *b = add_product(l1, r, *b);
}

// Writes a run: sums of 16 channels from co on.
fn store(sum: Sum, run: u32, n: u32, co: u32, corner: vec3u, plane: u32, lane: u32) {
  put(plane * SIZE, sum);
  workgroupBarrier();
  for (var i = lane; i < SIZE; i += LANES) {
    let at = run * EDGE + i % EDGE;
    let p = corner + vec3u(at % PX, at / PX, plane);
    let c = co + i / EDGE;
    let inside = at % PX < TX && at / PX < TY && all(p < vec3u(args.W, args.H, args.D));
    if (inside && c < args.COUT) {
      var value = results[plane * SIZE + i];
      if (args.BIAS == 1u) {
        value += b[c];
      }
      y[(((n * args.COUT + c) * args.D + p.z) * args.H + p.y) * args.W + p.x] = Y(value);
    }
  }
  workgroupBarrier();
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) plane: u32,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let edges = vec3u(TX, TY, PLANES);
  let counts = (vec3u(args.W, args.H, args.D) + edges - 1u) / edges;
  let tiles = counts.x * counts.y * counts.z;
  let blocks = (args.COUT + CO - 1u) / CO;
  let chunks = (args.CIN + EDGE - 1u) / EDGE;
  let i = wid.y * nwg.x + wid.x;
  if (i >= args.N * tiles * blocks) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let block = i % blocks;
  let t = i / blocks % tiles;
  let n = i / (blocks * tiles);
  let corner = vec3u(t % counts.x, t / counts.x % counts.y, t / (counts.x * counts.y)) * edges;
  // The sums of the five runs, channels 0–15 and 16–31: function variables, as matrices must be.
  var a0 = Sum();
  var a1 = Sum();
  var a2 = Sum();
  var a3 = Sum();
  var a4 = Sum();
  var b0 = Sum();
  var b1 = Sum();
  var b2 = Sum();
  var b3 = Sum();
  var b4 = Sum();
  for (var chunk = 0u; chunk < chunks; chunk++) {
    workgroupBarrier();
    stage(n, chunk * EDGE, corner, local);
    workgroupBarrier();
    for (var tap = 0u; tap < 27u; tap++) {
      let w = ((block * chunks + chunk) * 27u + tap) * CO * EDGE;
      let l0 = weights_at(w);
      let l1 = weights_at(w + SIZE);
      let at = ((plane + tap / 9u) * PLANE + tap / 3u % 3u * PX + tap % 3u) * VS;
      add_run(l0, l1, at, &a0, &b0);
      add_run(l0, l1, at + EDGE * VS, &a1, &b1);
      add_run(l0, l1, at + 2u * EDGE * VS, &a2, &b2);
      add_run(l0, l1, at + 3u * EDGE * VS, &a3, &b3);
      add_run(l0, l1, at + 4u * EDGE * VS, &a4, &b4);
    }
  }
  let co = block * CO;
  store(a0, 0u, n, co, corner, plane, lane);
  store(a1, 1u, n, co, corner, plane, lane);
  store(a2, 2u, n, co, corner, plane, lane);
  store(a3, 3u, n, co, corner, plane, lane);
  store(a4, 4u, n, co, corner, plane, lane);
  store(b0, 0u, n, co + EDGE, corner, plane, lane);
  store(b1, 1u, n, co + EDGE, corner, plane, lane);
  store(b2, 2u, n, co + EDGE, corner, plane, lane);
  store(b3, 3u, n, co + EDGE, corner, plane, lane);
  store(b4, 4u, n, co + EDGE, corner, plane, lane);
}
