enable subgroups;

// Weight gradient of a 3-D convolution, for adapters whose subgroups always have 8 invocations:
// partial sums.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); dy: (N, COUT, D, H, W);
// parts: (SPLITS, COUT, CIN, K, K, K), summed by sum_parts in a fixed order.
// A workgroup is one subgroup. It takes 8 output channels, one per lane, 4 lines of the kernel (a
// line is one ci and kz with its K² taps) and one of SPLITS runs of z-planes, and keeps 4 · K² sums
// a lane. It walks the planes in columns of 8 voxels, two rows a step: each lane loads its own
// channel's dy; of x the lanes load two further rows together, hand the values round as in
// conv3d_subgroup, and keep the two rows before. More lines or larger steps save loads, but pass
// what the processor holds of decoded instructions, and are slower.
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
const FULL: bool = W % TX == 0u && H % TY == 0u;
const R: u32 = K / 2u;
const TAPS: u32 = K * K;
const PX: u32 = TX + K - 1u;
const SLOTS: u32 = (TY * PX + LANES - 1u) / LANES; // for two rows of x
const S: u32 = D * H * W;
const LINES: u32 = CIN * K;
const SET: u32 = 4u; // lines of a workgroup
const SETS: u32 = (LINES + SET - 1u) / SET;
const BLOCKS: u32 = (COUT + LANES - 1u) / LANES;
const PLANES: u32 = (N * D + SPLITS - 1u) / SPLITS;

var<private> acc: array<f32, SET * TAPS>;
var<private> d: array<f32, TX * TY>;
// Four rows of x for each line: value q of a pair of rows is with lane q % 8 in slot q / 8.
var<private> near: array<f32, SET * 2u * SLOTS>;
var<private> px: array<u32, SLOTS>; // where this lane's values lie in a pair of rows; px less R
var<private> py: array<u32, SLOTS>;
var<private> offset: array<u32, SLOTS>; // and in a plane
var<private> inside: array<bool, SLOTS>;

// Finds the pair of rows of x that begins at row y0; before the plane numbers wrap to large ones.
fn locate(x0: u32, y0: u32) {
  for (var s = 0u; s < SLOTS; s++) {
    let xx = x0 + px[s];
    let yy = y0 + py[s];
    inside[s] = xx < W && yy < H;
    offset[s] = select(0u, yy * W + xx, inside[s]);
  }
}

// Moves the rows of line j (the set's) up by two and loads the pair that was located, from the
// plane that the line's kz pairs with plane z of the sample's dy.
fn load_line(j: u32, line: u32, sample: u32, z: u32) {
  let zz = z + line % K - R;
  let plane = (sample * CT + C0 + line / K) * S + min(zz, D - 1u) * H * W;
  for (var s = 0u; s < SLOTS; s++) {
    let at = j * 2u * SLOTS + s;
    near[at] = near[at + SLOTS];
    near[at + SLOTS] = select(0.0, x[plane + offset[s]], inside[s] && zz < D);
  }
}

// Adds the products of row vy of dy with line j. Functions called with literals, because Mesa
// unrolls no loop that would get longer, and arrays indexed at run time make it five times slower.
fn multiply_row(j: u32, vy: u32) {
  for (var vx = 0u; vx < TX; vx++) {
    for (var t = 0u; t < TAPS; t++) {
      let row = vy + t / K;
      let q = row % 2u * PX + vx + t % K;
      let slot = (j * 2u + row / 2u) * SLOTS + q / LANES;
      let value = subgroupShuffle(near[slot], q % LANES);
      acc[j * TAPS + t] = fma(d[vy * TX + vx], value, acc[j * TAPS + t]);
    }
  }
}

fn store_line(j: u32, line: u32, co: u32, split: u32) {
  if (co < COUT && line < LINES) {
    let at = ((split * COUT + co) * LINES + line) * TAPS;
    for (var t = 0u; t < TAPS; t++) {
      parts[at + t] = acc[j * TAPS + t];
    }
  }
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
  let line = i % SETS * SET; // the first of ours
  let co = i / SETS % BLOCKS * LANES + lane;
  let split = i / (SETS * BLOCKS);
  let channel = min(co, COUT - 1u);
  let line1 = min(line + 1u, LINES - 1u);
  let line2 = min(line + 2u, LINES - 1u);
  let line3 = min(line + 3u, LINES - 1u);

  for (var s = 0u; s < SLOTS; s++) {
    let q = s * LANES + lane;
    px[s] = q % PX - R;
    py[s] = q / PX;
  }
  let end = min(N * D, (split + 1u) * PLANES);
  for (var p = split * PLANES; p < end; p++) {
    let sample = p / D;
    let z = p % D;
    let plane = (sample * COUT + channel) * S + z * H * W;
    for (var x0 = 0u; x0 < W; x0 += TX) {
      locate(x0, 0u - R);
      load_line(0u, line, sample, z);
      load_line(1u, line1, sample, z);
      load_line(2u, line2, sample, z);
      load_line(3u, line3, sample, z);
      for (var y0 = 0u; y0 < H; y0 += TY) {
        for (var v = 0u; v < TX * TY; v++) {
          let xx = x0 + v % TX;
          let yy = y0 + v / TX;
          let valid = FULL || (xx < W && yy < H);
          d[v] = select(0.0, dy[plane + select(0u, yy * W + xx, valid)], valid);
        }
        locate(x0, y0 + TY - R);
        load_line(0u, line, sample, z);
        multiply_row(0u, 0u);
        multiply_row(0u, 1u);
        load_line(1u, line1, sample, z);
        multiply_row(1u, 0u);
        multiply_row(1u, 1u);
        load_line(2u, line2, sample, z);
        multiply_row(2u, 0u);
        multiply_row(2u, 1u);
        load_line(3u, line3, sample, z);
        multiply_row(3u, 0u);
        multiply_row(3u, 1u);
      }
    }
  }
  store_line(0u, line, co, split);
  store_line(1u, line + 1u, co, split);
  store_line(2u, line + 2u, co, split);
  store_line(3u, line + 3u, co, split);
}
