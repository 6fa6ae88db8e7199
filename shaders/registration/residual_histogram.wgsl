// Histograms of the residuals that a small motion would leave, one for each piece of the points.
// samples: (6, D, H, W), see halfway_samples.wgsl; motion: (COLS + 7) = δ, step (x, y, z), origin, —;
// counts: (PIECES, BINS) of e = r − Jδ over [−LIMIT, LIMIT], in bins of equal width, the outermost
// with all that lies beyond. J at the point of index i is made of g, m and Y = step · i + origin:
//   COLS = 7: Y × g, g, m (a rotation and a translation);  COLS = 13: g_a · Y_b by rows, g, m (affine).
// One workgroup per piece; whole numbers, so that their order does not matter.
@group(0) @binding(0) var<storage, read> samples: array<f32>;
@group(0) @binding(1) var<storage, read> motion: array<f32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

struct Args {
  D: u32, H: u32, W: u32,
  PIECES: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const COLS: u32 = 7u;
const BINS: u32 = 2048u;
const LIMIT: f32 = 4.0;
const PIECE: u32 = 8192u;
const WG: u32 = 64u;

var<workgroup> bins: array<atomic<u32>, BINS>;

// shared: motion_column
// Column c of the Jacobian at a point, of gradient g, mean m and place Y.
fn jacobian(c: u32, g: vec3f, m: f32, Y: vec3f) -> f32 {
  if (c == COLS - 1u) {
    return m;
  }
  if (c >= COLS - 4u) {
    return g[c + 4u - COLS];
  }
  if (COLS == 7u) {
    return cross(Y, g)[c];
  }
  return g[c / 3u] * Y[c % 3u];
}

fn place(at: u32) -> vec3f {
  let row = at / args.W;
  let index = vec3f(f32(at % args.W), f32(row % args.H), f32(row / args.H));
  let step = vec3f(motion[COLS], motion[COLS + 1u], motion[COLS + 2u]);
  return step * index + vec3f(motion[COLS + 3u], motion[COLS + 4u], motion[COLS + 5u]);
}
// end

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let piece = wid.y * nwg.x + wid.x;
  if (piece >= args.PIECES) {
    return;
  }
  for (var i = lane; i < BINS; i += WG) {
    atomicStore(&bins[i], 0u);
  }
  workgroupBarrier();
  let count = args.D * args.H * args.W;
  let start = piece * PIECE;
  for (var at = start + lane; at < min(start + PIECE, count); at += WG) {
    if (samples[5u * count + at] == 0.0) {
      continue;
    }
    let g = vec3f(samples[count + at], samples[2u * count + at], samples[3u * count + at]);
    let m = samples[4u * count + at];
    let Y = place(at);
    var e = samples[at];
    for (var c = 0u; c < COLS; c++) {
      e -= motion[c] * jacobian(c, g, m, Y);
    }
    let bin = floor((e / LIMIT + 1.0) * (0.5 * f32(BINS)));
    atomicAdd(&bins[u32(clamp(bin, 0.0, f32(BINS - 1u)))], 1u);
  }
  workgroupBarrier();
  for (var i = lane; i < BINS; i += WG) {
    counts[piece * BINS + i] = atomicLoad(&bins[i]);
  }
}
