// Weight gradient of a 3-D convolution through workgroup memory, the path for GPUs: partial sums.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); dy: (N, COUT, D, H, W);
// parts: (SPLITS, COUT, CIN, K, K, K), summed by conv3d_reduce in a fixed order.
// A workgroup takes 16 output and 8 input channels and one of SPLITS runs of z-planes, which it
// walks in tiles of 8 × 8 voxels: the tile of dy, four channels to a vector, and K planes of x with
// their border go to workgroup memory. Each thread takes one (ci, kz) and 4 output channels; its
// sums are matrices, one per ky: a column per kx, a row per channel.
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

const TILE: u32 = 8u;
const CI: u32 = 8u; // input channels of a workgroup
const CO: u32 = 16u; // and output channels
const QUADS: u32 = CO / 4u;
const R: u32 = K / 2u;
const S: u32 = D * H * W;
const P: u32 = TILE + 2u; // always with a border of 1: a 1×1×1 kernel leaves it alone
const LINES: u32 = CI * K;
const WG: u32 = QUADS * LINES;
const BLOCKS_I: u32 = (CIN + CI - 1u) / CI;
const BLOCKS_O: u32 = (COUT + CO - 1u) / CO;
const PLANES: u32 = (N * D + SPLITS - 1u) / SPLITS;
const TAPS: u32 = K * K * K;

var<workgroup> xs: array<f32, LINES * P * P>;
var<workgroup> ds: array<vec4f, TILE * TILE * QUADS>;

fn add_products(sums: mat3x4f, v: vec3f, d: vec4f) -> mat3x4f {
  return mat3x4f(sums[0] + d * v.x, sums[1] + d * v.y, sums[2] + d * v.z);
}

fn dy_at(sample: u32, co: u32, plane: u32, yy: u32, xx: u32) -> f32 {
  let inside = co < COUT && yy < H && xx < W;
  let at = (sample * COUT + co) * S + (plane * H + yy) * W + xx;
  return select(0.0, dy[select(0u, at, inside)], inside);
}

// The taps of one channel at kz: K rows of K; a 1×1×1 kernel has only the middle of the middle.
fn store(co: u32, ci: u32, kz: u32, split: u32, v0: vec3f, v1: vec3f, v2: vec3f) {
  if (co >= COUT || ci >= CIN) {
    return;
  }
  let at = ((split * COUT + co) * CIN + ci) * TAPS + kz * K * K;
  if (K == 1u) {
    parts[at] = v1.y;
    return;
  }
  parts[at] = v0.x;
  parts[at + 1u] = v0.y;
  parts[at + 2u] = v0.z;
  parts[at + 3u] = v1.x;
  parts[at + 4u] = v1.y;
  parts[at + 5u] = v1.z;
  parts[at + 6u] = v2.x;
  parts[at + 7u] = v2.y;
  parts[at + 8u] = v2.z;
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = wid.y * nwg.x + wid.x;
  if (i >= BLOCKS_I * BLOCKS_O * SPLITS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let ci = i % BLOCKS_I * CI;
  let co = i / BLOCKS_I % BLOCKS_O * CO;
  let split = i / (BLOCKS_I * BLOCKS_O);
  let quad = lane % QUADS;
  let line = lane / QUADS; // ci · K + kz

  var a0: mat3x4f; // ky = 0, 1, 2
  var a1: mat3x4f;
  var a2: mat3x4f;
  let end = min(N * D, (split + 1u) * PLANES);
  for (var p = split * PLANES; p < end; p++) {
    let sample = p / D;
    for (var y0 = 0u; y0 < H; y0 += TILE) {
      for (var x0 = 0u; x0 < W; x0 += TILE) {
        workgroupBarrier();
        for (var s = lane; s < LINES * P * P; s += WG) {
          // Before the border these wrap to large numbers and fail the test like those behind it.
          let l = s / (P * P);
          let at = vec3u(x0 + s % P, y0 + s / P % P, p % D + l % K) - vec3u(1u, 1u, R);
          let c = ci + l / K;
          let inside = c < CIN && all(at < vec3u(W, H, D));
          let index = (((sample * CT + C0 + c) * D + at.z) * H + at.y) * W + at.x;
          xs[s] = select(0.0, x[select(0u, index, inside)], inside);
        }
        for (var s = lane; s < TILE * TILE * QUADS; s += WG) {
          let v = s % (TILE * TILE);
          let c = co + s / (TILE * TILE) * 4u;
          let yy = y0 + v / TILE;
          let xx = x0 + v % TILE;
          ds[v * QUADS + s / (TILE * TILE)] = vec4f(
            dy_at(sample, c, p % D, yy, xx),
            dy_at(sample, c + 1u, p % D, yy, xx),
            dy_at(sample, c + 2u, p % D, yy, xx),
            dy_at(sample, c + 3u, p % D, yy, xx),
          );
        }
        workgroupBarrier();
        for (var vy = 0u; vy < TILE; vy++) {
          let at = (line * P + vy) * P;
          var v0 = vec3f(0.0, xs[at], xs[at + 1u]);
          var v1 = vec3f(0.0, xs[at + P], xs[at + P + 1u]);
          var v2 = vec3f(0.0, xs[at + 2u * P], xs[at + 2u * P + 1u]);
          for (var vx = 0u; vx < TILE; vx++) {
            v0 = vec3f(v0.yz, xs[at + vx + 2u]);
            v1 = vec3f(v1.yz, xs[at + P + vx + 2u]);
            v2 = vec3f(v2.yz, xs[at + 2u * P + vx + 2u]);
            let d = ds[(vy * TILE + vx) * QUADS + quad];
            a0 = add_products(a0, v0, d);
            a1 = add_products(a1, v1, d);
            a2 = add_products(a2, v2, d);
          }
        }
      }
    }
  }
  let c = co + quad * 4u;
  let own = ci + line / K;
  let r0 = transpose(a0);
  let r1 = transpose(a1);
  let r2 = transpose(a2);
  store(c, own, line % K, split, r0[0], r1[0], r2[0]);
  store(c + 1u, own, line % K, split, r0[1], r1[1], r2[1]);
  store(c + 2u, own, line % K, split, r0[2], r1[2], r2[2]);
  store(c + 3u, own, line % K, split, r0[3], r1[3], r2[3]);
}
