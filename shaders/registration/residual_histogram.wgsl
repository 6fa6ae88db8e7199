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

// shared: motion_entries
// Entries of (J, r) in fours, and 0 beyond, at a point of gradient g, mean m and place Y.
fn entries(g: vec3f, m: f32, r: f32, Y: vec3f) -> mat4x4f {
  if (COLS == 7u) {
    return mat4x4f(vec4f(cross(Y, g), g.x), vec4f(g.yz, m, r), vec4f(), vec4f());
  }
  let last = vec4f(m, r, 0.0, 0.0);
  return mat4x4f(vec4f(g.x * Y, g.y * Y.x), vec4f(g.y * Y.yz, g.z * Y.xy), vec4f(g.z * Y.z, g), last);
}

fn factor(c: u32) -> f32 {
  if (c < COLS) {
    return -motion[c];
  }
  return select(0.0, 1.0, c == COLS);
}

fn factors4(c: u32) -> vec4f {
  return vec4f(factor(c), factor(c + 1u), factor(c + 2u), factor(c + 3u));
}

// What the entries are multiplied by for e.
fn factors() -> mat4x4f {
  return mat4x4f(factors4(0u), factors4(4u), factors4(8u), factors4(12u));
}

fn residual(a: mat4x4f, by: mat4x4f) -> f32 {
  var e = dot(a[0], by[0]) + dot(a[1], by[1]);
  if (COLS > 7u) {
    e += dot(a[2], by[2]) + dot(a[3], by[3]);
  }
  return e;
}

// x, y and z of the point with this number.
fn split(at: u32) -> vec3u {
  let row = at / args.W;
  return vec3u(at % args.W, row % args.H, row / args.H);
}

fn place(index: vec3u) -> vec3f {
  let step = vec3f(motion[COLS], motion[COLS + 1u], motion[COLS + 2u]);
  return step * vec3f(index) + vec3f(motion[COLS + 3u], motion[COLS + 4u], motion[COLS + 5u]);
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
  let by = factors();
  for (var at = start + lane; at < min(start + PIECE, count); at += WG) {
    if (samples[5u * count + at] == 0.0) {
      continue;
    }
    let g = vec3f(samples[count + at], samples[2u * count + at], samples[3u * count + at]);
    let m = samples[4u * count + at];
    let Y = place(split(at));
    let e = residual(entries(g, m, samples[at], Y), by);
    let bin = floor((e / LIMIT + 1.0) * (0.5 * f32(BINS)));
    atomicAdd(&bins[u32(clamp(bin, 0.0, f32(BINS - 1u)))], 1u);
  }
  workgroupBarrier();
  for (var i = lane; i < BINS; i += WG) {
    counts[piece * BINS + i] = atomicLoad(&bins[i]);
  }
}
