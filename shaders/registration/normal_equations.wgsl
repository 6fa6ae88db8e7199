// Sums of the weighted normal equations of a small motion, one row for each piece of the points.
// samples: (6, D, H, W), see halfway_samples.wgsl; motion: (COLS + 7) = δ, step (x, y, z), origin, width;
// sums: (PIECES, SUMS) = upper triangle of Σ w·J·Jᵀ by rows, Σ w·J·r, Σ w, Σ w·e², number of points.
// e = r − Jδ, and w = max(0, 1 − (e / width)²)² is Tukey's biweight (Beaton & Tukey 1974). J is that of
// residual_histogram.wgsl.
// One workgroup per piece. A lane sums points in their order, then lane k adds up column k of all
// lanes, so that the order is fixed; the rows are added up on the host in float64.
@group(0) @binding(0) var<storage, read> samples: array<f32>;
@group(0) @binding(1) var<storage, read> motion: array<f32>;
@group(0) @binding(2) var<storage, read_write> sums: array<f32>;

struct Args {
  D: u32, H: u32, W: u32,
  PIECES: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const COLS: u32 = 7u;
const SUMS: u32 = 38u;
const PIECE: u32 = 1024u;
const WG: u32 = 32u;

var<workgroup> lanes: array<f32, WG * SUMS>;

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
  let count = args.D * args.H * args.W;
  let start = piece * PIECE;
  var total: array<f32, SUMS>;
  for (var at = start + lane; at < min(start + PIECE, count); at += WG) {
    if (samples[5u * count + at] == 0.0) {
      continue;
    }
    let r = samples[at];
    let g = vec3f(samples[count + at], samples[2u * count + at], samples[3u * count + at]);
    let m = samples[4u * count + at];
    let Y = place(at);
    var J: array<f32, COLS>;
    var e = r;
    for (var c = 0u; c < COLS; c++) {
      J[c] = jacobian(c, g, m, Y);
      e -= motion[c] * J[c];
    }
    let far = e / motion[COLS + 6u];
    let kept = max(0.0, 1.0 - far * far);
    let w = kept * kept;
    var k = 0u;
    for (var i = 0u; i < COLS; i++) {
      let wJ = w * J[i];
      for (var j = i; j < COLS; j++) {
        total[k] += wJ * J[j];
        k++;
      }
    }
    for (var i = 0u; i < COLS; i++) {
      total[k] += w * J[i] * r;
      k++;
    }
    total[k] += w;
    total[k + 1u] += w * e * e;
    total[k + 2u] += 1.0;
  }
  for (var k = 0u; k < SUMS; k++) {
    lanes[lane * SUMS + k] = total[k];
  }
  workgroupBarrier();
  for (var k = lane; k < SUMS; k += WG) {
    var sum = 0.0;
    for (var i = 0u; i < WG; i++) {
      sum += lanes[i * SUMS + k];
    }
    sums[piece * SUMS + k] = sum;
  }
}
