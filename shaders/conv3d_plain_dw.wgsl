// Weight gradient of a 3-D convolution, without subgroups or workgroup memory: parts sums.
// x: (N, CIN, D, H, W), a channel view (CT channels a sample, first C0); dy: (N, COUT, D, H, W);
// parts: (SPLITS, COUT, CIN, K, K, K), summed by conv3d_reduce in a fixed order.
// Each thread takes one (ci, kz), CB output channels and one of SPLITS runs of z-planes; it keeps
// CB · K² sums and walks the planes in tiles of TX × TY voxels.
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
const TX: u32 = 4u;
const TY: u32 = 2u;
const CB: u32 = 4u;
const SPLITS: u32 = 1u;
const WG: u32 = 64u;

const R: u32 = K / 2u;
const TAPS: u32 = K * K;
const PX: u32 = TX + K - 1u;
const PY: u32 = TY + K - 1u;
const LINES: u32 = CIN * K;
const BLOCKS: u32 = (COUT + CB - 1u) / CB;
const PLANES: u32 = (N * D + SPLITS - 1u) / SPLITS;

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
  let ci = i % LINES / K;
  let kz = i % K;
  let co = i / LINES % BLOCKS * CB;
  let split = i / (LINES * BLOCKS);

  var acc: array<f32, TAPS * CB>;
  let end = min(N * D, (split + 1u) * PLANES);
  for (var p = split * PLANES; p < end; p++) {
    let n = p / D;
    let z = p % D + kz - R; // wraps to a large number before the border
    if (z >= D) {
      continue;
    }
    let plane = ((n * CT + C0 + ci) * D + z) * H;
    for (var y0 = 0u; y0 < H; y0 += TY) {
      for (var x0 = 0u; x0 < W; x0 += TX) {
        var near: array<f32, PX * PY>;
        for (var py = 0u; py < PY; py++) {
          let yy = y0 + py - R;
          let line = (plane + min(yy, H - 1u)) * W;
          for (var px = 0u; px < PX; px++) {
            let xx = x0 + px - R;
            near[py * PX + px] = select(0.0, x[line + min(xx, W - 1u)], yy < H && xx < W);
          }
        }
        for (var j = 0u; j < CB; j++) {
          let line = ((n * COUT + min(co + j, COUT - 1u)) * D + p % D) * H;
          for (var v = 0u; v < TX * TY; v++) {
            let yy = y0 + v / TX;
            let xx = x0 + v % TX;
            let at = (line + min(yy, H - 1u)) * W + min(xx, W - 1u);
            let d = select(0.0, dy[at], yy < H && xx < W);
            for (var t = 0u; t < TAPS; t++) {
              acc[j * TAPS + t] += d * near[(v / TX + t / K) * PX + v % TX + t % K];
            }
          }
        }
      }
    }
  }
  for (var j = 0u; j < CB; j++) {
    if (co + j < COUT) {
      let base = ((split * COUT + co + j) * LINES + i % LINES) * TAPS;
      for (var t = 0u; t < TAPS; t++) {
        parts[base + t] = acc[j * TAPS + t];
      }
    }
  }
}
