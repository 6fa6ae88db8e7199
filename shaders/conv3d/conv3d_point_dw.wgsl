// Weight gradient of a 1×1×1 convolution, of a part of a sample: parts: (N, SPLITS, COUT, CIN) =
// Σ_voxels dy · x. x: (N, CIN, S4) in vectors of four voxels, a channel view (CT channels a sample,
// first C0); dy: (N, COUT, S4). NORM: x is normalised first, as in conv3d_winograd_input.wgsl. A
// workgroup does one element; sum_parts sums the samples and their parts.
alias X = vec4f; // or of f16
alias Y = vec4f; // or of f16
@group(0) @binding(0) var<storage, read> x: array<X>;
@group(0) @binding(1) var<storage, read> dy: array<Y>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> parts: array<f32>;

struct Args {
  N: u32,
  CIN: u32,
  COUT: u32,
  CT: u32,
  C0: u32,
  CG: u32,
  S4: u32,
  SPLITS: u32,
}
@group(0) @binding(6) var<uniform> args: Args;

const NORM: bool = false;
const WG: u32 = 64u;
const ROWS: u32 = 8u;

var<workgroup> partial: array<f32, WG>;
var<workgroup> rows: array<f32, ROWS>;

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = wid.y * nwg.x + wid.x;
  if (i >= args.N * args.SPLITS * args.COUT * args.CIN) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let ci = i % args.CIN;
  let co = i / args.CIN % args.COUT;
  let split = i / (args.CIN * args.COUT) % args.SPLITS;
  let n = i / (args.CIN * args.COUT * args.SPLITS);
  var mean = 0.0;
  var scale = 1.0;
  var shift = 0.0;
  if (NORM) {
    // shared: read_norm
    let group = 2u * ((n * args.CIN + ci) / args.CG);
    mean = stats[group];
    scale = stats[group + 1u] * weight[ci];
    shift = bias[ci];
    // end
  }
  let base = (n * args.CT + args.C0 + ci) * args.S4;
  let base_dy = (n * args.COUT + co) * args.S4;
  let size = (args.S4 + args.SPLITS - 1u) / args.SPLITS;
  let end = min((split + 1u) * size, args.S4);
  var sum = vec4f();
  for (var s = split * size + lane; s < end; s += WG) {
    var value = vec4f(x[base + s]);
    if (NORM) {
      value = max((value - mean) * scale + shift, vec4f());
    }
    sum += value * vec4f(dy[base_dy + s]);
  }
  partial[lane] = sum.x + sum.y + sum.z + sum.w;
  workgroupBarrier();
  // shared: rows_of_numbers
  if (lane < ROWS) {
    var row = 0.0;
    for (var k = lane; k < WG; k += ROWS) {
      row += partial[k];
    }
    rows[lane] = row;
  }
  workgroupBarrier();
  // end
  if (lane == 0u) {
    var total = 0.0;
    for (var k = 0u; k < ROWS; k++) {
      total += rows[k];
    }
    parts[i] = total;
  }
}
