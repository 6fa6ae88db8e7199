// Weight gradient of a 3-D convolution, without subgroups, workgroup memory or arrays of
// registers: partial sums.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); dy: (N, COUT, D, H, W);
// parts: (SPLITS, COUT, CIN, K, K, K), summed by sum_parts in a fixed order.
// Each thread takes one (ci, kz), 8 output channels and one of SPLITS runs of z-planes, and walks
// the rows of the planes with the 3 × 3 window of x around the voxel in registers. The sums are
// matrices, one per ky and four channels: a column per kx, a row per channel.
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
const WG: u32 = 64u;

const S: u32 = D * H * W;
const R: u32 = K / 2u;
const TAPS: u32 = K * K;
const CB: u32 = 8u;
const LINES: u32 = CIN * K;
const BLOCKS: u32 = (COUT + CB - 1u) / CB;
const PLANES: u32 = (N * D + SPLITS - 1u) / SPLITS;

// x at row yy and column xx of the plane that begins at `plane`, 0 outside.
fn load(plane: u32, yy: u32, xx: u32) -> f32 {
  return select(0.0, x[plane + min(yy, H - 1u) * W + min(xx, W - 1u)], yy < H && xx < W);
}

// dy of channels co … co + 3; channels that do not exist repeat the last one and are not stored.
fn load_dy(sample: u32, co: u32, voxel: u32) -> vec4f {
  let c = min(vec4u(co, co + 1u, co + 2u, co + 3u), vec4u(COUT - 1u));
  let at = (sample * COUT + c) * S + voxel;
  return vec4f(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
}

fn add_products(sums: mat3x4f, v: vec3f, d: vec4f) -> mat3x4f {
  return mat3x4f(
    sums[0] + d * v.x,
    sums[1] + d * v.y,
    sums[2] + d * v.z,
  );
}

// Row ky of one channel's taps; a 1×1×1 kernel has only the middle of the middle row.
fn store(at: u32, ky: u32, v: vec3f) {
  if (K == 1u) {
    if (ky == 1u) {
      parts[at] = v.y;
    }
    return;
  }
  parts[at + ky * 3u] = v.x;
  parts[at + ky * 3u + 1u] = v.y;
  parts[at + ky * 3u + 2u] = v.z;
}

fn store4(co: u32, split: u32, line: u32, ky: u32, sums: mat3x4f) {
  let rows = transpose(sums);
  let step = LINES * TAPS;
  let at = ((split * COUT + co) * LINES + line) * TAPS;
  if (co < COUT) {
    store(at, ky, rows[0]);
  }
  if (co + 1u < COUT) {
    store(at + step, ky, rows[1]);
  }
  if (co + 2u < COUT) {
    store(at + 2u * step, ky, rows[2]);
  }
  if (co + 3u < COUT) {
    store(at + 3u * step, ky, rows[3]);
  }
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (wid.y * nwg.x + wid.x) * WG + lane;
  if (i >= LINES * BLOCKS * SPLITS) {
    return;
  }
  let line = i % LINES;
  let co = i / LINES % BLOCKS * CB;
  let split = i / (LINES * BLOCKS);
  let ci = line / K;
  let kz = line % K;

  var a0: mat3x4f; // channels 0–3 of the block, ky = 0, 1, 2
  var a1: mat3x4f;
  var a2: mat3x4f;
  var b0: mat3x4f; // channels 4–7
  var b1: mat3x4f;
  var b2: mat3x4f;
  let end = min(N * D, (split + 1u) * PLANES);
  for (var p = split * PLANES; p < end; p++) {
    let sample = p / D;
    let z = p % D + kz - R; // wraps to a large number before the border
    if (z >= D) {
      continue;
    }
    let plane = (sample * CT + C0 + ci) * S + z * H * W;
    for (var yy = 0u; yy < H; yy++) {
      var v0 = vec3f(0.0, 0.0, load(plane, yy - 1u, 0u));
      var v1 = vec3f(0.0, 0.0, load(plane, yy, 0u));
      var v2 = vec3f(0.0, 0.0, load(plane, yy + 1u, 0u));
      for (var xx = 0u; xx < W; xx++) {
        v0 = vec3f(v0.yz, load(plane, yy - 1u, xx + 1u));
        v1 = vec3f(v1.yz, load(plane, yy, xx + 1u));
        v2 = vec3f(v2.yz, load(plane, yy + 1u, xx + 1u));
        let voxel = (p % D * H + yy) * W + xx;
        let da = load_dy(sample, co, voxel);
        a0 = add_products(a0, v0, da);
        a1 = add_products(a1, v1, da);
        a2 = add_products(a2, v2, da);
        let db = load_dy(sample, co + 4u, voxel);
        b0 = add_products(b0, v0, db);
        b1 = add_products(b1, v1, db);
        b2 = add_products(b2, v2, db);
      }
    }
  }
  store4(co, split, line, 0u, a0);
  store4(co, split, line, 1u, a1);
  store4(co, split, line, 2u, a2);
  store4(co + 4u, split, line, 0u, b0);
  store4(co + 4u, split, line, 1u, b1);
  store4(co + 4u, split, line, 2u, b2);
}
