// Σ dx² of each patch over the voxels of a lesion (label > 0.5) and over the others, of a part of the
// voxels: dx, labels: (N, S) in vectors V; y: (SPLITS, N, 2).
// One workgroup per part; its lanes stride over it and are then added up in a fixed order.
alias V = vec4f; // or f32
@group(0) @binding(0) var<storage, read> dx: array<V>;
@group(0) @binding(1) var<storage, read> labels: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

struct Args {
  N: u32,
  S: u32,
  SPLITS: u32,
}
@group(0) @binding(3) var<uniform> args: Args;

const WIDTH: u32 = 4u; // elements of V
const WG: u32 = 256u;
const ROWS: u32 = 16u;

var<workgroup> partial: array<vec2f, WG>;
var<workgroup> rows: array<vec2f, ROWS>;

fn components(v: V) -> f32 {
  // shared: components
  // vec4f(f32) repeats it.
  return dot(vec4f(v), vec4f(f32(WIDTH) / 4.0));
  // end
}

@compute @workgroup_size(WG)
fn main(
  @builtin(workgroup_id) wid: vec3u,
  @builtin(num_workgroups) nwg: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let part = wid.y * nwg.x + wid.x;
  if (part >= args.N * args.SPLITS) {
    return; // the whole workgroup, so that the barriers below stay uniform
  }
  let base = part % args.N * args.S;
  let size = (args.S + args.SPLITS - 1u) / args.SPLITS;
  let start = part / args.N * size;
  let end = min(start + size, args.S);
  var lesion = V();
  var rest = V();
  for (var i = start + lane; i < end; i += WG) {
    let d = dx[base + i];
    let inside = labels[base + i] > V(0.5);
    lesion += select(V(), d * d, inside);
    rest += select(d * d, V(), inside);
  }
  partial[lane] = vec2f(components(lesion), components(rest));
  workgroupBarrier();
  // shared: rows_of_pairs
  if (lane < ROWS) {
    var row = vec2f();
    for (var i = lane; i < WG; i += ROWS) {
      row += partial[i];
    }
    rows[lane] = row;
  }
  workgroupBarrier();
  // end
  if (lane == 0u) {
    var sum = vec2f();
    for (var i = 0u; i < ROWS; i++) {
      sum += rows[i];
    }
    y[part * 2u] = sum.x;
    y[part * 2u + 1u] = sum.y;
  }
}
