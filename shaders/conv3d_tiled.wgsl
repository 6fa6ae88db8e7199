// 3-D convolution, zero padding, through workgroup memory: the path for GPUs.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0);
// wp: (ceil(COUT / CB), 1 + CIN · K³, CB) from conv3d_pack; y: (N, COUT, D, H, W).
// A workgroup computes 8 × 8 × TZ voxels by CB output channels (CB a multiple of 8) and walks the
// input channels CC at a time: their tile of x with its border and their weights go to workgroup
// memory. Each thread keeps 4 voxels along x by 8 channels in two matrices, one column a channel.
// Sizes need not divide the tile.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> wp: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

const N: u32 = 1u;
const CIN: u32 = 2u;
const COUT: u32 = 3u;
const D: u32 = 4u;
const H: u32 = 4u;
const W: u32 = 4u;
const K: u32 = 3u;
const CT: u32 = 2u;
const C0: u32 = 0u;
const CB: u32 = 16u;
const TZ: u32 = 4u;
const CC: u32 = 2u;

const TILE: u32 = 8u;
const R: u32 = K / 2u;
const TAPS: u32 = K * K * K;
const P: u32 = TILE + K - 1u; // edge of the tile of x
const PZ: u32 = TZ + K - 1u;
const VOLUME: u32 = PZ * P * P;
const QUADS: u32 = TILE / 4u * TILE * TZ; // threads per 8 channels
const WG: u32 = QUADS * CB / 8u;
const TILES_X: u32 = (W + TILE - 1u) / TILE;
const TILES_Y: u32 = (H + TILE - 1u) / TILE;
const TILES_Z: u32 = (D + TZ - 1u) / TZ;
const TILES: u32 = N * TILES_Z * TILES_Y * TILES_X;
const BLOCKS: u32 = (COUT + CB - 1u) / CB;
const ROWS: u32 = 1u + CIN * TAPS;

var<workgroup> xs: array<f32, CC * VOLUME>;
var<workgroup> ws: array<vec4f, CC * TAPS * CB / 4u>;

fn add_products(sums: mat4x4f, v: vec4f, w: vec4f) -> mat4x4f {
  return mat4x4f(
    sums[0] + v * w.x,
    sums[1] + v * w.y,
    sums[2] + v * w.z,
    sums[3] + v * w.w,
  );
}

fn wp4(at: u32) -> vec4f {
  return vec4f(wp[at], wp[at + 1u], wp[at + 2u], wp[at + 3u]);
}

fn constant_columns(w: vec4f) -> mat4x4f {
  return mat4x4f(vec4f(w.x), vec4f(w.y), vec4f(w.z), vec4f(w.w));
}

fn store4(n: u32, co: u32, p: vec3u, sums: vec4f) {
  if (co >= COUT || p.y >= H || p.z >= D) {
    return;
  }
  let at = (((n * COUT + co) * D + p.z) * H + p.y) * W + p.x;
  if (p.x < W) {
    y[at] = sums.x;
  }
  if (p.x + 1u < W) {
    y[at + 1u] = sums.y;
  }
  if (p.x + 2u < W) {
    y[at + 2u] = sums.z;
  }
  if (p.x + 3u < W) {
    y[at + 3u] = sums.w;
  }
}

fn store(n: u32, co: u32, p: vec3u, sums: mat4x4f) {
  store4(n, co, p, sums[0]);
  store4(n, co + 1u, p, sums[1]);
  store4(n, co + 2u, p, sums[2]);
  store4(n, co + 3u, p, sums[3]);
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = wid.y * nwg.x + wid.x;
  if (i >= TILES * BLOCKS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let block = i % BLOCKS;
  let tile = i / BLOCKS;
  let corner = vec3u(
    tile % TILES_X * TILE,
    tile / TILES_X % TILES_Y * TILE,
    tile / (TILES_X * TILES_Y) % TILES_Z * TZ,
  );
  let n = tile / (TILES_X * TILES_Y * TILES_Z);
  let quad = lane % QUADS;
  let c8 = lane / QUADS * 8u; // the first of our channels in the block
  let own = vec3u(quad % (TILE / 4u) * 4u, quad / (TILE / 4u) % TILE, quad / (TILE / 4u * TILE));

  let rows = block * ROWS * CB;
  var a = constant_columns(wp4(rows + c8)); // channels 0–3 of ours
  var b = constant_columns(wp4(rows + c8 + 4u)); // channels 4–7
  for (var c0 = 0u; c0 < CIN; c0 += CC) {
    workgroupBarrier();
    for (var s = lane; s < CC * VOLUME; s += WG) {
      // Positions before the border wrap to large numbers and fail the test like those behind it.
      let p = corner + vec3u(s % P, s / P % P, s % VOLUME / (P * P)) - R;
      let ci = c0 + s / VOLUME;
      let inside = all(p < vec3u(W, H, D)) && ci < CIN;
      let at = (((n * CT + C0 + ci) * D + p.z) * H + p.y) * W + p.x;
      xs[s] = select(0.0, x[select(0u, at, inside)], inside);
    }
    for (var s = lane; s < CC * TAPS * CB / 4u; s += WG) {
      let row = 1u + c0 * TAPS + s / (CB / 4u);
      ws[s] = wp4(rows + min(row, ROWS - 1u) * CB + s % (CB / 4u) * 4u);
    }
    workgroupBarrier();
    for (var line = 0u; line < CC * K * K; line++) { // a channel's kz and ky
      let cz = line / K; // c · K + kz
      let at = ((cz / K * PZ + own.z + cz % K) * P + own.y + line % K) * P + own.x;
      var v = vec4f(xs[at], xs[at + 1u], xs[at + 2u], xs[at + 3u]);
      var w = (line * K * CB + c8) / 4u;
      a = add_products(a, v, ws[w]);
      b = add_products(b, v, ws[w + 1u]);
      for (var kx = 1u; kx < K; kx++) {
        v = vec4f(v.yzw, xs[at + 3u + kx]);
        w += CB / 4u;
        a = add_products(a, v, ws[w]);
        b = add_products(b, v, ws[w + 1u]);
      }
    }
  }
  store(n, block * CB + c8, corner + own, a);
  store(n, block * CB + c8 + 4u, corner + own, b);
}
