enable subgroups;

// Weight gradient of a 3-D convolution, for adapters whose subgroups always have 8 invocations:
// partial sums.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); dy: (N, COUT, D, H, W);
// parts: (SPLITS, COUT, CIN, K, K, K), summed by conv3d_reduce in a fixed order.
// A workgroup is one subgroup. It takes 8 output channels, one per lane, 8 lines of the kernel (a
// line is one ci and kz with its K² taps) and one of SPLITS runs of z-planes, keeps 8 · K² sums a
// lane and walks the planes in tiles of 8 × 2 voxels. Each lane loads its own channel's dy; of x
// the lanes load every value once and hand it round, as in conv3d_subgroup.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

const N: u32 = 1u;
const CIN: u32 = 2u;
const COUT: u32 = 3u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const K: u32 = 3u;
const CT: u32 = 2u;
const C0: u32 = 0u;
const SPLITS: u32 = 1u;

const LANES: u32 = 8u;
const TX: u32 = 8u;
const TY: u32 = 2u;
const R: u32 = K / 2u;
const TAPS: u32 = K * K;
const PX: u32 = TX + K - 1u;
const PY: u32 = TY + K - 1u;
const SLOTS: u32 = (PX * PY + LANES - 1u) / LANES;
const LINES: u32 = CIN * K;
const SET: u32 = 8u; // lines of a workgroup
const SETS: u32 = (LINES + SET - 1u) / SET;
const BLOCKS: u32 = (COUT + LANES - 1u) / LANES;
const PLANES: u32 = (N * D + SPLITS - 1u) / SPLITS;

var<private> acc: array<f32, SET * TAPS>;
var<private> d: array<f32, TX * TY>;
var<private> offset: array<u32, SLOTS>;
var<private> inside: array<bool, SLOTS>;

var<private> near: array<f32, SLOTS>;

// Adds the products of row vy of the tile of dy with the line of the kernel in `near`. A function
// called with literals, because Mesa unrolls no loop that would get longer than this, and arrays
// indexed at run time are ten times slower.
fn multiply_row(j: u32, vy: u32) {
  for (var t = 0u; t < TAPS; t++) {
    var sum = acc[j * TAPS + t];
    for (var vx = 0u; vx < TX; vx++) {
      let q = (vy + t / K) * PX + vx + t % K;
      sum = fma(d[vy * TX + vx], subgroupShuffle(near[q / LANES], q % LANES), sum);
    }
    acc[j * TAPS + t] = sum;
  }
}

// Line j of the group, with x in the z-plane that its kz pairs with plane p of the batch.
fn multiply_line(j: u32, group: u32, p: u32) {
  let line = min(group * SET + j, LINES - 1u);
  let z = p % D + line % K - R; // wraps to a large number before the border
  let plane = ((p / D * CT + C0 + line / K) * D + min(z, D - 1u)) * H * W;
  for (var s = 0u; s < SLOTS; s++) {
    near[s] = select(0.0, x[plane + offset[s]], inside[s] && z < D);
  }
  multiply_row(j, 0u);
  multiply_row(j, 1u);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let i = wid.y * nwg.x + wid.x;
  if (i >= SETS * BLOCKS * SPLITS) {
    return;
  }
  let group = i % SETS;
  let co = i / SETS % BLOCKS * LANES + lane;
  let split = i / (SETS * BLOCKS);

  let end = min(N * D, (split + 1u) * PLANES);
  for (var p = split * PLANES; p < end; p++) {
    let plane = ((p / D * COUT + min(co, COUT - 1u)) * D + p % D) * H * W;
    for (var y0 = 0u; y0 < H; y0 += TY) {
      for (var x0 = 0u; x0 < W; x0 += TX) {
        for (var v = 0u; v < TX * TY; v++) {
          let xx = x0 + v % TX;
          let yy = y0 + v / TX;
          let valid = xx < W && yy < H;
          d[v] = select(0.0, dy[plane + select(0u, yy * W + xx, valid)], valid);
        }
        for (var s = 0u; s < SLOTS; s++) {
          let q = s * LANES + lane;
          let xx = x0 + q % PX - R;
          let yy = y0 + q / PX - R;
          inside[s] = xx < W && yy < H;
          offset[s] = select(0u, yy * W + xx, inside[s]);
        }
        multiply_line(0u, group, p);
        multiply_line(1u, group, p);
        multiply_line(2u, group, p);
        multiply_line(3u, group, p);
        multiply_line(4u, group, p);
        multiply_line(5u, group, p);
        multiply_line(6u, group, p);
        multiply_line(7u, group, p);
      }
    }
  }

  for (var j = 0u; j < SET; j++) {
    let line = group * SET + j;
    for (var t = 0u; t < TAPS; t++) {
      if (co < COUT && line < LINES) {
        parts[((split * COUT + co) * LINES + line) * TAPS + t] = acc[j * TAPS + t];
      }
    }
  }
}
